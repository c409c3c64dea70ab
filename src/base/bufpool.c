/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bufpool.h"

#include <stdlib.h>
#include <string.h>

void bufpool_init(struct bufpool *p, unsigned keep)
{
    p->free = NULL;
    p->nfree = p->used = 0;
    p->keep = keep;
}

void bufpool_release(struct bufpool *p)
{
    while (p->free) {
        struct buf *next = p->free->next;
        free(p->free);
        p->free = next;
    }
    p->nfree = 0;
}

struct buf *bufpool_get(struct bufpool *p)
{
    struct buf *b = p->free;

    if (b) {
        p->free = b->next;
        p->nfree--;
    } else {
        b = malloc(sizeof *b);
        if (!b)
            return NULL;
    }
    b->start = b->end = 0;
    p->used++;
    return b;
}

void bufpool_put(struct bufpool *p, struct buf **bp)
{
    struct buf *b = *bp;

    *bp = NULL;
    if (!b)
        return;
    p->used--;
    if (p->nfree >= p->keep) {
        free(b);
        return;
    }
    b->next = p->free;
    p->free = b;
    p->nfree++;
}

void buf_compact(struct buf *b)
{
    if (b->start == 0)
        return;
    memmove(b->data, b->data + b->start, buf_len(b));
    b->end -= b->start;
    b->start = 0;
}
