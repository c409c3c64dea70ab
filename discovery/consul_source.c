/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_source.h"
#include "age.h"
#include "base/clock.h"
#include "base/log.h"
#include "consul_http.h"
#include "consul_source_parts.h"
#include "keeper.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEPT_FOR_POLLS = 16, /* connections over HTTP/1.1 beside those of the slots */
    SWEEP_MS_A_POLL = 2, /* at most 500 polls a second for wakes of the whole list */
};

static void check_changed(void *arg, const char *service);
static void on_good_token(void *arg)
{
    struct consul_source *s = arg;

    if (s->lead.query.watch.failures > 0)
        query_kick(&s->lead.query);
    source_kick_failing(s);
}

static void checks_outcome(void *arg, const struct query_outcome *o);

void source_touch(struct consul_source *s)
{
    s->touched(s->arg);
}

static uint64_t wait_for(const struct consul_source *s)
{
    uint64_t spread = HASH_COUNT(s->services) * 1000ull / 20;

    /* No more than 20 blocking queries end by time in a second. */
    return s->multiplexed && spread > s->wait_ms ? spread : s->wait_ms;
}

static void share_slot(struct consul_source *s, struct service *v, unsigned *used)
{
    bool was_polled = v->query.options.polled;

    v->query.options.polled = !s->multiplexed && *used >= s->slots.n;
    v->query.options.wait_ms = wait_for(s);
    *used += !v->query.options.polled || v->query.blocking;
    s->npolled += v->query.options.polled;
    if (was_polled && !v->query.options.polled)
        query_kick(&v->query);
}

/* Queries that have ended, but not for the agent: over HTTP/1.1 it keeps their connections until
 * their wait is over. */
static unsigned still_blocked(const struct consul_source *s)
{
    unsigned n = 0;

    list_each(l, &s->ending) n += CONTAINER_OF(l, struct service, link)->query.blocking;
    return n;
}

/* Gives the slots to the first services, in no particular order but stable. Places come before
 * all, because nothing else tells of changes in another datacenter. */
static void share_slots(struct consul_source *s)
{
    unsigned used = still_blocked(s);

    s->npolled = 0;
    list_each(l, &s->place_list)
    {
        struct service *v = CONTAINER_OF(l, struct service, place_link);

        if (!v->query.options.no_index)
            share_slot(s, v, &used);
    }
    for (struct service *v = s->services; v; v = v->hh.next)
        if (list_empty(&v->place_link))
            share_slot(s, v, &used);
    consul_http_expect(s->http, HASH_COUNT(s->services) + 1);
    consul_http_keep(s->http, used + KEPT_FOR_POLLS);
    if (s->npolled > 0 && !s->critical) {
        log_info("discovery",
                 "%u of %u services are polled: an agent allows few connections over plain HTTP; "
                 "with its HTTPS address each service has a watch",
                 s->npolled, HASH_COUNT(s->services));
        s->critical = consul_checks_new(&s->pool, "/v1/health/state/critical", s->wait_ms,
                                        check_changed, checks_outcome, s);
        s->warning = consul_checks_new(&s->pool, "/v1/health/state/warning", s->wait_ms,
                                       check_changed, checks_outcome, s);
    } else if (s->npolled == 0) {
        consul_checks_free(s->critical);
        consul_checks_free(s->warning);
        s->critical = s->warning = NULL;
    }
}

static void want(struct consul_source *s, const char *name)
{
    struct group *g = group_find(s, name);
    struct service *v;

    if (catalog_is_static(s->catalog, name))
        return;
    if (g) {
        group_want(s, g);
        return;
    }
    HASH_FIND_STR(s->services, name, v);
    if (!v) {
        v = service_add(s, name);
        v->wanted = true;
        query_kick(&v->query);
    }
    v->wanted = true;
}

static void want_all(struct consul_source *s)
{
    const struct consul_services *list = &s->lead.list;

    for (size_t i = 0; i < s->nnamed; i++)
        want(s, s->named[i]);
    for (unsigned i = 0; i < list->n; i++)
        if (consul_scope_takes(&s->scope, &list->items[i]))
            want(s, list->items[i].name);
    for (const struct group *g = s->groups[GROUPS_CHAIN]; g; g = g->hh.next)
        want(s, g->name);
}

/* The list of services does not have it any more, but so far its own answer says otherwise, or is
 * not believed: it alone decides. */
