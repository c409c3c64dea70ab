/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pipes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct pipe *pipes_get(struct pipes *p)
{
    struct pipe *got = p->free;
    int fds[2];

    if (got) {
        p->free = got->next;
        p->nfree--;
        return got;
    }
    if (p->nopen >= PIPES_MAX || !(got = malloc(sizeof *got)))
        return NULL;
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
        free(got);
        return NULL;
    }
    if (fcntl(fds[1], F_SETPIPE_SZ, (int)PIPE_BYTES) < 0) {
        close(fds[0]);
        close(fds[1]);
        free(got);
        return NULL;
    }
    *got = (struct pipe){.out = fds[0], .in = fds[1]};
    p->nopen++;
    return got;
}

static void close_pipe(struct pipes *p, struct pipe *x)
{
    close(x->in);
    close(x->out);
    free(x);
    p->nopen--;
}

void pipes_put(struct pipes *p, struct pipe **pp)
{
    struct pipe *x = *pp;

    *pp = NULL;
    if (!x)
        return;
    if (x->held > 0 || p->nfree >= PIPES_KEPT) {
        close_pipe(p, x);
        return;
    }
    x->next = p->free;
    p->free = x;
    p->nfree++;
}

void pipes_release(struct pipes *p)
{
    while (p->free) {
        struct pipe *x = p->free;

        p->free = x->next;
        p->nfree--;
        close_pipe(p, x);
    }
}
