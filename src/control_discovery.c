/* SPDX-License-Identifier: Apache-2.0 */
#include "control_discovery.h"
#include "circuit/breaker.h"
#include "control_consul.h"

#include <stdlib.h>
#include <string.h>

static bool same_safety(const struct consul_conf *x, const struct consul_conf *y)
{
    return x->shrink_confirm_ms == y->shrink_confirm_ms && x->shrink_percent == y->shrink_percent &&
           x->shrink_services_percent == y->shrink_services_percent &&
           x->flap_damping_ms == y->flap_damping_ms &&
           x->agent_restart_hold_ms == y->agent_restart_hold_ms;
}

bool control_discovery_same(const struct config *a, const struct config *b)
{
    const struct consul_conf *x = &a->consul, *y = &b->consul;

    return x->enabled == y->enabled && control_consul_same(a, b) &&
           str_same(x->datacenter, y->datacenter) && x->expose == y->expose &&
           str_same(x->tag_prefix, y->tag_prefix) && str_same(x->fabio_prefix, y->fabio_prefix) &&
           str_same(x->traefik_prefix, y->traefik_prefix) && x->stale == y->stale &&
           x->wait_ms == y->wait_ms && x->keep_routes_ms == y->keep_routes_ms &&
           same_safety(x, y) && x->traffic_rules == y->traffic_rules &&
           str_same(a->prefer_meta, b->prefer_meta) && str_same(a->state_dir, b->state_dir);
}

/* How it is spoken to, in the words of a tag that is read here. */
static const char *protocol_tag(struct arena *a, const struct config *c, const char *scheme)
{
    if (strcmp(scheme, "http") == 0)
        return NULL;
    return arena_printf(a, "%sprotocol=%s", c->consul.tag_prefix, scheme);
}

/* Adds the target to the service of that name among the `n` at `services`. */
static void add_instance(struct discovery_static *s, const struct discovery_address *address,
                         struct arena *a)
{
    struct discovery_address *list;

    for (size_t i = 0; i < s->ninstances; i++)
        if (s->instances[i].port == address->port &&
            strcmp(s->instances[i].host, address->host) == 0)
            return;
    list = ARENA_ARRAY(a, struct discovery_address, s->ninstances + 1);
    if (s->ninstances > 0)
        memcpy(list, s->instances, s->ninstances * sizeof *list);
    list[s->ninstances] = *address;
    s->instances = list;
    s->ninstances++;
}

static size_t add_commanded(struct discovery_static *services, const struct config *c,
                            const struct fabio_commands *commands, struct arena *a)
{
    size_t n = 0;

    for (size_t i = 0; commands && i < commands->n; i++) {
        const struct fabio_command *add = &commands->items[i];
        struct discovery_address address = {.weight = 1};
        size_t at = 0;

        if (add->verb != FABIO_ADD || add->trouble || add->redirect)
            continue;
        address.host = add->host;
        address.port = add->port;
        address.tag = protocol_tag(a, c, add->scheme);
        while (at < n && strcmp(services[at].service, add->static_service) != 0)
            at++;
        if (at == n)
            services[n++].service = add->static_service;
        add_instance(&services[at], &address, a);
    }
    return n;
}

static void set_static(struct discovery *d, const struct config *c,
                       const struct fabio_commands *commands)
{
    size_t most = c->nservices + (commands ? commands->n : 0);
    struct discovery_static *services = calloc(most + 1, sizeof *services);
    struct arena *a = arena_new();
    size_t n = 0;

    if (!services)
        abort();
    for (size_t i = 0; i < c->nservices; i++) {
        const struct service_conf *s = &c->services[i];
        struct discovery_address *list;

        if (s->ninstances == 0)
            continue;
        list = ARENA_ARRAY(a, struct discovery_address, s->ninstances);
        for (size_t k = 0; k < s->ninstances; k++)
            list[k] =
                (struct discovery_address){s->instances[k].host, s->instances[k].port,
                                           s->instances[k].weight, s->instances[k].zone, NULL};
        services[n++] = (struct discovery_static){s->name, list, s->ninstances};
    }
    n += add_commanded(services + n, c, commands, a);
    discovery_set_static(d, services, n);
    arena_free(a);
    free(services);
}

static void set_groups(struct discovery *d, const struct config *c)
{
    struct discovery_group *groups = calloc(c->nservices + 1, sizeof *groups);
    struct arena *a = arena_new();
    size_t n = 0;

    if (!groups)
        abort();
    for (size_t i = 0; i < c->nservices; i++) {
        const struct places_conf *p = &c->services[i].places;
        struct discovery_place *places = ARENA_ARRAY(a, struct discovery_place, p->n);

        for (size_t k = 0; k < p->n; k++) {
            const struct place_conf *at = &p->items[k];

            places[k] = (struct discovery_place){.service = at->service,
                                                 .datacenter = at->datacenter,
                                                 .filter = at->filter,
                                                 .ns = at->ns,
                                                 .partition = at->partition,
                                                 .peer = at->peer,
                                                 .query = at->query,
                                                 .only_passing = at->only_passing};
        }
        if (p->n > 0)
            groups[n++] = (struct discovery_group){
                c->services[i].name, places, p->n, p->min_healthy, p->fail_back_ms, p->on_breaker};
    }
    discovery_set_groups(d, groups, n);
    arena_free(a);
    free(groups);
}

