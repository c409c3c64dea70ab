/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/pending.h"

#include <pthread.h>
#include <stdlib.h>

enum { SETS = 1024, WAYS = 4 };

/* 0 = free; a hash of 0 is kept as 1. */
struct pending {
    pthread_mutex_t lock;
    unsigned waiters;
    uint64_t table[SETS][WAYS];
};

struct pending *pending_new(void)
{
    struct pending *p = calloc(1, sizeof *p);

    if (p)
        pthread_mutex_init(&p->lock, NULL);
    return p;
}

void pending_free(struct pending *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static uint64_t *find(struct pending *p, uint64_t hash)
{
    uint64_t *set = p->table[hash % SETS];

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i] == hash)
            return &set[i];
    return NULL;
}

static enum pending_claim claim(struct pending *p, uint64_t hash)
{
    uint64_t *set = p->table[hash % SETS];

    if (find(p, hash))
        return PENDING_TAKEN;
    for (unsigned i = 0; i < WAYS; i++)
        if (!set[i]) {
            set[i] = hash;
            return PENDING_FIRST;
        }
    return PENDING_FULL;
}

enum pending_claim pending_claim(struct pending *p, uint64_t hash, bool waits)
{
    enum pending_claim c;

    pthread_mutex_lock(&p->lock);
    c = claim(p, hash ? hash : 1);
    p->waiters += waits && c == PENDING_TAKEN;
    pthread_mutex_unlock(&p->lock);
    return c;
}

void pending_leave(struct pending *p)
{
    pthread_mutex_lock(&p->lock);
    p->waiters--;
    pthread_mutex_unlock(&p->lock);
}

bool pending_release(struct pending *p, uint64_t hash)
{
    uint64_t *at;
    bool waited;

    pthread_mutex_lock(&p->lock);
    at = find(p, hash ? hash : 1);
    if (at)
        *at = 0;
    waited = p->waiters > 0;
    pthread_mutex_unlock(&p->lock);
    return waited;
}

bool pending_has(struct pending *p, uint64_t hash)
{
    bool has;

    pthread_mutex_lock(&p->lock);
    has = find(p, hash ? hash : 1) != NULL;
    pthread_mutex_unlock(&p->lock);
    return has;
}