static bool is_unlisted(const struct consul_source *s, const struct service *v)
{
    return s->lead.heard && list_empty(&v->place_link) && !group_find(s, v->name) &&
           !consul_services_find(&s->lead.list, v->name) &&
           !catalog_is_static(s->catalog, v->name) && catalog_has_instances(s->catalog, v->name);
}

static void keep_unlisted(struct service *v)
{
    if (!v->unlisted && v->query.options.polled)
        query_kick(&v->query);
    v->unlisted = true;
}

static void keep_listed(struct service *v)
{
    if (v->unlisted)
        query_kick(&v->query);
    v->unlisted = false;
}

static void remove_service(struct consul_source *s, struct service *v)
{
    const struct group *g = group_find(s, v->name);
    bool vanished = s->lead.heard && !consul_services_find(&s->lead.list, v->name);

    if (!list_empty(&v->place_link))
        catalog_unwatch(v->catalog, v->name, false, clock_now_ns());
    else if (!g || !g->wanted)
        catalog_unwatch(v->catalog, v->name, vanished, clock_now_ns());
    service_end(s, v);
}

void consul_source_review(struct consul_source *s)
{
    struct service *v, *tmp;

    for (v = s->services; v; v = v->hh.next)
        v->wanted = false;
    groups_unmark(s);
    want_all(s);
    HASH_ITER(hh, s->services, v, tmp)
    {
        if (v->wanted)
            keep_listed(v);
        else if (is_unlisted(s, v))
            keep_unlisted(v);
        else
            remove_service(s, v);
    }
    groups_settle(s);
    share_slots(s);
    source_touch(s);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    consul_source_review(arg);
}

void source_review_later(struct consul_source *s)
{
    event_active(s->later, EV_TIMEOUT, 0);
}

static void forget_named(struct consul_source *s)
{
    for (size_t i = 0; i < s->nnamed; i++)
        free(s->named[i]);
    free(s->named);
}

void consul_source_use(struct consul_source *s, const char *const *services, size_t n)
{
    char **named = calloc(n ? n : 1, sizeof *named);

    if (!named)
        abort();
    for (size_t i = 0; i < n; i++) {
        named[i] = strdup(services[i]);
        if (!named[i])
            abort();
        for (char *p = named[i]; *p; p++)
            *p = ascii_lower(*p);
    }
    forget_named(s);
    s->named = named;
    s->nnamed = n;
    consul_source_review(s);
}

static void poll_all(struct consul_source *s)
{
    struct service *v, *tmp;

    s->swept_ns = clock_now_ns();
    HASH_ITER(hh, s->services, v, tmp)
    {
        if (v->query.options.polled)
            query_kick(&v->query);
    }
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    poll_all(arg);
}

/* Something changed, and it may be any polled service. */
void source_sweep(struct consul_source *s)
{
    uint64_t gap = (uint64_t)s->npolled * SWEEP_MS_A_POLL * NS_PER_MS;
    uint64_t now = clock_now_ns(), since = now - s->swept_ns;
    struct timeval tv;

    if (s->npolled == 0 || evtimer_pending(s->sweep, NULL))
        return;
    if (since >= gap) {
        poll_all(s);
        return;
    }
    tv.tv_sec = (time_t)((gap - since) / NS_PER_S);
    tv.tv_usec = (suseconds_t)((gap - since) % NS_PER_S / 1000);
    evtimer_add(s->sweep, &tv);
}

void source_poll_service(struct consul_source *s, const char *name)
{
    struct service *v;

    HASH_FIND_STR(s->services, name, v);
    if (v && v->query.options.polled)
        query_hurry(&v->query);
    list_each(l, &s->place_list)
    {
        v = CONTAINER_OF(l, struct service, place_link);
        if (v->query.options.polled && strcmp(v->of, name) == 0)
            query_hurry(&v->query);
    }
}

void consul_source_look_again(struct consul_source *s)
{
    groups_judge(s);
}

static void check_changed(void *arg, const char *service)
{
    if (*service)
        source_poll_service(arg, service);
    else
        source_sweep(arg);
}

static void note_good(struct consul_source *s, const struct consul_answer *a)
{
    s->status.connected = true;
    s->status.leader_known = a->leader_known;
    s->status.last_contact_ms = a->last_contact_ms;
    s->status.last_good_ns = clock_now_ns();
    s->status.failing_since_ns = 0;
}

