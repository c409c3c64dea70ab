/* SPDX-License-Identifier: Apache-2.0 */
#include "discovery.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "catalog.h"
#include "consul_source.h"
#include "keeper.h"
#include "resolve.h"
#include "rules.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MIN_MS = 1000, WAIT_MAX_MS = 600000 };

const struct discovery_resolver discovery_resolver_default = {
    .timeout_ms = 2000,
    .attempts = 2,
    .min_ttl_ms = 5000,
    .max_ttl_ms = 3600000,
};

struct discovery {
    struct catalog *catalog;      /* owned; what readers see */
    struct catalog *places;       /* owned; what the places of groups have */
    struct consul_source *consul; /* owned, or NULL */
    struct keeper *keeper;        /* owned, or NULL */
    struct rules *rules;          /* owned, or NULL */
    struct resolver *resolver;    /* owned */
    struct event *tell;           /* owned; calls `changed` in a later loop turn */
    struct event *expire;         /* owned; what is kept is kept no longer */
    uint64_t told_version;
    uint64_t updates;
    bool asked; /* it is known what is wanted; before that, "all heard" says nothing */
    bool ready, heard_told;
    discovery_changed_fn *changed;
    void *arg;
};

static bool lookup(void *arg, const char *host, uint16_t port, struct sockaddr_storage *ret_addr,
                   socklen_t *ret_len)
{
    struct discovery *d = arg;

    return resolver_get(d->resolver, host, port, ret_addr, ret_len);
}

/* What time alone changes in a place is seen through its groups. */
static uint64_t expire_places(struct discovery *d, uint64_t now)
{
    uint64_t before = catalog_version(d->places), next = catalog_expire(d->places, now);

    if (d->consul && catalog_version(d->places) != before)
        consul_source_look_again(d->consul);
    return next;
}

static void arm_expiry(struct discovery *d)
{
    uint64_t now = clock_now_ns(), places_next = expire_places(d, now);
    uint64_t next = catalog_expire(d->catalog, now), left_ms;
    struct timeval tv;

    if (places_next && (next == 0 || places_next < next))
        next = places_next;
    left_ms = next > now ? (next - now) / NS_PER_MS + 1 : 1;
    tv.tv_sec = (time_t)(left_ms / 1000);
    tv.tv_usec = (suseconds_t)(left_ms % 1000) * 1000;
    if (next != 0)
        evtimer_add(d->expire, &tv);
    else
        evtimer_del(d->expire);
}

static bool all_heard(const struct discovery *d)
{
    return !d->consul || (consul_source_heard(d->consul) && (!d->rules || rules_heard(d->rules)));
}

/* Whatever happened: tell the owner, once, if it can be seen. */
static void review(struct discovery *d)
{
    /* While the services come in one by one, each of them would be told to nobody. */
    static const struct timeval soon = {0, 20000};
    uint64_t version;

    arm_expiry(d);
    version = catalog_version(d->catalog);
    if (d->rules)
        version += rules_version(d->rules);
    if (!d->ready && d->asked)
        d->ready = all_heard(d);
    if (d->told_version == version && d->heard_told == d->ready)
        return;
    d->told_version = version;
    d->heard_told = d->ready;
    if (d->ready)
        event_active(d->tell, EV_TIMEOUT, 0);
    else if (!evtimer_pending(d->tell, NULL))
        evtimer_add(d->tell, &soon);
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
    struct discovery *d = arg;

    (void)fd;
    (void)what;
    d->updates++;
    d->changed(d->arg);
}

static void on_expire(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    review(arg);
}

static void on_touched(void *arg)
{
    struct discovery *d = arg;

    /* While the source is being made there is nothing to review yet. */
    if (d->rules)
        rules_catalog_changed(d->rules);
    if (d->consul)
        review(d);
}

static void on_rules(void *arg)
{
    review(arg);
}

static void on_addresses(void *arg)
{
    struct discovery *d = arg;

    catalog_resolve(d->catalog, clock_now_ns());
    catalog_resolve(d->places, clock_now_ns());
    if (d->consul)
        consul_source_look_again(d->consul);
    review(d);
}

/* What one Consul said is nothing that another one may be taken to say. */
static const char *origin_of(struct arena *a, const struct discovery_options *o)
{
    const char *text = arena_printf(a, "consul %s", o->address);

    for (size_t i = 0; i < o->access.nmore; i++)
        text = arena_printf(a, "%s %s", text, o->access.more[i]);
    return arena_printf(a, "%s dc=%s ns=%s partition=%s", text, o->datacenter ? o->datacenter : "",
                        o->access.ns ? o->access.ns : "",
                        o->access.partition ? o->access.partition : "");
}

