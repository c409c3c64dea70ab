/* SPDX-License-Identifier: Apache-2.0 */
/* consul_group.c - services that are made of places: which one is in use, and what readers see. */
#include "base/clock.h"
#include "base/log.h"
#include "consul_source_parts.h"
#include "instances.h"
#include "place.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

static const char *keep(struct arena *a, const char *z)
{
    return z && *z ? arena_strdup(a, z) : NULL;
}

static const char *keep_made(struct arena *a, char *made)
{
    const char *kept = arena_strdup(a, made);

    free(made);
    return kept;
}

static struct group_place copy_place(const struct consul_source *s, const struct group *g,
                                     const struct discovery_place *p)
{
    struct group_place c = {.conf = *p};
    struct discovery_place shown;

    c.conf.service = p->query ? NULL : consul_key(g->arena, p->service);
    c.conf.datacenter = keep(g->arena, p->datacenter);
    c.conf.filter = keep(g->arena, p->filter);
    c.conf.ns = keep(g->arena, p->ns);
    c.conf.partition = keep(g->arena, p->partition);
    c.conf.peer = keep(g->arena, p->peer);
    c.conf.query = keep(g->arena, p->query);
    c.key = keep_made(g->arena, place_key(&c.conf));
    shown = c.conf;
    if (!shown.datacenter)
        shown.datacenter = s->datacenter;
    c.label = keep_made(g->arena, place_label(&shown, g->name));
    return c;
}

static struct group *group_new(const struct consul_source *s, const struct discovery_group *conf)
{
    struct group *g = calloc(1, sizeof *g);

    if (!g)
        abort();
    g->arena = arena_new();
    g->name = consul_key(g->arena, conf->name);
    g->n = conf->n;
    g->places = ARENA_ARRAY(g->arena, struct group_place, conf->n);
    g->options = (struct failover_options){conf->min_healthy, conf->fail_back_ms};
    g->on_breaker = conf->on_breaker;
    for (size_t i = 0; i < g->n; i++)
        g->places[i] = copy_place(s, g, &conf->places[i]);
    failover_init(&g->failover, g->n);
    return g;
}

static void group_free(struct group *g)
{
    instance_set_unref(&g->shown);
    failover_release(&g->failover);
    arena_free(g->arena);
    free(g);
}

static bool same_places(const struct group *a, const struct group *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->places[i].key, b->places[i].key) != 0)
            return false;
    return true;
}

/* `g` goes on where `old`, defined in the same way, was. */
static void take_state(struct group *g, struct group *old)
{
    struct failover fresh = g->failover;

    g->failover = old->failover;
    old->failover = fresh;
    g->shown = old->shown;
    old->shown = NULL;
    memcpy(g->why, old->why, sizeof g->why);
}

void consul_source_set_groups(struct consul_source *s, enum group_origin origin,
                              const struct discovery_group *groups, size_t n)
{
    struct group *before = s->groups[origin], *g, *old, *tmp;

    s->groups[origin] = NULL;
    for (size_t i = 0; i < n; i++) {
        g = group_new(s, &groups[i]);
        HASH_FIND_STR(s->groups[origin], g->name, old);
        if (old || g->n == 0) {
            group_free(g);
            continue;
        }
        HASH_FIND_STR(before, g->name, old);
        if (old && same_places(g, old))
            take_state(g, old);
        HASH_ADD_KEYPTR(hh, s->groups[origin], g->name, strlen(g->name), g);
    }
    HASH_ITER(hh, before, g, tmp)
    {
        HASH_DEL(before, g);
        g->wanted = false;
        g->hh.next = s->old_groups;
        s->old_groups = g;
    }
    consul_source_review(s);
}

struct group *group_find(const struct consul_source *s, const char *name)
{
    struct group *g = NULL;

    for (int origin = 0; origin < GROUP_ORIGINS && !g; origin++)
        HASH_FIND_STR(s->groups[origin], name, g);
    return g;
}

void groups_unmark(struct consul_source *s)
{
    for (int origin = 0; origin < GROUP_ORIGINS; origin++)
        for (struct group *g = s->groups[origin]; g; g = g->hh.next)
            g->wanted = false;
}

