/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/balancer.h"

#include "balancer/pool.h"

#include <stdlib.h>
#include <string.h>

static const char *const policy_names[] = {
    [BALANCE_ROUND_ROBIN] = "round_robin",
    [BALANCE_LEAST_REQUEST] = "least_request",
    [BALANCE_PEAK_EWMA] = "peak_ewma",
    [BALANCE_RANDOM] = "random",
    [BALANCE_CONSISTENT_HASH] = "consistent_hash",
};

int balance_policy_parse(const char *word)
{
    for (unsigned i = 0; i < ARRAY_LEN(policy_names); i++) {
        if (strcmp(policy_names[i], word) == 0)
            return (int)i;
    }
    return -1;
}

const char *balance_policy_name(enum balance_policy p)
{
    return policy_names[p];
}

static bool usable(const struct balance_target *t)
{
    return t->usable;
}

static bool usable_preferred(const struct balance_target *t)
{
    return t->usable && t->tier == 0;
}

static bool known(const struct balance_target *t)
{
    return t->usable || t->fallback;
}

static int precompute(struct pool *p, const struct balancer *b, const uint32_t *weights)
{
    switch (b->options.policy) {
    case BALANCE_ROUND_ROBIN:
    case BALANCE_LEAST_REQUEST:
    case BALANCE_PEAK_EWMA:
        return schedule_build(p, weights);
    case BALANCE_CONSISTENT_HASH:
        return maglev_build(p, weights, b->targets);
    case BALANCE_RANDOM:
        break;
    }
    return 0;
}

static int pool_init(struct pool *p, const struct balancer *b,
                     bool (*belongs)(const struct balance_target *t))
{
    uint32_t *weights = calloc(b->n + 1, sizeof(*weights));
    uint64_t sum = 0;
    int result = -1;

    p->members = calloc(b->n + 1, sizeof(*p->members));
    p->cumulative = calloc(b->n + 1, sizeof(*p->cumulative));
    if (weights && p->members && p->cumulative) {
        for (unsigned i = 0; i < b->n; i++) {
            if (!belongs(&b->targets[i]))
                continue;
            sum += b->targets[i].weight;
            p->members[p->n] = i;
            weights[p->n] = b->targets[i].weight;
            p->cumulative[p->n++] = sum;
        }
        result = p->n ? precompute(p, b, weights) : 0;
    }
    free(weights);
    return result;
}

static void pool_release(struct pool *p)
{
    free(p->members);
    free(p->cumulative);
    free(p->schedule);
    free(p->table);
}

static void copy_targets(struct balancer *b, const struct balance_target *targets)
{
    for (unsigned i = 0; i < b->n; i++) {
        struct balance_target *t = &b->targets[i];

        *t = targets[i];
        /* Consul's weight 0 takes no requests; in panic it has to count as something. */
        t->usable = t->usable && t->weight > 0;
        t->weight = t->weight ? t->weight : 1;
        b->known += known(t);
        b->known_preferred += known(t) && t->tier == 0;
    }
}

struct balancer *balancer_new(const struct balance_options *o, const struct balance_target *targets,
                              unsigned n)
{
    struct balancer *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->options = *o;
    b->n = n;
    b->targets = calloc(n + 1, sizeof(*b->targets));
    if (!b->targets)
        goto failed;
    copy_targets(b, targets);
    if (pool_init(&b->usable, b, usable) < 0)
        goto failed;
    if (b->known_preferred < b->known && pool_init(&b->preferred, b, usable_preferred) < 0)
        goto failed;
    if (o->panic_percent > 0 && pool_init(&b->panic, b, known) < 0)
        goto failed;
    return b;
failed:
    balancer_free(b);
    return NULL;
}

void balancer_free(struct balancer *b)
{
    if (!b)
        return;
    pool_release(&b->preferred);
    pool_release(&b->usable);
    pool_release(&b->panic);
    free(b->targets);
    free(b);
}

static bool ejected(const struct instance_load *l, uint64_t now_ns)
{
    return GET(&l->ejected_until_ns) > now_ns;
}

/* Ejected by the detector; panic mode looks past that, but not past an operator's word. */
static bool out(const struct view *v, const struct instance_load *l)
{
    return ejected(l, v->q->now_ns) && (!v->panic || GET(&l->held_out));
}

static bool full(const struct instance_load *l)
{
    uint32_t max = GET(&l->max_in_flight);

    return max > 0 && GET(&l->in_flight) >= max;
}

/* After its ejection it gets one request at a time: this one is out. */
static bool probation_taken(const struct instance_load *l, uint64_t now_ns)
{
    return GET(&l->on_probation) && GET(&l->probing) && !ejected(l, now_ns);
}

static bool tried(const struct balance_query *q, const struct instance_load *l)
{
    for (unsigned i = 0; i < q->ntried && i < BALANCE_MAX_TRIED; i++) {
        if (q->tried[i] == l)
            return true;
    }
    return false;
}

static bool avoided(const struct view *v, const struct instance_load *l)
{
    if (!GET(&l->doubted))
        return false;
    return (v->q->avoid_doubted && !v->lenient) || GET(&l->refused_until_ns) > v->q->now_ns;
}

static bool fits_but_for_limit(const struct view *v, const struct instance_load *l)
{
    return !out(v, l) && !avoided(v, l) && !probation_taken(l, v->q->now_ns) &&
           (v->revisit || !tried(v->q, l));
}

