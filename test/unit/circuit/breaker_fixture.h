/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* breaker_fixture.h - what the tests of the circuit breaker share: options, calls in one instant,
 * what was told. */
#include "circuit/breaker.h"

#define S  NS_PER_S
#define T0 (1000 * S)

static const struct breaker_options usual = {
    .enabled = true,
    .failure_percent = 50,
    .slow_percent = 80,
    .slow_ns = S,
    .minimum_requests = 10,
    .window_ns = 10 * S,
    .open_ns = 5 * S,
    .max_open_ns = 30 * S,
    .half_open_requests = 3,
};

static struct rng rng = {42};

struct told {
    unsigned n;
    struct breaker_change last;
};

static inline void on_transition(void *arg, const struct breaker_change *c)
{
    struct told *t = arg;

    *t = (struct told){t->n + 1, *c};
}

static inline struct breaker *breaker_with(const struct breaker_options *o)
{
    struct breaker *b = breaker_new(o, T0);

    assert_non_null(b);
    return b;
}

static inline struct breaker_info info_at(struct breaker *b, uint64_t now_ns)
{
    struct breaker_info i;

    breaker_info(b, now_ns, &i);
    return i;
}

/* A call from admission to report in one instant. */
static inline void call(struct breaker *b, uint64_t now_ns, bool failed, uint64_t took_ns)
{
    struct breaker_ticket t = breaker_admit(b, now_ns);

    assert_true(t.admitted);
    breaker_report(b, t, now_ns, &rng, failed, took_ns);
}

static inline void calls(struct breaker *b, uint64_t now_ns, unsigned n, bool failed,
                         uint64_t took_ns)
{
    while (n--)
        call(b, now_ns, failed, took_ns);
}

/* Returns the time when it goes to half-open. */
static inline uint64_t trip(struct breaker *b, uint64_t now_ns)
{
    calls(b, now_ns, usual.minimum_requests, true, 1);
    assert_int_equal(info_at(b, now_ns).state, BREAKER_OPEN);
    return info_at(b, now_ns).reopens_at_ns;
}

static inline struct breaker_ticket probe_at(struct breaker *b, uint64_t now_ns)
{
    struct breaker_ticket t = breaker_admit(b, now_ns);

    assert_true(t.admitted);
    assert_true(t.probe);
    return t;
}