static bool says_failing(const struct transition *t)
{
    static const enum breaker_cause causes[] = {BREAKER_BY_FAILURES, BREAKER_BY_SLOW_CALLS,
                                                BREAKER_BY_PROBE};

    if (t->shadow || t->instance[0] || strcmp(t->to, breaker_state_name(BREAKER_OPEN)) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(causes); i++)
        if (strcmp(t->cause, breaker_cause_name(causes[i])) == 0)
            return true;
    return false;
}

uint64_t control_discovery_hear(struct discovery *d, struct journal *j, uint64_t after)
{
    struct transition *list = calloc(JOURNAL_KEPT, sizeof *list);
    size_t n;

    if (!list)
        abort();
    n = journal_read(j, after, list, JOURNAL_KEPT, NULL);
    for (size_t i = 0; i < n; i++)
        if (says_failing(&list[i]))
            discovery_suspect(d, list[i].service);
    if (n > 0)
        after = list[n - 1].id;
    free(list);
    return after;
}

struct names {
    const char **list; /* NULL while they are counted */
    size_t n;
};

static void add_name(void *arg, const char *service)
{
    struct names *names = arg;

    if (names->list)
        names->list[names->n] = service;
    names->n++;
}

static void each_used(const struct config *c, struct names *names)
{
    for (size_t i = 0; i < c->nroutes; i++)
        for (size_t t = 0; t < c->routes[i].ntargets; t++)
            add_name(names, c->routes[i].targets[t].service);
    fallback_each_service(c, add_name, names);
    authority_each_service(c, add_name, names);
    part_each_service(c, add_name, names);
}

static void set_used(struct discovery *d, const struct config *c)
{
    struct names count = {NULL, 0}, names = {NULL, 0};

    each_used(c, &count);
    names.list = calloc(count.n + 1, sizeof *names.list);
    if (!names.list)
        abort();
    each_used(c, &names);
    discovery_use(d, names.list, names.n);
    free(names.list);
}

struct discovery_options control_discovery_options(const struct config *c)
{
    struct discovery_options o = {
        .consul = c->consul.enabled,
        .address = c->consul.address,
        .token_file = c->consul.token_file,
        .token = c->consul.token,
        .datacenter = c->consul.datacenter,
        .ca_file = c->consul.ca_file,
        .cert_file = c->consul.cert_file,
        .key_file = c->consul.key_file,
        .stale = c->consul.stale,
        .wait_ms = c->consul.wait_ms,
        .scope = c->consul.expose == EXPOSE_ALL      ? DISCOVER_ALL
                 : c->consul.expose == EXPOSE_TAGGED ? DISCOVER_TAGGED
                                                     : DISCOVER_USED,
        .tag_prefix = c->consul.tag_prefix,
        .fabio_prefix = c->consul.fabio_prefix,
        .traefik_prefix = c->consul.traefik_prefix,
        .prefer_meta = c->prefer_meta,
        .keep_ms = c->consul.keep_routes_ms,
        .traffic_rules = c->consul.traffic_rules,
        .safety = {c->consul.shrink_confirm_ms, c->consul.shrink_percent,
                   c->consul.shrink_services_percent, c->consul.flap_damping_ms,
                   c->consul.agent_restart_hold_ms},
    };

    control_consul_options(c, &o.access);
    return o;
}

static void set_resolver(struct discovery *d, const struct config *c)
{
    struct discovery_resolver o = {
        .servers = c->resolver.servers,
        .nservers = c->resolver.nservers,
        .timeout_ms = c->resolver.timeout_ms,
        .attempts = c->resolver.attempts,
        .min_ttl_ms = c->resolver.min_ttl_ms,
        .max_ttl_ms = c->resolver.max_ttl_ms,
    };

    discovery_resolve_with(d, &o);
}

static void set_without_rules(struct discovery *d, const struct config *c)
{
    const char **names = calloc(c->nservices + 1, sizeof *names);
    size_t n = 0;

    if (!names)
        abort();
    for (size_t i = 0; i < c->nservices; i++)
        if (!c->services[i].traffic_rules)
            names[n++] = c->services[i].name;
    discovery_without_rules(d, names, n);
    free(names);
}

void control_discovery_configure(struct discovery *d, const struct config *c,
                                 const struct fabio_commands *commands)
{
    struct discovery_options o = control_discovery_options(c);

    consul_access_require(&o);
    set_resolver(d, c);
    set_static(d, c, commands);
    set_groups(d, c);
    set_without_rules(d, c);
    set_used(d, c);
}

struct discovery *control_discovery_new(struct event_base *base, const struct config *c,
                                        const struct fabio_commands *commands, bool recall,
                                        discovery_changed_fn *changed, void *arg, struct err *e)
{
    struct discovery_options o = control_discovery_options(c);
    struct discovery *d;

    o.state_dir = c->state_dir;
    o.recall = recall;
    d = discovery_new(base, &o, changed, arg, e);

    if (!d)
        return NULL;
    control_discovery_configure(d, c, commands);
    return d;
}
