/* SPDX-License-Identifier: Apache-2.0 */
#include "control_journal.h"
#include "base/log.h"
#include "snapshot/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct control_journal {
    struct event *event; /* readable when there are new transitions */
    int fd;              /* eventfd; any thread may write */
    void (*told)(void *arg);
    void *arg;
};

/* Any thread. */
static void wake(void *arg)
{
    struct control_journal *j = arg;
    uint64_t one = 1;

    if (write(j->fd, &one, sizeof one) < 0 && errno != EAGAIN)
        log_error("control", "cannot wake for a transition: %s", strerror(errno));
}

static void on_event(evutil_socket_t fd, short events, void *arg)
{
    struct control_journal *j = arg;
    uint64_t count;

    (void)events;
    if (read(fd, &count, sizeof count) > 0)
        j->told(j->arg);
}

struct control_journal *control_journal_new(struct event_base *base, struct journal *journal,
                                            void (*told)(void *arg), void *arg, struct err *e)
{
    struct control_journal *j = calloc(1, sizeof *j);

    if (!j)
        abort();
    j->told = told;
    j->arg = arg;
    j->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (j->fd < 0) {
        err_set(e, "eventfd: %s", strerror(errno));
        free(j);
        return NULL;
    }
    j->event = event_new(base, j->fd, EV_READ | EV_PERSIST, on_event, j);
    event_add(j->event, NULL);
    journal_watch(journal, wake, j);
    return j;
}

void control_journal_free(struct control_journal **jp)
{
    struct control_journal *j = *jp;

    *jp = NULL;
    if (!j)
        return;
    event_free(j->event);
    close(j->fd);
    free(j);
}
