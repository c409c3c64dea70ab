/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* limit_rule.h - what a limit counts, as pure functions on one number for each client.
 *
 * rate         GCRA, the generic cell rate algorithm (ITU-T I.371): the number is the time at which
 *              all requests so far would have been paid for at the permitted rate (theoretical
 *              arrival time). A request moves it on by one interval, from now at the earliest, and
 *              passes if it is not further ahead than `burst` intervals. The same as a bucket of
 *              `burst` tokens, without a timer that fills it and with one word of state.
 * quota        a fixed window of the calendar (UTC), its number above the count.
 * concurrency  the requests under way.
 *
 * A number that another configuration has left behind is brought into the bounds of this one: who
 * was over the limit is at it, no further. Only quotas of another period must not meet.
 *
 * Numbers are below LIMIT_VALUE_END; 0 is a client that was never seen. A smaller number is always
 * the one that forgets less when it is lost: the table relies on that. */
#include "config/rate_limits_conf.h"

#define LIMIT_VALUE_END (1ull << 60)

enum { QUOTA_COUNT_BITS = 30 };

/* What a rule needs, made of the configuration. */
struct limit_rule {
    enum rate_limit_kind kind;
    enum rate_limit_period period;
    uint64_t amount;      /* LIMIT_RATE: the burst */
    uint64_t interval_ns; /* LIMIT_RATE: between two requests, rounded up */
    uint64_t ahead_ns;    /* LIMIT_RATE: interval_ns * amount */
};

struct limit_clock {
    uint64_t now_ns; /* monotonic */
    int64_t wall_s;  /* quotas alone look at it */
};

/* What a client is told. */
struct limit_state {
    uint64_t remaining; /* requests that would pass now */
    uint64_t reset_ns;  /* until all of them would; 0 = now */
    uint64_t retry_ns;  /* until one would; 0 = now */
};

void limit_rule_of(const struct rate_limit_conf *c, struct limit_rule *ret);
/* Seconds of a period; a month counts as 30 days. */
uint64_t limit_period_s(enum rate_limit_period p);
/* The number of the window that `wall_s` is in, and when it ends. */
uint64_t limit_window(enum rate_limit_period p, int64_t wall_s, int64_t *ret_end_s);

/* May one more request pass? *ret_value is the number to keep, whatever the answer. */
bool limit_rule_take(const struct limit_rule *r, const struct limit_clock *c, uint64_t value,
                     uint64_t *ret_value);
/* The number after one request less: it was under way, or another limit refused it. */
uint64_t limit_rule_give_back(const struct limit_rule *r, uint64_t value);
/* Does this number still mean anything? */
bool limit_rule_is_live(const struct limit_rule *r, const struct limit_clock *c, uint64_t value);
void limit_rule_state(const struct limit_rule *r, const struct limit_clock *c, uint64_t value,
                      struct limit_state *ret);
