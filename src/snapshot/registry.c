/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/registry.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "snapshot/tell.h"
#include "tls/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

const double latency_bounds[LATENCY_BUCKETS - 1] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

static const uint64_t keep_absent_ns = 600 * NS_PER_S;
static const uint64_t sweep_every_ns = 10 * NS_PER_S;
static const uint64_t look_at_files_ns = 2 * NS_PER_S;

struct service_entry {
    struct service_state state;
    UT_hash_handle hh;
};

struct instance_entry {
    struct instance_state state;
    UT_hash_handle hh;
};

struct registry {
    unsigned nworkers;
    struct journal *journal;          /* owned */
    struct tls_clients *tls;          /* owned */
    uint64_t files_due_ns;            /* when its files are looked at next */
    uint64_t sweep_due_ns;            /* when absent instances are looked for next */
    struct list services_ticking;     /* service_state.ticking of those that are forced */
    struct list instances_ticking;    /* instance_state.ticking of those that are held */
    struct service_entry *services;   /* hash by name; owned */
    struct instance_entry *instances; /* hash by key; owned */
    uint32_t nservice_slots;
    uint32_t ninstance_slots;
    uint32_t *free_slots; /* of instances; owned */
    uint32_t nfree_slots, cap_free_slots;
};

struct registry *registry_new(unsigned nworkers)
{
    struct registry *r = alloc_or_abort(sizeof *r);

    r->nworkers = nworkers;
    r->journal = journal_new();
    r->tls = tls_clients_new();
    list_init(&r->services_ticking);
    list_init(&r->instances_ticking);
    return r;
}

static void service_entry_free(struct service_entry *e)
{
    breaker_free(e->state.breaker);
    outlier_group_release(&e->state.outliers);
    adaptive_release(&e->state.adaptive);
    history_release(&e->state.history);
    free(e->state.stats);
    free((char *)e->state.name);
    free(e);
}

static void instance_entry_free(struct instance_entry *e)
{
    outlier_release(&e->state.outlier);
    history_release(&e->state.history);
    list_remove(&e->state.ticking);
    free((char *)e->state.key);
    free((char *)e->state.node);
    free((char *)e->state.id);
    free(e);
}

void registry_free(struct registry *r)
{
    struct instance_entry *i, *inext;
    struct service_entry *s, *snext;

    if (!r)
        return;
    HASH_ITER(hh, r->instances, i, inext)
    {
        HASH_DEL(r->instances, i);
        instance_entry_free(i);
    }
    HASH_ITER(hh, r->services, s, snext)
    {
        HASH_DEL(r->services, s);
        service_entry_free(s);
    }
    journal_free(r->journal);
    tls_clients_free(r->tls);
    free(r->free_slots);
    free(r);
}

static void on_transition(void *arg, const struct breaker_change *c)
{
    tell_breaker(arg, c);
}

static struct breaker_options breaker_options_of(const struct service_conf *c)
{
    return (struct breaker_options){
        .enabled = c->breaker.enabled,
        .shadow = c->breaker.shadow,
        .failure_percent = c->breaker.failure_rate,
        .slow_percent = c->breaker.slow_rate,
        .slow_ns = c->breaker.slow_ms * NS_PER_MS,
        .minimum_requests = c->breaker.minimum_requests,
        .window_ns = c->breaker.window_ms * NS_PER_MS,
        .open_ns = c->breaker.open_for_ms * NS_PER_MS,
        .max_open_ns = c->breaker.max_open_ms * NS_PER_MS,
        .half_open_requests = c->breaker.half_open_requests,
    };
}

static struct outlier_options outlier_options_of(const struct service_conf *c)
{
    return (struct outlier_options){
        .enabled = c->outlier.enabled,
        .consecutive_failures = c->outlier.consecutive_failures,
        .failure_percent = c->outlier.failure_rate,
        .minimum_requests = c->outlier.minimum_requests,
        .window_ns = c->outlier.window_ms * NS_PER_MS,
        .base_ejection_ns = c->outlier.base_ejection_ms * NS_PER_MS,
        .max_ejection_ns = c->outlier.max_ejection_ms * NS_PER_MS,
        .max_ejected_percent = c->outlier.max_ejected,
    };
}

struct service_state *registry_find(struct registry *r, const char *name)
{
    struct service_entry *e;

    HASH_FIND_STR(r->services, name, e);
    return e ? &e->state : NULL;
}

struct service_state *registry_service(struct registry *r, const char *name)
{
    /* Trips by nothing. */
    static const struct breaker_options no_breaker = {.enabled = true, .window_ns = 10 * NS_PER_S};
    static const struct outlier_options no_outlier = {.window_ns = 10 * NS_PER_S};
    struct service_state *s = registry_find(r, name);
    struct service_entry *e;