static void add_keeper(struct discovery *d, struct event_base *base,
                       const struct discovery_options *o)
{
    struct arena *a = arena_new();
    struct keeper_options k = {.dir = o->state_dir, .origin = origin_of(a, o), .recall = o->recall};

    d->keeper = keeper_new(base, &k);
    arena_free(a);
}

static int add_consul(struct discovery *d, struct event_base *base,
                      const struct discovery_options *o, struct err *e)
{
    struct discovery_options copy = *o;

    if (copy.wait_ms < WAIT_MIN_MS)
        copy.wait_ms = WAIT_MIN_MS;
    if (copy.wait_ms > WAIT_MAX_MS)
        copy.wait_ms = WAIT_MAX_MS;
    if (o->state_dir)
        add_keeper(d, base, o);
    d->consul = consul_source_new(base, &copy, d->catalog, d->places, d->keeper, on_touched, d, e);
    if (d->consul && o->traffic_rules)
        d->rules = rules_new(d->consul, d->catalog, copy.wait_ms, on_rules, d);
    return d->consul ? 0 : -1;
}

static void protect(struct catalog *c, const struct discovery_safety *s)
{
    const struct belief_options o = {
        .guard = {s->confirm_ms, s->shrink_percent, s->services_percent},
        .damping_ms = s->damping_ms,
        .ask_rights = true,
    };

    catalog_protect(c, &o);
}

struct discovery *discovery_new(struct event_base *base, const struct discovery_options *o,
                                discovery_changed_fn *changed, void *arg, struct err *e)
{
    struct discovery *d = calloc(1, sizeof *d);

    if (!d)
        abort();
    d->changed = changed;
    d->arg = arg;
    d->catalog = catalog_new(o->keep_ms, lookup, d);
    d->places = catalog_new(o->keep_ms, lookup, d);
    protect(d->catalog, &o->safety);
    protect(d->places, &o->safety);
    d->tell = event_new(base, -1, 0, on_tell, d);
    d->expire = evtimer_new(base, on_expire, d);
    d->resolver = resolver_new(base, &resolver_files_of_machine, on_addresses, d);
    if (!d->tell || !d->expire)
        abort();
    /* What is recalled is there at once: it may not pass for all before all is asked for. */
    d->asked = o->scope != DISCOVER_USED && !o->recall;
    if (o->consul && add_consul(d, base, o, e) != 0) {
        discovery_free(d);
        return NULL;
    }
    return d;
}

void discovery_free(struct discovery *d)
{
    if (!d)
        return;
    rules_free(d->rules);
    consul_source_free(d->consul);
    keeper_free(d->keeper);
    resolver_free(d->resolver);
    catalog_free(d->catalog);
    catalog_free(d->places);
    event_free(d->tell);
    event_free(d->expire);
    free(d);
}

void discovery_keep(struct discovery *d)
{
    keeper_start(d->keeper);
}

void discovery_use(struct discovery *d, const char *const *services, size_t n)
{
    d->asked = true;
    if (d->rules)
        rules_use(d->rules, services, n);
    else if (d->consul)
        consul_source_use(d->consul, services, n);
    review(d);
}

void discovery_resolve_with(struct discovery *d, const struct discovery_resolver *o)
{
    resolver_configure(d->resolver, o);
}

const char *discovery_host_problem(const struct discovery *d, const char *host)
{
    return resolver_problem(d->resolver, host);
}

void discovery_set_static(struct discovery *d, const struct discovery_static *services, size_t n)
{
    catalog_set_static(d->catalog, services, n, clock_now_ns());
    if (d->consul)
        consul_source_review(d->consul);
    review(d);
}

void discovery_set_groups(struct discovery *d, const struct discovery_group *groups, size_t n)
{
    if (d->consul)
        consul_source_set_groups(d->consul, GROUPS_CONFIGURED, groups, n);
    review(d);
}

void discovery_set_traffic(struct discovery *d, discovery_traffic_fn *fn, void *arg)
{
    if (d->consul)
        consul_source_set_traffic(d->consul, fn, arg);
}

void discovery_suspect(struct discovery *d, const char *service)
{
    if (d->consul)
        consul_source_suspect(d->consul, service);
}

size_t discovery_count(const struct discovery *d)
{
    return catalog_count(d->catalog);
}

struct instance_set *discovery_at(const struct discovery *d, size_t i)
{
    return catalog_at(d->catalog, i);
}

struct instance_set *discovery_find(const struct discovery *d, const char *service)
{
    return catalog_find(d->catalog, service);
}