static void note_bad(struct consul_source *s, const char *error, bool agent_failed)
{
    s->status.errors++;
    snprintf(s->status.last_error, sizeof s->status.last_error, "%s", error);
    if (!agent_failed)
        return;
    s->status.connected = false;
    if (s->status.failing_since_ns == 0)
        s->status.failing_since_ns = clock_now_ns();
}

static void tell_fewer_slots(struct consul_source *s)
{
    log_warn("discovery",
             "consul %s: too many requests or connections (limits.http_max_conns_per_client): "
             "%u services keep a watch, the others are polled",
             source_agent(s), s->slots.n);
    share_slots(s);
}

/* Consul up to 1.8 takes a connection too many and closes it. An agent that goes away does so too,
 * and then the lead fails. */
static void note_shut_out(struct consul_source *s)
{
    unsigned busy = 0;

    if (s->multiplexed || s->lead.query.watch.failures > 0)
        return;
    for (const struct service *v = s->services; v; v = v->hh.next)
        busy += v->query.blocking;
    if (slots_shut_out(&s->slots, busy, s->wait_ms * 17 / 16, clock_now_ns()))
        tell_fewer_slots(s);
}

static void use_fewer_slots(struct consul_source *s)
{
    /* With so few services it is not they who are too many. */
    if (s->multiplexed || HASH_COUNT(s->services) < s->slots.n - s->slots.n / 4 ||
        !slots_fewer(&s->slots, clock_now_ns()))
        return;
    tell_fewer_slots(s);
}

static void use_more_slots(struct consul_source *s)
{
    if (s->multiplexed || !slots_more(&s->slots, clock_now_ns()))
        return;
    log_info("discovery", "consul %s: no complaint for a while: %u services may have a watch",
             source_agent(s), s->slots.n);
    share_slots(s);
}

const char *source_agent(const struct consul_source *s)
{
    const struct consul_access_status *a = consul_http_access(s->http);

    return a->agents[a->agent];
}

void source_note(struct consul_source *s, const struct query_outcome *o, bool lead)
{
    bool agent_failed = lead || o->result == WATCH_FAILED || o->result == WATCH_REFUSED;

    if (o->result == WATCH_GOOD) {
        agent_answered(s);
        note_good(s, o->answer);
    } else {
        note_bad(s, o->error, agent_failed);
    }
    if (o->result == WATCH_REFUSED || (lead && o->answer->status == 0))
        agent_lost(s);
    if (o->answer->status != 0 && s->multiplexed != o->answer->multiplexed) {
        s->multiplexed = o->answer->multiplexed;
        source_review_later(s); /* which may free the query that is being answered */
    }
    if (o->answer->shut_out)
        note_shut_out(s);
    if (o->result == WATCH_LIMITED)
        use_fewer_slots(s);
    else if (o->result == WATCH_GOOD && lead)
        use_more_slots(s);
}

void source_kick_failing(struct consul_source *s)
{
    struct service *v, *tmp;

    HASH_ITER(hh, s->services, v, tmp)
    {
        if (v->query.watch.failures > 0)
            query_kick(&v->query);
    }
    if (s->critical)
        consul_checks_kick(s->critical);
    if (s->warning)
        consul_checks_kick(s->warning);
}

static void checks_outcome(void *arg, const struct query_outcome *o)
{
    source_note(arg, o, false);
}

static char *make_suffix(const struct discovery_options *o)
{
    char *dc = o->datacenter && *o->datacenter ? consul_http_encode(o->datacenter) : NULL;
    char *suffix;

    if (asprintf(&suffix, "%s%s%s%s", o->stale ? "stale&" : "", dc ? "dc=" : "", dc ? dc : "",
                 dc ? "&" : "") < 0)
        abort();
    free(dc);
    return suffix;
}

struct consul_source *consul_source_new(struct event_base *base, const struct discovery_options *o,
                                        struct catalog *c, struct catalog *places,
                                        struct keeper *keeper, consul_source_touched_fn *touched,
                                        void *arg, struct err *e)
{
    struct consul_http *http = consul_http_new(base, o, e);
    struct consul_source *s;

    if (!http)
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->http = http;
    s->catalog = c;
    s->places = places;
    s->touched = touched;
    s->arg = arg;
    s->suffix = make_suffix(o);
    s->datacenter = o->datacenter && *o->datacenter ? strdup(o->datacenter) : NULL;
    s->stale = o->stale;
    s->zone_key = o->prefer_meta && *o->prefer_meta ? strdup(o->prefer_meta) : NULL;
    s->wait_ms = o->wait_ms;
    s->slots.n = SLOTS_MAX;
    s->multiplexed = str_starts(str_of(o->address), STR("https://"));
    list_init(&s->ending);
    consul_scope_init(&s->scope, o);
    query_pool_init(&s->pool, base, http, s->suffix);
    consul_http_when_good(http, on_good_token, s);
    s->pool.keeper = keeper;
    s->sweep = evtimer_new(base, on_sweep, s);
    s->later = event_new(base, -1, 0, on_later, s);
    if (!s->sweep || !s->later)
        abort();
    agent_start(s, o->safety.agent_hold_ms);
    groups_start(s, base);
    lead_start(s, o->wait_ms);
    return s;
}

