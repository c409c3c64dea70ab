/* SPDX-License-Identifier: Apache-2.0 */
/* Power of two choices (Mitzenmacher 2001): two candidates, the cheaper one wins. The load stays
 * nearly as even as with a full comparison, at constant cost, and without all workers running to
 * the same idle target.
 *
 * The first candidate is the next one in the rotation, and wins when both cost the same: so idle
 * targets take turns exactly by weight. The second is drawn at random by weight. A pool of three or
 * fewer is compared as a whole: cheaper than drawing, and better. */
#include "balancer/pool.h"

enum { COMPARE_ALL = 3 };

static double cost_of(const struct view *v, uint32_t target, cost_fn *cost)
{
    return cost(&v->b->targets[target], v->q->now_ns);
}

/* The cheapest other one, if it is cheaper than `first`; chance by weight between equals. */
static uint32_t compare_all(const struct pool *p, const struct view *v, cost_fn *cost,
                            uint32_t first)
{
    double least = cost_of(v, first, cost), equals = 0;
    uint32_t best = first;

    for (unsigned i = 0; i < p->n; i++) {
        uint32_t other = p->members[i];
        double c = other == first ? least : cost_of(v, other, cost);
        double weight = v->b->targets[other].weight;

        if (other == first || c > least || (c >= least && best == first) ||
            !view_accepts_random(v, other))
            continue;
        equals = c < least ? weight : equals + weight;
        if (c < least || rng_double(v->q->rng) * equals < weight)
            best = other;
        least = c;
    }
    return best;
}

static uint32_t compare_one(const struct pool *p, const struct view *v, cost_fn *cost,
                            uint32_t first)
{
    for (unsigned i = 0; i < POOL_TRIES; i++) {
        uint32_t other = pool_draw(p, v->q->rng);

        if (other == first || !view_accepts_random(v, other))
            continue;
        return cost_of(v, other, cost) < cost_of(v, first, cost) ? other : first;
    }
    return first;
}

int two_choices_pick(const struct pool *p, const struct view *v, cost_fn *cost)
{
    int first = round_robin_pick(p, v);

    if (first == POOL_NONE || p->n == 1)
        return first;
    if (p->n <= COMPARE_ALL)
        return (int)compare_all(p, v, cost, (uint32_t)first);
    return (int)compare_one(p, v, cost, (uint32_t)first);
}
