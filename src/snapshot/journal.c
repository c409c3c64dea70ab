/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/journal.h"
#include "base/alloc.h"

#include <string.h>

struct journal {
    pthread_mutex_t lock;
    struct transition ring[JOURNAL_KEPT]; /* guarded by lock; id i is at (i - 1) % JOURNAL_KEPT */
    uint64_t newest;                      /* guarded by lock: id, 0 = none yet */
    void (*watch)(void *arg);             /* set before anyone writes */
    void *watch_arg;
};

void history_init(struct history *h)
{
    *h = (struct history){.n = 0};
    pthread_mutex_init(&h->lock, NULL);
}

void history_release(struct history *h)
{
    pthread_mutex_destroy(&h->lock);
    free(h->ring);
    h->ring = NULL;
}

void history_add(struct history *h, const struct transition *t)
{
    pthread_mutex_lock(&h->lock);
    if (!h->ring)
        h->ring = alloc_or_abort(TRANSITIONS_KEPT * sizeof *h->ring);
    h->ring[h->n++ % TRANSITIONS_KEPT] = *t;
    pthread_mutex_unlock(&h->lock);
}

size_t history_copy(struct history *h, struct transition *out, size_t cap)
{
    size_t n;

    pthread_mutex_lock(&h->lock);
    n = h->n < TRANSITIONS_KEPT ? (size_t)h->n : TRANSITIONS_KEPT;
    n = n < cap ? n : cap;
    for (size_t i = 0; i < n; i++)
        out[i] = h->ring[(h->n - 1 - i) % TRANSITIONS_KEPT];
    pthread_mutex_unlock(&h->lock);
    return n;
}

struct journal *journal_new(void)
{
    struct journal *j = alloc_or_abort(sizeof *j);

    pthread_mutex_init(&j->lock, NULL);
    return j;
}

void journal_free(struct journal *j)
{
    if (!j)
        return;
    pthread_mutex_destroy(&j->lock);
    free(j);
}

void journal_watch(struct journal *j, void (*fn)(void *arg), void *arg)
{
    j->watch = fn;
    j->watch_arg = arg;
}

uint64_t journal_add(struct journal *j, struct transition *t)
{
    pthread_mutex_lock(&j->lock);
    t->id = ++j->newest;
    j->ring[(t->id - 1) % JOURNAL_KEPT] = *t;
    pthread_mutex_unlock(&j->lock);
    if (j->watch)
        j->watch(j->watch_arg);
    return t->id;
}

size_t journal_read(struct journal *j, uint64_t after, struct transition *out, size_t cap,
                    uint64_t *ret_lost)
{
    uint64_t oldest, id, lost = 0;
    size_t n = 0;

    pthread_mutex_lock(&j->lock);
    oldest = j->newest > JOURNAL_KEPT ? j->newest - JOURNAL_KEPT + 1 : 1;
    /* An id that a reader brings along may be anything. */
    id = after < j->newest ? after + 1 : j->newest + 1;
    if (id < oldest) {
        lost = after > 0 ? oldest - id : 0;
        id = oldest;
    }
    while (id <= j->newest && n < cap)
        out[n++] = j->ring[(id++ - 1) % JOURNAL_KEPT];
    pthread_mutex_unlock(&j->lock);
    if (ret_lost)
        *ret_lost = lost;
    return n;
}

uint64_t journal_newest(struct journal *j)
{
    uint64_t newest;

    pthread_mutex_lock(&j->lock);
    newest = j->newest;
    pthread_mutex_unlock(&j->lock);
    return newest;
}
