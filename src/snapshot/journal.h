/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* journal.h - every transition of a breaker or an instance, in the order in which it was told: what
 * on-call reads backwards, and what the event stream, the webhook and the fleet pass on.
 *
 * Workers write (a transition is rare: one mutex, no I/O), the control thread reads. The journal
 * keeps the newest JOURNAL_KEPT of the process; each service keeps its own last TRANSITIONS_KEPT
 * in a history. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRANSITIONS_KEPT = 50,
    JOURNAL_KEPT = 1024,
    INSTANCE_LABEL_MAX = 96, /* longer ids are cut at the end */
    AUTHOR_MAX = 64,
    WHY_MAX = 200
};

struct transition {
    uint64_t id; /* 1, 2, 3 ... over all services; no gaps */
    int64_t wall_ms;
    const char *service;               /* lives as long as the process */
    char instance[INSTANCE_LABEL_MAX]; /* service id of the instance; "" = the service's breaker */
    const char *from, *to, *cause;     /* static words of breaker.h and outlier.h */
    bool shadow;                       /* would have happened */
    uint32_t total, failed, slow;      /* the numbers that decided */
    uint64_t window_ms;                /* over which; 0 = a streak or probes */
    int64_t until_wall_ms;             /* when it ends or is tried again; 0 = not known */
    char author[AUTHOR_MAX];           /* "" when no operator was involved */
    char why[WHY_MAX];                 /* the operator's reason */
};

/* The last transitions of one service or instance. Memory comes with the first. */
struct history {
    pthread_mutex_t lock;
    struct transition *ring; /* [TRANSITIONS_KEPT]; NULL until the first; guarded by lock */
    uint64_t n;              /* in all; the newest is at (n - 1) % TRANSITIONS_KEPT */
};

void history_init(struct history *h);
void history_release(struct history *h);
void history_add(struct history *h, const struct transition *t);
/* Copies up to `cap`, the newest first; returns how many. */
size_t history_copy(struct history *h, struct transition *out, size_t cap);

struct journal;

struct journal *journal_new(void);
void journal_free(struct journal *j);
/* Gives it the next id, and wakes the reader. Any thread. Returns the id. */
uint64_t journal_add(struct journal *j, struct transition *t);
/* Copies those after `after` (0 = from the oldest that is kept), the oldest first, up to `cap`;
 * returns how many. When some after it are gone already, *ret_lost (may be NULL) says how many. */
size_t journal_read(struct journal *j, uint64_t after, struct transition *out, size_t cap,
                    uint64_t *ret_lost);
uint64_t journal_newest(struct journal *j);
/* Called by the writing thread after each entry, outside the lock: it should only wake someone (an
 * eventfd). Set once, before anyone writes. */
void journal_watch(struct journal *j, void (*fn)(void *arg), void *arg);
