/* SPDX-License-Identifier: Apache-2.0 */
/* consul_group_status.c - what is said of services that are made of places. */
#include "base/clock.h"
#include "consul_source_parts.h"

#include <stdio.h>
#include <stdlib.h>

static const struct group *followed(const struct consul_source *s, const char *service)
{
    struct arena *a;
    const struct group *g;

    if (!s->groups[GROUPS_CONFIGURED] && !s->groups[GROUPS_CHAIN])
        return NULL;
    a = arena_new();
    g = group_find(s, consul_key(a, service));
    arena_free(a);
    return g && g->wanted ? g : NULL;
}

bool consul_source_group_status(const struct consul_source *s, const char *service,
                                struct discovery_group_status *ret)
{
    const struct group *g = followed(s, service);

    if (!g)
        return false;
    *ret = (struct discovery_group_status){.nplaces = g->n,
                                           .active = g->failover.active,
                                           .decided = g->failover.decided,
                                           .since_ns = g->failover.since_ns,
                                           .moves = g->failover.moves};
    memcpy(ret->why, g->why, sizeof ret->why);
    return true;
}

static uint64_t suspect_until(const struct group *g, size_t i)
{
    const struct failover_place *p = &g->failover.places[i];

    return failover_is_suspect(p, clock_now_ns()) ? p->suspect_until_ns : 0;
}

bool consul_source_place_status(const struct consul_source *s, const char *service, size_t i,
                                struct discovery_place_status *ret)
{
    const struct group *g = followed(s, service);
    struct discovery_watch_status status = {0};
    const struct group_place *p;
    struct failover_fact fact;

    if (!g || i >= g->n)
        return false;
    p = &g->places[i];
    fact = group_fact(s, p);
    (void)catalog_status(s->places, p->key, &status);
    *ret = (struct discovery_place_status){.usable = fact.usable,
                                           .total = fact.total,
                                           .heard = fact.state == PLACE_HEARD,
                                           .suspect_until_ns = suspect_until(g, i),
                                           .failing = p->service->query.watch.failures > 0,
                                           .index = p->service->query.watch.index,
                                           .answered_ns = p->service->answered_ns,
                                           .changed_ns = status.changed_ns};
    snprintf(ret->label, sizeof ret->label, "%s", p->label);
    snprintf(ret->error, sizeof ret->error, "%s", ret->failing ? p->service->error : "");
    return true;
}

void group_add_doubts(const struct consul_source *s, const struct group *g,
                      struct discovery_watch_status *ret)
{
    for (size_t i = 0; i < g->n; i++) {
        struct discovery_watch_status at = {0};

        if (!catalog_status(s->places, g->places[i].key, &at))
            continue;
        if (ret->held == 0 && at.held > 0) {
            ret->held_why = at.held_why;
            ret->held_since_ns = at.held_since_ns;
            ret->believed_ns = at.believed_ns;
        }
        ret->held += at.held;
        ret->damped += at.damped;
        ret->skipped += at.skipped;
    }
}

static int newest_first(const void *a, const void *b)
{
    const struct discovery_removal *x = a, *y = b;

    return x->at_ns > y->at_ns ? -1 : x->at_ns < y->at_ns;
}

bool consul_source_group_removals(const struct consul_source *s, const char *service,
                                  struct discovery_removal *ret, unsigned *n)
{
    const struct group *g = followed(s, service);
    struct discovery_removal *all;
    unsigned found = 0;

    if (!g)
        return false;
    all = calloc(g->n * *n + 1, sizeof *all);
    if (!all)
        abort();
    for (size_t i = 0; i < g->n; i++)
        found += catalog_removals(s->places, g->places[i].key, all + found, *n);
    qsort(all, found, sizeof *all, newest_first);
    *n = found < *n ? found : *n;
    memcpy(ret, all, *n * sizeof *all);
    free(all);
    return true;
}

unsigned consul_source_accept_places(struct consul_source *s, const char *service)
{
    const struct group *g = service ? followed(s, service) : NULL;
    unsigned n = 0;

    if (!service)
        n = catalog_accept(s->places, NULL, clock_now_ns());
    for (size_t i = 0; g && i < g->n; i++)
        n += catalog_accept(s->places, g->places[i].key, clock_now_ns());
    if (n > 0)
        groups_judge(s);
    return n;
}