void group_want(struct consul_source *s, struct group *g)
{
    if (g->wanted)
        return;
    g->wanted = true;
    catalog_watch(s->catalog, g->name);
    for (size_t i = 0; i < g->n; i++) {
        struct service *v;

        HASH_FIND_STR(s->services, g->places[i].key, v);
        if (!v) {
            v = service_add_place(s, &g->places[i]);
            query_kick(&v->query);
        }
        v->wanted = true;
        g->places[i].service = v;
    }
}

/* It fails while the agent answers in general: there may never be an answer. */
static bool is_absent(const struct consul_source *s, const struct service *v)
{
    return v->query.watch.failures > 0 && !v->agent_away && (s->lead.heard || s->lead.doubted) &&
           s->lead.query.watch.failures == 0;
}

struct failover_fact group_fact(const struct consul_source *s, const struct group_place *p)
{
    const struct instance_set *set = catalog_find(s->places, p->key);
    struct discovery_watch_status status = {0};
    struct failover_fact fact = {.total = set ? set->n : 0};

    for (unsigned i = 0; set && i < set->n; i++)
        fact.usable += instance_usable(&set->items[i]);
    (void)catalog_status(s->places, p->key, &status);
    fact.state = status.answered_ns         ? PLACE_HEARD
                 : is_absent(s, p->service) ? PLACE_ABSENT
                                            : PLACE_SILENT;
    return fact;
}

static void describe(FILE *f, const struct group *g, size_t i, const struct failover_fact *fact)
{
    const struct group_place *p = &g->places[i];

    if (failover_is_suspect(&g->failover.places[i], clock_now_ns()))
        fprintf(f, "%s: requests to it failed", p->label);
    else if (p->service->query.watch.failures > 0 && (p->service->refused || fact->total == 0))
        fprintf(f, "%s: %s", p->label, p->service->error);
    else if (fact->state != PLACE_HEARD)
        fprintf(f, "%s: not heard yet", p->label);
    else if (fact->total == 0)
        fprintf(f, "%s: no instance", p->label);
    else
        fprintf(f, "%s: %u of %u healthy", p->label, fact->usable, fact->total);
}

/* Why the active place is the active one now. */
static void explain(struct group *g, const struct failover_fact *facts, size_t before, bool first)
{
    const struct failover *o = &g->failover;
    bool enough = failover_enough(&facts[o->active], g->options.min_healthy);
    bool back = !first && o->active < before;
    FILE *f = fmemopen(g->why, sizeof g->why, "w");

    if (!f)
        abort();
    if (!enough)
        fputs("no place has enough; ", f);
    if (!enough || back)
        describe(f, g, o->active, &facts[o->active]);
    else if (o->active == 0)
        fputs("preferred", f);
    if (enough && back)
        fputs(" again", f);
    for (size_t i = 0; i < o->active && !back; i++) {
        fputs(i == 0 && enough ? "" : "; ", f);
        describe(f, g, i, &facts[i]);
    }
    if (back && failover_is_suspect(&o->places[before], clock_now_ns())) {
        fputs("; ", f);
        describe(f, g, before, &facts[before]);
    }
    fclose(f);
    g->why[sizeof g->why - 1] = '\0';
}

static void tell_move(const struct group *g, size_t before, bool first)
{
    size_t now = g->failover.active;

    if (first && now == 0)
        log_debug("discovery", "service=%s: %s is used", g->name, g->places[0].label);
    else if (first)
        log_warn("discovery", "service=%s: %s is used in place of %s: %s", g->name,
                 g->places[now].label, g->places[0].label, g->why);
    else if (now < before)
        log_info("discovery", "service=%s: goes back from %s to %s: %s", g->name,
                 g->places[before].label, g->places[now].label, g->why);
    else
        log_warn("discovery", "service=%s: fails over from %s to %s: %s", g->name,
                 g->places[before].label, g->places[now].label, g->why);
}

static void show(struct consul_source *s, struct group *g, uint64_t now_ns)
{
    struct instance_set *set = catalog_find(s->places, g->places[g->failover.active].key);

    if (!set || set == g->shown)
        return;
    instance_set_unref(&g->shown);
    g->shown = instance_set_ref(set);
    catalog_show(s->catalog, g->name, instance_set_named(set, g->name), now_ns);
    source_touch(s);
}

