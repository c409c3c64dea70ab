/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* failover.h - which of several places is used now. Pure: time is an argument.
 *
 * The places are in order of preference, and the first that has enough usable instances is used.
 * One with too few is left at once; one that recovered is gone back to only when it has been good
 * for `fail_back_ms`, because each move empties caches and connections. That delay is for a place
 * that was seen to fail: one that is merely heard for the first time is used at once. When no place
 * has enough, the one with the most usable instances is used, and the present one when that is
 * equal.
 *
 * A place may also be suspect: Consul says that it is well, but its requests fail. While another
 * one is well, it is passed over for `fail_back_ms` (at least SUSPECT_MIN_MS), and twice as long
 * each further time, up to SUSPECT_MAX_MS. Suspicion alone never leaves a service without a place.
 *
 * A place that nobody has heard of yet is not taken for an empty one: the first choice waits for
 * the places before the one that would do. */
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUSPECT_MIN_MS = 5000, SUSPECT_MAX_MS = 600000 };

enum place_state {
    PLACE_SILENT, /* not heard yet; it will be */
    PLACE_ABSENT, /* not heard yet, and what was heard is an error: it cannot be used now */
    PLACE_HEARD,
};

struct failover_fact {
    enum place_state state;
    unsigned usable, total; /* instances */
};

struct failover_options {
    unsigned min_healthy; /* per cent */
    uint64_t fail_back_ms;
};

struct failover_place {
    bool known, well;
    uint64_t well_since_ns; /* 0 = it was never seen otherwise */
    uint64_t suspect_until_ns;
    unsigned suspicions; /* in a row */
};

struct failover {
    size_t n;
    struct failover_place *places; /* owned */
    size_t active;
    bool decided;
    uint64_t since_ns; /* when `active` began */
    uint64_t next_ns;  /* when to judge again though nothing changed; 0 = never */
    uint64_t moves;
};

void failover_init(struct failover *f, size_t n);
void failover_release(struct failover *f);

/* True when enough instances of it are usable. */
bool failover_enough(const struct failover_fact *fact, unsigned min_healthy);

/* Requests to the active place fail; failover_judge() says what follows. */
void failover_suspect(struct failover *f, const struct failover_options *o, uint64_t now_ns);
bool failover_is_suspect(const struct failover_place *p, uint64_t now_ns);

/* Takes in what is known of all n places. True when `active` is another one than before, or was
 * decided for the first time. */
bool failover_judge(struct failover *f, const struct failover_options *o,
                    const struct failover_fact *facts, uint64_t now_ns);