bool view_may(const struct view *v, uint32_t target)
{
    const struct instance_load *l = v->b->targets[target].load;

    return fits_but_for_limit(v, l) && !full(l);
}

double view_ramp(const struct view *v, uint32_t target)
{
    uint64_t length_ns = v->b->options.slow_start_ns;

    if (length_ns == 0)
        return 1;
    uint64_t since_ns = GET(&v->b->targets[target].load->usable_since_ns), now_ns = v->q->now_ns;
    uint64_t age_ns = now_ns > since_ns ? now_ns - since_ns : 0;
    bool warm = since_ns == 0 || age_ns >= length_ns; /* 0: nobody has said when */
    return warm ? 1 : 0.1 + 0.9 * (double)age_ns / (double)length_ns;
}

bool view_accepts(const struct view *v, uint32_t target, double coin)
{
    return view_may(v, target) && coin < view_ramp(v, target);
}

bool view_accepts_random(const struct view *v, uint32_t target)
{
    return view_may(v, target) &&
           (v->b->options.slow_start_ns == 0 || rng_double(v->q->rng) < view_ramp(v, target));
}

/* When a policy has found nothing in a few tries: one of all that may be chosen, at random by
 * weight (reservoir sampling, Chao 1982). Slow start lowers a weight here and excludes nobody. */
static int pool_scan(const struct pool *p, struct view *v)
{
    int chosen = POOL_NONE;
    double sum = 0;

    for (unsigned i = 0; i < p->n; i++) {
        uint32_t target = p->members[i];
        double weight = v->b->targets[target].weight * view_ramp(v, target);

        if (!fits_but_for_limit(v, v->b->targets[target].load))
            continue;
        if (full(v->b->targets[target].load)) {
            v->any_full = true;
            continue;
        }
        sum += weight;
        if (chosen == POOL_NONE || rng_double(v->q->rng) * sum < weight)
            chosen = (int)target;
    }
    return chosen;
}

static int by_policy(const struct pool *p, const struct view *v)
{
    switch (v->b->options.policy) {
    case BALANCE_ROUND_ROBIN:
        return round_robin_pick(p, v);
    case BALANCE_LEAST_REQUEST:
        return least_request_pick(p, v);
    case BALANCE_PEAK_EWMA:
        return peak_ewma_pick(p, v);
    case BALANCE_RANDOM:
        return random_pick(p, v);
    case BALANCE_CONSISTENT_HASH:
        return maglev_pick(p, v);
    }
    return POOL_NONE;
}

static int pick_from(const struct pool *p, struct view *v)
{
    if (p->n == 0)
        return POOL_NONE;
    int target = by_policy(p, v);
    return target == POOL_NONE ? pool_scan(p, v) : target;
}

/* Are at least `percent` of `all` members of the pool in rotation? Stops as soon as it knows. */
static bool enough_in_rotation(const struct balancer *b, const struct pool *p, unsigned all,
                               uint32_t percent, uint64_t now_ns)
{
    uint64_t needed = ((uint64_t)all * percent + 99) / 100, found = 0;

    if (p->n < needed)
        return false;
    for (unsigned i = 0; i < p->n && found < needed; i++)
        found += !ejected(b->targets[p->members[i]].load, now_ns);
    return found >= needed;
}

bool balancer_in_panic(const struct balancer *b, uint64_t now_ns)
{
    uint32_t percent = b->options.panic_percent;

    return percent > 0 && b->known > 0 &&
           !enough_in_rotation(b, &b->usable, b->known, percent, now_ns);
}

static bool prefers_tier(const struct balancer *b, uint64_t now_ns)
{
    uint32_t percent = b->options.tier_min_percent;

    return b->preferred.n > 0 &&
           enough_in_rotation(b, &b->preferred, b->known_preferred, percent ? percent : 1, now_ns);
}

unsigned balancer_available(const struct balancer *b, uint64_t now_ns)
{
    const struct balance_query q = {.now_ns = now_ns};
    const struct view v = {.b = b, .q = &q};
    unsigned n = 0;

    for (unsigned i = 0; i < b->usable.n; i++)
        n += view_may(&v, b->usable.members[i]);
    return n;
}

/* POOL_NONE when there is none. */
static int pick(const struct balancer *b, struct view *v)
{
    int target = POOL_NONE;

    if (v->panic) {
        target = pick_from(&b->panic, v);
        if (target == POOL_NONE && v->q->ntried > 0) {
            v->revisit = true;
            target = pick_from(&b->panic, v);
        }
        return target;
    }
    if (prefers_tier(b, v->q->now_ns))
        target = pick_from(&b->preferred, v);
    return target == POOL_NONE ? pick_from(&b->usable, v) : target;
}

enum balance_verdict balancer_pick(const struct balancer *b, const struct balance_query *q,
                                   unsigned *ret_index)
{
    struct view v = {.b = b, .q = q, .panic = balancer_in_panic(b, q->now_ns)};
    int target;

    if (!v.panic && b->usable.n == 0)
        return BALANCE_NONE;
    target = pick(b, &v);
    if (target == POOL_NONE && q->avoid_doubted) {
        v.lenient = true;
        target = pick(b, &v);
    }
    if (target == POOL_NONE)
        return v.any_full ? BALANCE_FULL : BALANCE_EXHAUSTED;
    *ret_index = (unsigned)target;
    return BALANCE_OK;
}
