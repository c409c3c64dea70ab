/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fixture.h - a service of up to MANY instances and a balancer over it, for the tests of the
 * policies. All instances start usable, in tier 0, with weight 1, idle and warm. */
#include "balancer/balancer.h"
#include "base/hash.h"

#include <string.h>

#define S  NS_PER_S
#define T0 (1000 * S)

enum { MANY = 1000 };

struct service {
    struct balance_options options;
    unsigned n;
    struct balance_target targets[MANY];
    struct instance_load loads[MANY];
    struct balancer *balancer;
    struct balance_query query;
    struct rng rng;
    _Atomic uint64_t cursor;
    unsigned picked[MANY];
};

static inline void service_init(struct service *s, enum balance_policy policy, unsigned n)
{
    memset(s, 0, sizeof(*s));
    s->options.policy = policy;
    s->n = n;
    s->rng.state = 1;
    s->query = (struct balance_query){.now_ns = T0, .rng = &s->rng, .cursor = &s->cursor};
    for (unsigned i = 0; i < n; i++)
        s->targets[i] = (struct balance_target){
            .weight = 1, .usable = true, .id_hash = hash_mix(i + 100), .load = &s->loads[i]};
}

/* After the test has changed options and targets. */
static inline void service_build(struct service *s)
{
    balancer_free(s->balancer);
    s->balancer = balancer_new(&s->options, s->targets, s->n);
    assert_non_null(s->balancer);
}

static inline void service_release(struct service *s)
{
    balancer_free(s->balancer);
}

static inline void eject(struct service *s, unsigned i)
{
    s->loads[i].ejected_until_ns = T0 + 10 * S;
    s->loads[i].on_probation = true;
}

static inline unsigned pick(struct service *s)
{
    unsigned i = UINT32_MAX;

    assert_int_equal(balancer_pick(s->balancer, &s->query, &i), BALANCE_OK);
    assert_true(i < s->n);
    return i;
}

static inline enum balance_verdict verdict(struct service *s)
{
    unsigned i;

    return balancer_pick(s->balancer, &s->query, &i);
}

/* Counts in `picked` where so many requests go, one after the other. */
static inline void spread(struct service *s, unsigned requests)
{
    memset(s->picked, 0, sizeof(s->picked));
    while (requests--)
        s->picked[pick(s)]++;
}

static inline void assert_near(double value, double expected, double tolerance)
{
    if (value < expected * (1 - tolerance) || value > expected * (1 + tolerance))
        fail_msg("%g is not within %g %% of %g", value, tolerance * 100, expected);
}