static void judge(struct consul_source *s, struct group *g)
{
    struct failover *o = &g->failover;
    struct failover_fact *facts = calloc(g->n, sizeof *facts);
    size_t before = o->active;
    bool first = !o->decided;
    uint64_t now = clock_now_ns();

    if (!facts)
        abort();
    for (size_t i = 0; i < g->n; i++)
        facts[i] = group_fact(s, &g->places[i]);
    if (failover_judge(o, &g->options, facts, now)) {
        explain(g, facts, before, first);
        tell_move(g, before, first);
    }
    if (o->decided)
        show(s, g, now);
    free(facts);
}

static void arm(struct consul_source *s)
{
    uint64_t next = 0, now = clock_now_ns(), left_ms;
    struct timeval tv;

    for (int origin = 0; origin < GROUP_ORIGINS; origin++)
        for (const struct group *g = s->groups[origin]; g; g = g->hh.next)
            if (g->wanted && g->failover.next_ns && (next == 0 || g->failover.next_ns < next))
                next = g->failover.next_ns;
    if (next == 0) {
        evtimer_del(s->fail_back);
        return;
    }
    left_ms = next > now ? (next - now) / NS_PER_MS + 1 : 1;
    tv.tv_sec = (time_t)(left_ms / 1000);
    tv.tv_usec = (suseconds_t)(left_ms % 1000) * 1000;
    evtimer_add(s->fail_back, &tv);
}

void groups_judge(struct consul_source *s)
{
    for (int origin = 0; origin < GROUP_ORIGINS; origin++)
        for (struct group *g = s->groups[origin]; g; g = g->hh.next)
            if (g->wanted)
                judge(s, g);
    arm(s);
}

static bool has_place(const struct group *g, const struct service *place)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->places[i].service == place)
            return true;
    return false;
}

void consul_source_suspect(struct consul_source *s, const char *service)
{
    struct arena *a = arena_new();
    struct group *g = group_find(s, consul_key(a, service));

    arena_free(a);
    if (!g || !g->wanted || !g->on_breaker)
        return;
    failover_suspect(&g->failover, &g->options, clock_now_ns());
    judge(s, g);
    arm(s);
}

void groups_note(struct consul_source *s, const struct service *place)
{
    for (int origin = 0; origin < GROUP_ORIGINS; origin++)
        for (struct group *g = s->groups[origin]; g; g = g->hh.next)
            if (g->wanted && has_place(g, place))
                judge(s, g);
    arm(s);
}

/* Readers see it no longer, unless there is something else of its name. */
static void leave(struct consul_source *s, struct group *g)
{
    const struct group *other = group_find(s, g->name);
    const struct service *v;

    for (size_t i = 0; i < g->n; i++)
        g->places[i].service = NULL;
    instance_set_unref(&g->shown);
    HASH_FIND_STR(s->services, g->name, v);
    if (!v && !(other && other->wanted))
        catalog_unwatch(s->catalog, g->name, false, clock_now_ns());
}

static void free_old(struct consul_source *s, bool leaving)
{
    while (s->old_groups) {
        struct group *g = s->old_groups;

        s->old_groups = g->hh.next;
        if (leaving)
            leave(s, g);
        group_free(g);
    }
}

void groups_settle(struct consul_source *s)
{
    free_old(s, true);
    for (int origin = 0; origin < GROUP_ORIGINS; origin++)
        for (struct group *g = s->groups[origin]; g; g = g->hh.next)
            if (!g->wanted)
                leave(s, g);
    groups_judge(s);
}

static void on_fail_back(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    groups_judge(arg);
}

void groups_start(struct consul_source *s, struct event_base *base)
{
    list_init(&s->place_list);
    s->fail_back = evtimer_new(base, on_fail_back, s);
    if (!s->fail_back)
        abort();
}

void groups_release(struct consul_source *s)
{
    struct group *g, *tmp;

    free_old(s, false);
    for (int origin = 0; origin < GROUP_ORIGINS; origin++) {
        HASH_ITER(hh, s->groups[origin], g, tmp)
        {
            HASH_DEL(s->groups[origin], g);
            group_free(g);
        }
    }
    event_free(s->fail_back);
}
