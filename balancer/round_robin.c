/* SPDX-License-Identifier: Apache-2.0 */
/* Smooth weighted round robin, as nginx does it, run once in advance: the schedule is one full
 * cycle, and a pick is a step along it. The position is shared by all workers, so the rotation is
 * perfect over the whole process. A target that may not be chosen costs a step of its own: that
 * keeps the others' shares, where "the next one" would get twice as much. */
#include "balancer/pool.h"

#include <stdlib.h>

enum { SCHEDULE_MAX = 4096 };

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* Weights with the same ratios and a small sum: exact when that is possible within SCHEDULE_MAX,
 * else approximate, and everyone keeps at least one slot. Returns the sum. */
static uint32_t scale(const uint32_t *weights, uint32_t *ret_slots, unsigned n)
{
    uint32_t divisor = 0, len = 0;
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        divisor = gcd(divisor, weights[i]);
    for (unsigned i = 0; i < n; i++)
        sum += weights[i] / divisor;
    uint64_t spare = n < SCHEDULE_MAX ? SCHEDULE_MAX - n : 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t w = weights[i] / divisor;
        ret_slots[i] = (uint32_t)(sum <= SCHEDULE_MAX ? w : 1 + w * spare / sum);
        len += ret_slots[i];
    }
    return len;
}

static void fill(struct pool *p, const uint32_t *slots, int64_t *current)
{
    for (uint32_t at = 0; at < p->schedule_len; at++) {
        unsigned best = 0;
        for (unsigned i = 0; i < p->n; i++) {
            current[i] += slots[i];
            if (current[i] > current[best])
                best = i;
        }
        current[best] -= p->schedule_len;
        p->schedule[at] = p->members[best];
    }
}

int schedule_build(struct pool *p, const uint32_t *weights)
{
    uint32_t *slots = calloc(p->n, sizeof(*slots));
    int64_t *current = calloc(p->n, sizeof(*current));
    int result = -1;

    if (!slots || !current)
        goto out;
    p->schedule_len = scale(weights, slots, p->n);
    p->schedule = calloc(p->schedule_len, sizeof(*p->schedule));
    if (!p->schedule)
        goto out;
    if (p->schedule_len == p->n) {
        for (unsigned i = 0; i < p->n; i++)
            p->schedule[i] = p->members[i];
    } else {
        fill(p, slots, current);
    }
    result = 0;
out:
    free(slots);
    free(current);
    return result;
}

int round_robin_pick(const struct pool *p, const struct view *v)
{
    for (unsigned i = 0; i < POOL_TRIES; i++) {
        uint64_t at = atomic_fetch_add_explicit(v->q->cursor, 1, memory_order_relaxed);
        uint32_t target = p->schedule[at % p->schedule_len];

        if (view_accepts_random(v, target))
            return (int)target;
    }
    return POOL_NONE;
}