    if (s)
        return s;
    e = alloc_or_abort(sizeof *e);
    s = &e->state;
    s->registry = r;
    s->journal = r->journal;
    s->slot = r->nservice_slots++;
    s->name = strdup(name);
    s->nworkers = r->nworkers;
    s->stats = alloc_or_abort(sizeof *s->stats * r->nworkers);
    s->breaker = breaker_new(&no_breaker, clock_now_ns());
    if (!s->name || !s->breaker)
        abort();
    history_init(&s->history);
    list_init(&s->ticking);
    outlier_group_init(&s->outliers, &no_outlier);
    limit_init(&s->limit, 0, 0);
    adaptive_init(&s->adaptive, &s->limit);
    retry_budget_init(&s->budget, 20, 10);
    HASH_ADD_KEYPTR(hh, r->services, s->name, strlen(s->name), e);
    return s;
}

static void configure_limit(struct service_state *s, const struct service_conf *conf)
{
    const struct adaptive_conf *c = &conf->adaptive;
    uint64_t now_ns = clock_now_ns();
    struct adaptive_options o = {
        .enabled = c->enabled,
        .minimum = c->minimum,
        .maximum = c->maximum,
        .initial = c->initial,
        .tolerance_percent = c->tolerance_percent,
        .wall_offset_ns = clock_wall_ms() * (int64_t)NS_PER_MS - (int64_t)now_ns,
    };

    if (c->enabled)
        limit_configure_queue(&s->limit, conf->queue);
    adaptive_configure(&s->adaptive, &o, now_ns);
    if (!c->enabled)
        limit_configure(&s->limit, conf->max_requests, conf->queue);
}

void registry_configure(struct service_state *s, const struct service_conf *conf)
{
    struct breaker_options breaker = breaker_options_of(conf);
    struct outlier_options outlier = outlier_options_of(conf);

    breaker_configure(s->breaker, &breaker);
    breaker_tick(s->breaker, clock_now_ns());
    if (!s->configured)
        breaker_watch(s->breaker, on_transition, s); /* how it begins is no transition */
    s->configured = true;
    outlier_group_configure(&s->outliers, &outlier);
    configure_limit(s, conf);
    retry_budget_configure(&s->budget, conf->retries.budget_percent,
                           conf->retries.budget_min_per_s);
}

static uint32_t take_slot(struct registry *r)
{
    return r->nfree_slots ? r->free_slots[--r->nfree_slots] : r->ninstance_slots++;
}

static void give_slot(struct registry *r, uint32_t slot)
{
    if (r->nfree_slots == r->cap_free_slots) {
        r->cap_free_slots = r->cap_free_slots ? r->cap_free_slots * 2 : 64;
        r->free_slots = realloc(r->free_slots, r->cap_free_slots * sizeof *r->free_slots);
        if (!r->free_slots)
            abort();
    }
    r->free_slots[r->nfree_slots++] = slot;
}

struct instance_state *registry_instance(struct registry *r, struct service_state *s,
                                         const struct instance *i)
{
    char *key;
    struct instance_entry *e;

    if (asprintf(&key, "%s|%s/%s/%s:%u", s->name, i->node, i->id, i->address, i->port) < 0)
        abort();
    HASH_FIND_STR(r->instances, key, e);
    if (e) {
        free(key);
        return &e->state;
    }
    e = alloc_or_abort(sizeof *e);
    e->state.refs = 1;
    e->state.slot = take_slot(r);
    e->state.service = s;
    e->state.key = key;
    e->state.node = strdup(i->node);
    e->state.id = strdup(i->id);
    if (!e->state.node || !e->state.id)
        abort();
    history_init(&e->state.history);
    list_init(&e->state.ticking);
    outlier_init(&e->state.outlier, &s->outliers, &e->state.load);
    HASH_ADD_KEYPTR(hh, r->instances, e->state.key, strlen(e->state.key), e);
    return &e->state;
}

uint32_t registry_slots(const struct registry *r)
{
    return r->nservice_slots;
}

struct tls_clients *registry_tls(struct registry *r)
{
    return r->tls;
}

bool instance_state_error(struct instance_state *i, const char *text)
{
    bool other;

    pthread_mutex_lock(&i->history.lock);
    other = strncmp(i->last_error, text, sizeof i->last_error - 1) != 0;
    tell_copy(i->last_error, sizeof i->last_error, text);
    pthread_mutex_unlock(&i->history.lock);
    return other;
}

struct journal *registry_journal(struct registry *r)
{
    return r->journal;
}

void registry_watch_service(struct service_state *s)
{
    if (list_empty(&s->ticking))
        list_push_back(&s->registry->services_ticking, &s->ticking);
}

