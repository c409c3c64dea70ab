/* SPDX-License-Identifier: Apache-2.0 */
#include "route/fabio_shares.h"

#include <limits.h>

enum { WHOLE = 10000 };

void merge_service_init(struct merge_service *s, const struct fabio_service *from, struct arena *a)
{
    s->set = from->set;
    s->only = from->only;
    s->weights = ARENA_ARRAY(a, uint32_t, from->set->n);
    s->present = ARENA_ARRAY(a, bool, from->set->n);
    s->keys = ARENA_ARRAY(a, uint64_t, from->set->n);
    for (unsigned i = 0; i < from->set->n; i++)
        s->keys[i] = instance_key(&from->set->items[i]);
}

void merge_target_find(struct merge_target *t)
{
    const struct instance_set *set = t->service->set;

    t->at = UINT_MAX;
    for (unsigned i = 0; set && i < set->n && t->at == UINT_MAX; i++)
        if (t->service->keys[i] == t->of->instance)
            t->at = i;
}

/* One that discovery does not know yet is as good as any. */
static bool is_usable(const struct merge_target *t)
{
    return t->at == UINT_MAX || instance_usable(&t->service->set->items[t->at]);
}

/* The same instance twice, by two tags for the same route: the first counts. */
static bool is_again(const struct merge_target *t, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (t[k].of->instance == t[i].of->instance && t[k].service == t[i].service)
            return true;
    return false;
}

/* Most routes have but one service, without a weight: nothing is to be shared out there. */
static bool is_plain(const struct merge_target *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (t[i].service != t[0].service || t[i].weight > 0)
            return false;
    return true;
}

static void find_shares(struct merge_target *t, size_t n)
{
    double fixed = 0, scale = 1, rest = 0;
    size_t equal = 0, usable = 0;

    for (size_t i = 0; i < n; i++)
        usable += is_usable(&t[i]);
    for (size_t i = 0; i < n; i++) {
        t[i].share = -1;
        if ((usable > 0 && !is_usable(&t[i])) || is_again(t, i))
            continue;
        t[i].share = 0;
        fixed += t[i].weight;
        equal += t[i].weight <= 0;
    }
    if (fixed > 1 || (equal == 0 && fixed > 0))
        scale = 1 / fixed;
    if (equal > 0 && fixed < 1)
        rest = (1 - fixed) / (double)equal;
    for (size_t i = 0; i < n; i++)
        if (t[i].share == 0)
            t[i].share = t[i].weight > 0 ? t[i].weight * scale : rest;
}

static uint32_t parts_of(double share)
{
    double parts = share * WHOLE + 0.5;

    return share <= 0 ? 0 : parts < 1 ? 1 : parts > WHOLE ? WHOLE : (uint32_t)parts;
}

static double service_share(const struct merge_target *t, size_t n, const struct merge_service *s)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        if (t[i].service == s && t[i].share > 0)
            sum += t[i].share;
    return sum;
}

static bool is_first_of_service(const struct merge_target *t, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (t[k].service == t[i].service)
            return false;
    return true;
}

static const char *set_targets(struct merge_target *t, size_t n, struct arena *a,
                               struct route_conf *conf)
{
    uint32_t sum = 0;

    conf->targets = ARENA_ARRAY(a, struct target_conf, ROUTE_MAX_TARGETS);
    conf->ntargets = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_first_of_service(t, i))
            continue;
        if (conf->ntargets == ROUTE_MAX_TARGETS)
            return "more than 16 services share this route: the others get nothing";
        uint32_t parts = parts_of(service_share(t, n, t[i].service));
        conf->targets[conf->ntargets++] = (struct target_conf){t[i].service->name, parts};
        sum += parts;
    }
    for (size_t i = 0; i < conf->ntargets; i++)
        if (sum == 0 || conf->ntargets == 1)
            conf->targets[i].weight = 1;
    return NULL;
}

/* The shares of one service's instances, UINT32_MAX = as the catalog has them. False when all are
 * the same. */
static bool find_weights(const struct merge_target *t, size_t n, const struct merge_service *s,
                         uint32_t *weights)
{
    double whole = service_share(t, n, s), first = -1;
    bool same = true;

    for (unsigned i = 0; i < s->set->n; i++)
        weights[i] = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        if (t[i].service != s || t[i].share < 0 || t[i].at == UINT_MAX)
            continue;
        double share = whole > 0 ? t[i].share / whole : 0;

        first = first < 0 ? share : first;
        same = same && share - first < 1e-9 && first - share < 1e-9;
        weights[t[i].at] = parts_of(share);
    }
    return !same;
}

static bool same_weights(const uint32_t *a, const uint32_t *b, unsigned n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

static void weigh_service(const struct merge_target *t, size_t n, size_t i, struct arena *a)
{
    struct merge_service *s = t[i].service;

    if (!s->set)
        return;
    uint32_t *weights = ARENA_ARRAY(a, uint32_t, s->set->n);
    bool weighted = find_weights(t, n, s, weights);
    if (!s->routed) {
        s->routed = true;
        s->weighted = weighted;
        s->weights = weights;
    } else if (!s->conflict && (weighted || s->weighted) &&
               (weighted != s->weighted || !same_weights(weights, s->weights, s->set->n))) {
        s->conflict = t[i].of->tag;
    }
    if (weighted && !s->weighted) {
        s->weighted = true;
        s->weights = weights;
    }
}

const char *fabio_share(struct merge_target *t, size_t n, struct arena *a, struct route_conf *conf)
{
    for (size_t i = 0; i < n; i++)
        if (t[i].at != UINT_MAX)
            t[i].service->present[t[i].at] = true;
    if (is_plain(t, n)) {
        if (t[0].service->weighted)
            t[0].service->conflict = t[0].of->tag;
        t[0].service->routed = true;
        return NULL;
    }
    find_shares(t, n);
    for (size_t i = 0; i < n; i++) {
        t[i].service->health = true;
        if (is_first_of_service(t, i))
            weigh_service(t, n, i, a);
    }
    return set_targets(t, n, a, conf);
}

static bool is_present(const struct merge_service *s)
{
    for (unsigned i = 0; i < s->set->n; i++)
        if (s->present[i])
            return true;
    return false;
}

void fabio_service_weights(const struct merge_service *s, struct arena *a,
                           struct instance_weights *ret)
{
    struct instance_weight *items;
    bool only;

    *ret = (struct instance_weights){NULL, 0};
    if (!s->set)
        return;
    only = s->only && is_present(s);
    items = ARENA_ARRAY(a, struct instance_weight, s->set->n);
    for (unsigned i = 0; i < s->set->n; i++) {
        uint32_t weight = s->weighted ? s->weights[i] : UINT32_MAX;

        if (only && !s->present[i])
            weight = 0;
        if (weight != UINT32_MAX)
            items[ret->n++] = (struct instance_weight){s->keys[i], weight};
    }
    ret->items = items;
}
