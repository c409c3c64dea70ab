/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* pool.h - the inside of a balancer. Private to this folder.
 *
 * A pool is a set of targets to choose from, with what its policy has precomputed for it. A
 * balancer has up to three: the preferred tier, all usable targets, and in panic the fallback ones
 * too. The choice of the pool is balancer.c's; a policy sees one pool and one view.
 *
 * A policy offers candidates in its own order and asks view_accepts() for each. It makes a bounded
 * number of tries and then returns POOL_NONE: balancer.c looks through the whole pool instead. */
#include "balancer/balancer.h"

enum { POOL_NONE = -1, POOL_TRIES = 8 };

struct pool {
    unsigned n;
    uint32_t *members;    /* owned: positions in balancer.targets */
    uint64_t *cumulative; /* owned: running sum of the weights */
    uint32_t *schedule;   /* owned: order of the rotation; NULL when the policy needs none */
    uint32_t schedule_len;
    uint32_t *table; /* owned: Maglev lookup table; NULL when the policy needs none */
    uint32_t table_size;
};

struct balancer {
    struct balance_options options;
    unsigned n;
    struct balance_target *targets; /* owned */
    unsigned known;                 /* usable or fallback targets: panic's 100 % */
    unsigned known_preferred;       /* those in tier 0 */
    struct pool preferred;          /* usable and tier 0; empty when tiers make no difference */
    struct pool usable;
    struct pool panic; /* usable and fallback; empty without a panic threshold */
};

/* One request's look at the targets. */
struct view {
    const struct balancer *b;
    const struct balance_query *q;
    bool panic;    /* ejection does not matter */
    bool revisit;  /* nor does having been tried */
    bool lenient;  /* nor what the query would rather avoid */
    bool any_full; /* pool_scan() met one that only its limit kept out */
};

#define GET(p) atomic_load_explicit((p), memory_order_relaxed)

/* Returns 0, or -1 when memory is out. `weights` are those of the members. */
int schedule_build(struct pool *p, const uint32_t *weights);
int maglev_build(struct pool *p, const uint32_t *weights, const struct balance_target *targets);

/* A target that may be chosen now, but for slow start. */
bool view_may(const struct view *v, uint32_t target);
/* Its share of a full weight, 0.1 .. 1. */
double view_ramp(const struct view *v, uint32_t target);
/* May be chosen, and slow start lets it: the coin falls in [0, 1) for each candidate. */
bool view_accepts(const struct view *v, uint32_t target, double coin);
/* The same with a random coin. */
bool view_accepts_random(const struct view *v, uint32_t target);

uint32_t pool_draw(const struct pool *p, struct rng *rng); /* at random by weight */

/* The policies: the position of a target, or POOL_NONE. */
int round_robin_pick(const struct pool *p, const struct view *v);
int least_request_pick(const struct pool *p, const struct view *v);
int peak_ewma_pick(const struct pool *p, const struct view *v);
int random_pick(const struct pool *p, const struct view *v);
int maglev_pick(const struct pool *p, const struct view *v);

/* Power of two choices: the lower cost wins. See two_choices.c. */
typedef double cost_fn(const struct balance_target *t, uint64_t now_ns);
int two_choices_pick(const struct pool *p, const struct view *v, cost_fn *cost);
