/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* limits.h - the limits of a configuration with the counts that outlive it.
 *
 * A limiter is known by the name of its limit: a reload changes rates, bursts and keys, and clients
 * stay where they are. It begins anew when the kind of the limit changes, or the period of a quota.
 * Another size of table takes the counts along.
 *
 * limits_apply() makes a set for each configuration; the snapshot holds it, and so a worker finds
 * rule and table of `rate_limits` entry i at set->at[i]. What workers change is atomic. */
#include "base/siphash.h"
#include "config/config.h"
#include "limits/limit_table.h"

#include <stdatomic.h>

struct limiter {
    _Atomic int refs;
    char *name; /* owned */
    enum rate_limit_kind kind;
    enum rate_limit_period period;
    unsigned max_clients;
    struct limit_table *table; /* owned */
    _Atomic uint64_t refused;
    _Atomic uint64_t would_refuse; /* in shadow mode */
};

struct limit_entry {
    const struct rate_limit_conf *conf; /* borrowed from the configuration */
    struct limit_rule rule;
    struct limiter *limiter; /* ref */
};

/* What the workers' connections to Redis do, for status and metrics; process-wide. */
struct limit_redis_status {
    _Atomic unsigned workers;   /* that have one, or try */
    _Atomic unsigned connected; /* of these, those whose last answer was good */
    _Atomic uint64_t decided;   /* requests that Redis let pass or refused */
    _Atomic uint64_t local;     /* shared limits that were decided here, because it was away */
    _Atomic uint64_t late;      /* answers that did not come in time */
    _Atomic uint64_t failures;  /* connections that could not be made, broke or were given up */
    _Atomic bool told;          /* it was logged that it is away */
};

struct limit_set {
    _Atomic int refs;
    struct siphash_key key;           /* of the clients' hashes; the same for the whole process */
    struct limit_redis_status *redis; /* borrowed */
    size_t n;
    struct limit_entry at[];
};

struct limits;

/* Thread: control. */
struct limits *limits_new(void);
/* After the last set. */
void limits_free(struct limits **l);
/* The set for this configuration: the caller's reference. It borrows from `c`. */
struct limit_set *limits_apply(struct limits *l, const struct config *c,
                               const struct limit_clock *clock) MUST_CHECK;

/* Any thread. */
struct limit_set *limit_set_ref(struct limit_set *s);
void limit_set_unref(struct limit_set **s);