void consul_source_free(struct consul_source *s)
{
    struct service *v, *tmp;
    struct list *l;

    if (!s)
        return;
    HASH_ITER(hh, s->services, v, tmp)
    {
        HASH_DEL(s->services, v);
        service_free(v);
    }
    while ((l = list_pop(&s->ending)))
        service_free(CONTAINER_OF(l, struct service, link));
    consul_checks_free(s->critical);
    consul_checks_free(s->warning);
    groups_release(s);
    lead_release(&s->lead);
    query_pool_release(&s->pool);
    agent_release(s);
    event_free(s->sweep);
    event_free(s->later);
    consul_http_free(s->http);
    consul_scope_release(&s->scope);
    forget_named(s);
    free(s->suffix);
    free(s->zone_key);
    free(s->datacenter);
    free(s);
}

void source_tell_recalled(struct consul_source *s, const char *why)
{
    struct keeper_status k;
    char time[32], age[32];

    if (s->recalled_logged == (why != NULL) || s->recalled_logged == (s->pool.recalled > 0))
        return;
    s->recalled_logged = why != NULL;
    keeper_status(s->pool.keeper, &k);
    if (!why)
        log_info("discovery", "the catalog of %s has been replaced: Consul has answered", k.file);
    else
        log_warn("discovery", "serving the catalog of %s (%s old) from %s: %s",
                 clock_format(k.recalled_ms, time),
                 age_text(clock_wall_ms() - k.recalled_ms, age, sizeof age), k.file, why);
}

void consul_source_set_traffic(struct consul_source *s, discovery_traffic_fn *fn, void *arg)
{
    s->traffic = fn;
    s->traffic_arg = arg;
}

bool consul_source_heard(const struct consul_source *s)
{
    return (s->scope.scope == DISCOVER_USED || s->lead.heard) && catalog_all_heard(s->catalog);
}

const struct consul_access_status *consul_source_access(const struct consul_source *s)
{
    return consul_http_access(s->http);
}

void consul_source_status(const struct consul_source *s, struct discovery_status *ret)
{
    *ret = s->status;
    ret->consul = true;
    ret->watches = HASH_COUNT(s->services) + 1 + (s->critical ? 2 : 0);
    ret->strategy = s->multiplexed ? "http2" : s->npolled > 0 ? "watches_and_polls" : "watches";
    ret->polled = s->npolled;
    ret->queued = list_count(&s->pool.urgent) + list_count(&s->pool.waiting);
    ret->requests = s->pool.requests;
    ret->index_resets = s->pool.index_resets;
    ret->recalled_list = s->lead.query.recalled_ms != 0;
    for (const struct service *v = s->services; v; v = v->hh.next)
        ret->recalled_services += v->query.recalled_ms != 0;
}

bool consul_source_watch_status(const struct consul_source *s, const char *service,
                                struct discovery_watch_status *ret)
{
    struct arena *a = arena_new();
    const char *key = consul_key(a, service);
    const struct group *g = group_find(s, key);
    const struct service *v;

    if (g && g->wanted) {
        v = g->places[g->failover.active].service;
        group_add_doubts(s, g, ret);
    } else {
        HASH_FIND_STR(s->services, key, v);
    }
    arena_free(a);
    if (!v)
        return false;
    /* The catalog knows of answers with something new only. */
    if (v->answered_ns)
        ret->answered_ns = v->answered_ns;
    ret->index = v->query.watch.index;
    ret->failing = v->query.watch.failures > 0;
    ret->recalled_ms = v->query.recalled_ms;
    return true;
}

struct query_pool *consul_source_pool(struct consul_source *s)
{
    return &s->pool;
}

bool consul_source_multiplexed(const struct consul_source *s)
{
    return s->multiplexed;
}