bool discovery_ready(const struct discovery *d)
{
    return d->ready || !d->consul;
}

static void status_of_keeper(const struct keeper *keeper, struct discovery_kept *ret)
{
    struct keeper_status k;

    keeper_status(keeper, &k);
    *ret = (struct discovery_kept){
        .file = k.file,
        .recalled_ms = k.recalled_ms,
        .written_ms = k.written_ms,
        .answers = k.answers,
        .bytes = k.bytes,
        .refused = k.refused,
        .error = k.error,
    };
}

const struct consul_access_status *discovery_access(const struct discovery *d)
{
    return d && d->consul ? consul_source_access(d->consul) : NULL;
}

void discovery_status(const struct discovery *d, struct discovery_status *ret)
{
    memset(ret, 0, sizeof *ret);
    if (d->consul)
        consul_source_status(d->consul, ret);
    status_of_keeper(d->keeper, &ret->kept);
    ret->updates = d->updates;
    catalog_totals(d->catalog, ret);
    catalog_totals(d->places, ret);
}

bool discovery_watch_status(const struct discovery *d, const char *service,
                            struct discovery_watch_status *ret)
{
    memset(ret, 0, sizeof *ret);
    if (!catalog_status(d->catalog, service, ret))
        return false;
    if (d->consul)
        (void)consul_source_watch_status(d->consul, service, ret);
    return true;
}

bool discovery_group_status(const struct discovery *d, const char *service,
                            struct discovery_group_status *ret)
{
    return d->consul && consul_source_group_status(d->consul, service, ret);
}

bool discovery_place_status(const struct discovery *d, const char *service, size_t i,
                            struct discovery_place_status *ret)
{
    return d->consul && consul_source_place_status(d->consul, service, i, ret);
}

_Static_assert((int)DISCOVERY_REMOVALS == (int)REMOVAL_WHYS &&
                   (int)DISCOVERY_REMOVAL_NODE_GONE == (int)REMOVAL_NODE_GONE &&
                   (int)DISCOVERY_REMOVALS_KEPT == (int)REMOVALS_KEPT,
               "discovery.h and removals.h agree");

const char *discovery_removal_word(unsigned i)
{
    return removal_why_word((enum removal_why)i);
}

unsigned discovery_removals(const struct discovery *d, const char *service,
                            struct discovery_removal *ret, unsigned max)
{
    if (d->consul && consul_source_group_removals(d->consul, service, ret, &max))
        return max;
    return catalog_removals(d->catalog, service, ret, max);
}

unsigned discovery_accept(struct discovery *d, const char *service)
{
    unsigned n;

    n = catalog_accept(d->catalog, service, clock_now_ns());
    if (d->consul) {
        n += consul_source_accept_places(d->consul, service);
        consul_source_review(d->consul);
    }
    review(d);
    return n;
}

void discovery_without_rules(struct discovery *d, const char *const *services, size_t n)
{
    if (d->rules)
        rules_leave_out(d->rules, services, n);
}

struct chain *discovery_rules(const struct discovery *d, const char *service)
{
    return d->rules ? rules_find(d->rules, service) : NULL;
}

bool discovery_rules_awaited(const struct discovery *d, const char *service)
{
    return d->rules && rules_awaited(d->rules, service);
}

bool discovery_is_target(const struct discovery *d, const char *service)
{
    return d->rules && rules_is_target(d->rules, service);
}

uint64_t discovery_rules_version(const struct discovery *d)
{
    return d->rules ? rules_version(d->rules) : 0;
}

size_t discovery_rules_count(const struct discovery *d)
{
    size_t n = 0;

    if (d->rules)
        (void)rules_all(d->rules, &n);
    return n;
}

struct chain *discovery_rules_at(const struct discovery *d, size_t i)
{
    size_t n;

    return rules_all(d->rules, &n)[i];
}

const char *discovery_rules_problem(const struct discovery *d, const char *service)
{
    return d->rules ? chain_source_problem(rules_source(d->rules), service) : NULL;
}

size_t discovery_rules_problems(const struct discovery *d,
                                void (*fn)(void *arg, const char *service, const char *why),
                                void *arg)
{
    size_t n = 0;

    for (size_t i = 0; d->rules && i < chain_source_count(rules_source(d->rules)); i++) {
        struct chain_status s;

        chain_source_at(rules_source(d->rules), i, &s);
        if (!s.error[0])
            continue;
        fn(arg, s.service, s.error);
        n++;
    }
    return n;
}

const char *discovery_rules_error(const struct discovery *d)
{
    return d->rules ? chain_source_error(rules_source(d->rules)) : NULL;
}
