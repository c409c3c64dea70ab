/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* password_pool.h - checks passwords on threads of its own, since each check takes as long as a
 * thousand requests.
 *
 * Few threads, so that guessing passwords never takes the CPU from those who need none; a bounded
 * queue; and of these a few places for one client address, so that nobody can fill it alone. Who
 * asks about a password that is just being checked waits for the same check.
 *
 * The threads start with the first question. */
#include "base/list.h"
#include "base/str.h"
#include "policy/password_file.h"

#include <netinet/in.h>
#include <stdatomic.h>

enum { PASSWORD_POOL_PENDING = 64, PASSWORD_POOL_PER_CLIENT = 8, PASSWORD_DIGEST = 32 };

struct password_pool;
struct password_job;

/* With 0 threads nothing is ever checked: for tests. */
struct password_pool *password_pool_new(unsigned nthreads);
/* Waits for checks that run. Nobody may wait any more. Accepts NULL. */
void password_pool_free(struct password_pool **p);

/* A short name for a user and password under one reading of a file: a MAC with a key that only this
 * process knows, so that it may be kept. False when memory is out. */
bool password_digest(const struct password_pool *p, const struct password_file *f, struct str user,
                     struct str password, unsigned char ret[PASSWORD_DIGEST]) MUST_CHECK;

struct password_question {
    struct password_file *file;
    struct str user, password; /* copied, and overwritten after the check */
    unsigned char digest[PASSWORD_DIGEST];
    struct in6_addr from; /* who asks; IPv4 as v4-mapped */
};

enum password_wait_state { PASSWORD_IDLE, PASSWORD_PENDING, PASSWORD_CHECKED };

/* One who waits. Zeroed at first. */
struct password_wait {
    struct list node;         /* in the job's, guarded by the pool's lock */
    struct password_job *job; /* the same */
    void (*done)(void *arg);  /* called on a thread of the pool, under its lock: only to wake */
    void *arg;
    _Atomic int state;             /* enum password_wait_state */
    enum password_verdict verdict; /* once it is checked */
};

/* Any thread. False: there is no room (or memory) for it now. */
bool password_pool_ask(struct password_pool *p, const struct password_question *q,
                       struct password_wait *w) MUST_CHECK;
/* Waits no longer; afterwards done() is not called. Any number of times. */
void password_pool_leave(struct password_pool *p, struct password_wait *w);
static inline bool password_wait_over(const struct password_wait *w)
{
    return atomic_load_explicit(&w->state, memory_order_acquire) == PASSWORD_CHECKED;
}
/* Checks that wait or run. */
unsigned password_pool_pending(struct password_pool *p);
