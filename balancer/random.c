/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/pool.h"

uint32_t pool_draw(const struct pool *p, struct rng *rng)
{
    uint64_t total = p->cumulative[p->n - 1];
    uint64_t ball = (uint64_t)(rng_double(rng) * (double)total);
    unsigned low = 0, high = p->n - 1;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (p->cumulative[middle] > ball)
            high = middle;
        else
            low = middle + 1;
    }
    return p->members[low];
}

int random_pick(const struct pool *p, const struct view *v)
{
    for (unsigned i = 0; i < POOL_TRIES; i++) {
        uint32_t target = pool_draw(p, v->q->rng);

        if (view_accepts_random(v, target))
            return (int)target;
    }
    return POOL_NONE;
}