void registry_watch_instance(struct instance_state *i)
{
    if (list_empty(&i->ticking))
        list_push_back(&i->service->registry->instances_ticking, &i->ticking);
}

void registry_each_instance(struct service_state *s,
                            void (*fn)(struct instance_state *i, const void *arg, uint64_t now_ns),
                            const void *arg, uint64_t now_ns)
{
    struct instance_entry *e, *next;

    HASH_ITER(hh, s->registry->instances, e, next)
    if (e->state.service == s && atomic_load_explicit(&e->state.present, memory_order_relaxed))
        fn(&e->state, arg, now_ns);
}

static void tick_service(struct service_state *s, uint64_t now_ns)
{
    struct breaker_info info;

    if (now_ns < s->forced.until_ns) /* written by this thread alone */
        return;
    breaker_info(s->breaker, now_ns, &info); /* tells the time as breaker_tick() does */
    if (!info.forced)
        list_remove(&s->ticking);
}

/* What is held is written by this thread alone. */
static void tick_instance(struct instance_state *i, uint64_t now_ns)
{
    struct instance_change c = {
        .from = i->outlier.held == OUTLIER_OUT ? OUTLIER_HELD_OUT : OUTLIER_HELD_IN,
        .cause = breaker_cause_name(BREAKER_BY_EXPIRY),
        .by_operator = true,
        .expired = true,
        .last = REASON_NONE,
    };
    struct outlier_info after;

    if (outlier_tick(&i->outlier, now_ns)) {
        outlier_info(&i->outlier, now_ns, &after);
        c.to = after.state;
        tell_instance(i, &c, now_ns);
    }
    if (i->outlier.held == OUTLIER_AUTO)
        list_remove(&i->ticking);
}

void registry_tell_instance(struct instance_state *i, enum outlier_event e, enum reason why,
                            uint64_t now_ns)
{
    struct outlier *o = &i->outlier;
    struct instance_change c = {.last = why};
    struct outlier_info info;

    if (e == OUTLIER_NOTHING)
        return;
    if (e == OUTLIER_RESTORED) {
        c.from = OUTLIER_ON_PROBATION;
        c.to = OUTLIER_IN_ROTATION;
        c.cause = breaker_cause_name(BREAKER_BY_PROBES_PASSED);
    } else {
        outlier_info(o, now_ns, &info);
        c.from = info.cause == OUTLIER_PROBATION ? OUTLIER_ON_PROBATION : OUTLIER_IN_ROTATION;
        c.to = OUTLIER_IS_EJECTED;
        c.cause = outlier_cause_name(info.cause);
        c.total = info.cause_total;
        c.failed = info.cause_failed;
        c.window_ms = info.cause == OUTLIER_RATE ? window_length(&o->window) / NS_PER_MS : 0;
        c.until_ns = info.until_ns;
    }
    tell_instance(i, &c, now_ns);
}

void registry_tick(struct registry *r, uint64_t now_ns)
{
    list_each_safe(at, next, &r->services_ticking)
        tick_service(CONTAINER_OF(at, struct service_state, ticking), now_ns);
    list_each_safe(at, next, &r->instances_ticking)
        tick_instance(CONTAINER_OF(at, struct instance_state, ticking), now_ns);
    if (now_ns < r->files_due_ns)
        return;
    r->files_due_ns = now_ns + look_at_files_ns;
    tls_clients_refresh(r->tls);
}

void registry_sweep(struct registry *r, uint64_t now_ns)
{
    struct instance_entry *e, *next;

    if (now_ns < r->sweep_due_ns)
        return;
    r->sweep_due_ns = now_ns + sweep_every_ns;
    HASH_ITER(hh, r->instances, e, next)
    {
        struct instance_state *i = &e->state;

        if (atomic_load_explicit(&i->present, memory_order_relaxed) || !list_empty(&i->ticking))
            continue;
        if (i->absent_since_ns == 0)
            i->absent_since_ns = now_ns;
        /* refs == 1: only the registry itself still knows it, so no worker can come by. */
        if (now_ns - i->absent_since_ns < keep_absent_ns ||
            atomic_load_explicit(&i->refs, memory_order_acquire) != 1)
            continue;
        HASH_DEL(r->instances, e);
        give_slot(r, i->slot);
        instance_entry_free(e);
    }
}

struct instance_state *instance_state_ref(struct instance_state *i)
{
    atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
    return i;
}

void instance_state_unref(struct instance_state **ip)
{
    struct instance_state *i = *ip;

    *ip = NULL;
    if (i)
        atomic_fetch_sub_explicit(&i->refs, 1, memory_order_release);
}
