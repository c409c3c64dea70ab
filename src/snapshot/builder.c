/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/builder.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "policy/credentials.h"
#include "policy/issuers.h"
#include "route/tags.h"
#include "route/tags_library.h"
#include "snapshot/service_view.h"
#include "snapshot/shared_routes.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* What the builder remembers of one service of the catalog. */
struct known {
    char *name;               /* owned */
    struct instance_set *set; /* ref: the set that was looked at last */
    uint64_t signature;       /* of everything in it that makes routes */
    struct arena *arena;      /* owned: holds `routes` */
    struct tag_routes routes;
    uint64_t defines; /* tags_library_part() */
    bool uses;
    bool configured;  /* the configuration leads to it, too */
    unsigned seen;    /* build number */
    unsigned changed; /* the same of the last build that found another set */
    UT_hash_handle hh;
};

struct builder {
    struct registry *registry; /* borrowed */
    struct known *known;       /* hash by name; owned */
    struct known **order;      /* as the catalog had them; owned, borrowed items */
    size_t norder;
    struct snapshot *last;                  /* ref */
    const struct discovery *last_discovery; /* only compared */
    uint64_t last_rules;                    /* discovery_rules_version() of the last build */
    struct service_rules_index *rules;      /* owned; of that version */
    struct limits *limits;                  /* owned */
    struct issuer_set *issuers;             /* ref; NULL = none were given */
    struct credential_set *credentials;     /* the same */
    bool awaiting;                          /* there are routes that are not known yet */
    unsigned builds;
    struct shared_routes *shared; /* owned */
    struct tag_library *library;  /* owned; NULL = none */
    uint64_t defined;             /* of all that is in it */
    bool commands_changed;
    struct problems *problems; /* owned */
};

struct builder *builder_new(struct registry *r)
{
    struct builder *b = calloc(1, sizeof *b);

    if (!b)
        abort();
    b->registry = r;
    b->problems = problems_new();
    b->limits = limits_new();
    b->shared = shared_routes_new();
    return b;
}

static void known_free(struct known *k)
{
    instance_set_unref(&k->set);
    arena_free(k->arena);
    free(k->name);
    free(k);
}

void builder_free(struct builder *b)
{
    struct known *k, *next;

    if (!b)
        return;
    HASH_ITER(hh, b->known, k, next)
    {
        HASH_DEL(b->known, k);
        known_free(k);
    }
    snapshot_unref(&b->last);
    service_rules_index_free(b->rules);
    limits_free(&b->limits);
    shared_routes_free(b->shared);
    tags_library_free(&b->library);
    issuer_set_unref(&b->issuers);
    credential_set_unref(&b->credentials);
    problems_free(b->problems);
    free(b->order);
    free(b);
}

/* Weights and addresses come and go without touching the routes; tags, meta and age do, and health
 * where routes are shared by weight. */
static uint64_t tag_signature(const struct instance_set *set, bool health)
{
    uint64_t h = 1;

    for (unsigned i = 0; i < set->n; i++) {
        const struct instance *in = &set->items[i];

        h = hash_mix(h ^ in->create_index);
        h = hash_mix(h ^ in->ntags);
        h = health ? hash_mix(h ^ instance_usable(in)) : h;
        for (unsigned t = 0; t < in->ntags; t++)
            h = hash_str(str_of(in->tags[t]), h);
        for (unsigned m = 0; m < in->nmeta; m++)
            h = hash_str(str_of(in->meta[m].value), hash_str(str_of(in->meta[m].key), h));
    }
    return h;
}

static struct known *find_or_add(struct builder *b, const char *name, bool *ret_added)
{
    struct known *k;

    HASH_FIND_STR(b->known, name, k);
    if (k)
        return k;
    *ret_added = true;
    k = calloc(1, sizeof *k);
    if (!k || !(k->name = strdup(name)))
        abort();
    HASH_ADD_KEYPTR(hh, b->known, k->name, strlen(k->name), k);
    return k;
}

static void read_tags(struct builder *b, struct known *k, const struct discovery *d,
                      const struct config *c)
{
    arena_free(k->arena);
    k->arena = arena_new();
    memset(&k->routes, 0, sizeof k->routes);
    if (c->consul.enabled && c->consul.expose != EXPOSE_NONE &&
        !discovery_is_target(d, k->set->service))
        tags_parse_with(k->set, &c->consul, b->library, k->arena, &k->routes);
}

/* Brings one service up to date; true when its routes changed. */
static bool look_at(struct builder *b, struct known *k, struct instance_set *set,
                    const struct discovery *d, const struct config *c, bool config_changed)
{
    const struct fabio_weights *weights;
    uint64_t signature;

    if (k->set == set && !config_changed)
        return false;
    if (k->set != set) {
        k->changed = b->builds;
        instance_set_unref(&k->set);
        k->set = instance_set_ref(set);
    }
    weights = shared_routes_weights(b->shared, set->service);
    signature = tag_signature(set, weights && weights->health);
    if (k->arena && signature == k->signature && !config_changed)
        return false;
    k->signature = signature;
    k->defines = tags_library_part(set, &c->consul, &k->uses);
    read_tags(b, k, d, c);
    return true;
}

struct catalog_change {
    bool services; /* there are others than in the build before */
    bool routes;
};

/* Mostly the services are those of the build before, in the same order, and a few have another set:
 * so this looks by place first, and by name where that fails. */
static void look_at_catalog(struct builder *b, const struct discovery *d, const struct config *c,
                            bool config_changed, struct catalog_change *ret)
{
    size_t n = discovery_count(d);
    struct known **order = alloc_or_abort((n ? n : 1) * sizeof(struct known *));

    for (size_t i = 0; i < n; i++) {
        struct instance_set *set = discovery_at(d, i);
        bool same_place = i < b->norder && b->order[i]->set == set;
        struct known *k = same_place ? b->order[i] : find_or_add(b, set->service, &ret->services);

        k->seen = b->builds;
        ret->routes |= look_at(b, k, set, d, c, config_changed);
        order[i] = k;
    }
    free(b->order);
    b->order = order;
    b->norder = n;
}

/* Forgets the services that this build did not see. */
static void drop_unseen(struct builder *b, struct catalog_change *ret)
{
    struct known *k, *next;

    if (HASH_COUNT(b->known) == b->norder)
        return;
    HASH_ITER(hh, b->known, k, next)
    {
        if (k->seen == b->builds)
            continue;
        ret->services = true;
        ret->routes |=
            k->routes.ninputs > 0 || k->routes.nproblems > 0 || k->routes.targets || k->defines;
        HASH_DEL(b->known, k);
        known_free(k);
    }
}

/* Middlewares of one service are for the routers of all. */
static void share_middlewares(struct builder *b, const struct discovery *d, const struct config *c)
{
    const struct instance_set **sets;
    uint64_t defined = 0;
    size_t n = 0;

    for (struct known *k = b->known; k; k = k->hh.next)
        defined += k->defines ? hash_mix(k->defines ^ hash_str(str_of(k->name), 0)) : 0;
    if (defined == b->defined)
        return;
    b->defined = defined;
    sets = alloc_or_abort((HASH_COUNT(b->known) + 1) * sizeof(struct instance_set *));
    for (struct known *k = b->known; k; k = k->hh.next)
        if (k->defines)
            sets[n++] = k->set;
    tags_library_free(&b->library);
    b->library = tags_library_new(sets, n, &c->consul);
    free(sets);
    for (struct known *k = b->known; k; k = k->hh.next)
        if (k->uses)
            read_tags(b, k, d, c);
}

static void on_bad_route(void *arg, const struct route_conf *conf, const char *why)
{
    struct builder *b = arg;

    problems_add(b->problems, TAG_LEFT_OUT, "", conf->source ? conf->source : conf->name, why);
}

static uint32_t slot_of(void *arg, const char *service)
{
    struct builder *b = arg;

    return registry_service(b->registry, service)->slot;
}

static void mark_configured(void *arg, const char *service)
{
    struct builder *b = arg;
    struct known *k;

    HASH_FIND_STR(b->known, service, k);
    if (k)
        k->configured = true;
}

static void find_configured(struct builder *b, const struct config *c)
{
    for (struct known *k = b->known; k; k = k->hh.next)
        k->configured = false;
    for (size_t i = 0; i < c->nroutes; i++)
        for (size_t t = 0; t < c->routes[i].ntargets; t++)
            mark_configured(b, c->routes[i].targets[t].service);
    fallback_each_service(c, mark_configured, b);
    authority_each_service(c, mark_configured, b);
    part_each_service(c, mark_configured, b);
}

/* What fabio's tags and commands make of all services together. */
static const struct fabio_merged *share_routes(struct builder *b, const struct config *c)
{
    bool all = shared_routes_commanded(b->shared);
    struct fabio_service *list = alloc_or_abort((HASH_COUNT(b->known) + 1) * sizeof *list);
    const struct fabio_merged *merged;
    size_t n = 0;

    find_configured(b, c);
    for (struct known *k = b->known; k; k = k->hh.next)
        if (all || k->routes.targets)
            list[n++] = (struct fabio_service){k->set, k->routes.targets,
                                               k->routes.ninputs == 0 && !k->configured};
    merged = shared_routes_build(b->shared, list, n, &c->consul);
    free(list);
    return merged;
}

static struct route_table *compile_routes(struct builder *b, const struct config *c)
{
    const struct fabio_merged *shared = share_routes(b, c);
    size_t n = c->nroutes + shared->ninputs, at = 0;
    struct route_input *inputs;
    struct route_table *t;

    for (struct known *k = b->known; k; k = k->hh.next)
        n += k->routes.ninputs;
    inputs = calloc(n ? n : 1, sizeof *inputs);
    if (!inputs)
        abort();
    problems_begin(b->problems);
    for (size_t i = 0; i < c->nroutes; i++)
        inputs[at++] = (struct route_input){.conf = &c->routes[i]};
    for (struct known *k = b->known; k; k = k->hh.next) {
        for (size_t i = 0; i < k->routes.ninputs; i++)
            inputs[at++] = k->routes.inputs[i];
        for (size_t i = 0; i < k->routes.nproblems; i++) {
            const struct tag_problem *p = &k->routes.problems[i];
            problems_add(b->problems, p->kind, p->service, p->tag, p->why);
        }
    }
    for (size_t i = 0; i < shared->ninputs; i++)
        inputs[at++] = shared->inputs[i];
    for (size_t i = 0; i < shared->nproblems; i++)
        problems_add(b->problems, shared->problems[i].kind, shared->problems[i].service,
                     shared->problems[i].tag, shared->problems[i].why);
    t = route_table_build(inputs, at, slot_of, on_bad_route, b);
    problems_end(b->problems);
    free(inputs);
    if (!t)
        abort();
    return t;
}

static struct service_view *last_view(const struct builder *b, uint32_t slot)
{
    return b->last && slot < b->last->nslots ? b->last->services[slot] : NULL;
}

/* Marks the instances of `v` (may be NULL) that no view of this build has as gone. One that comes
 * back is a new copy, most likely, and so begins its slow start. */
static void retire_missing(const struct builder *b, const struct service_view *v)
{
    for (unsigned i = 0; v && i < v->n; i++) {
        if (v->states[i]->seen_in == b->builds)
            continue;
        v->states[i]->usable = false;
        atomic_store_explicit(&v->states[i]->present, false, memory_order_relaxed);
    }
}

static void mark_present(const struct builder *b, const struct service_view *v)
{
    for (unsigned i = 0; i < v->n; i++) {
        v->states[i]->seen_in = b->builds;
        v->states[i]->absent_since_ns = 0;
        atomic_store_explicit(&v->states[i]->present, true, memory_order_relaxed);
    }
}

struct placing {
    struct builder *b;
    struct snapshot *s;
    const struct discovery *d;
    uint64_t now_ns;
};

/* The view of one service: last build's when nothing about it changed. */
static void place_service(const struct placing *p, const char *name, struct instance_set *set)
{
    struct builder *b = p->b;
    struct snapshot *s = p->s;
    struct service_rules rules = service_rules_find(b->rules, s->config, name);
    struct service_state *state = registry_service(b->registry, name);
    struct service_view *old = last_view(b, state->slot);
    const struct fabio_weights *shared = shared_routes_weights(b->shared, name);
    const struct instance_weights *weights = shared ? &shared->list : NULL;

    if (state->slot >= s->nslots || s->services[state->slot])
        return;
    if ((!old || old->n == 0) && discovery_rules_awaited(p->d, name))
        set = NULL;
    if (old && old->set == set && old->config == s->config &&
        old->weights_hash == service_view_weights_hash(weights) &&
        service_view_has_rules(old, &rules)) {
        s->services[state->slot] = service_view_ref(old);
        return;
    }
    if (!old || old->config != s->config)
        registry_configure(state, config_service(s->config, name));
    s->services[state->slot] =
        service_view_new(b->registry, state, s->config, set, weights, &rules, p->now_ns);
    mark_present(b, s->services[state->slot]);
    retire_missing(b, old);
}

static void register_service(void *arg, const char *service)
{
    registry_service(arg, service);
}

static void place_named(void *arg, const char *service)
{
    const struct placing *p = arg;

    place_service(p, service, discovery_find(p->d, service));
}

static void place_services(struct builder *b, struct snapshot *s, const struct discovery *d,
                           uint64_t now_ns)
{
    struct placing p = {b, s, d, now_ns};

    for (struct known *k = b->known; k; k = k->hh.next)
        registry_service(b->registry, k->name);
    fallback_each_service(s->config, register_service, b->registry);
    authority_each_service(s->config, register_service, b->registry);
    part_each_service(s->config, register_service, b->registry);
    service_rules_each_target(b->rules, register_service, b->registry);
    s->nslots = registry_slots(b->registry);
    s->services = calloc(s->nslots ? s->nslots : 1, sizeof(struct service_view *));
    if (!s->services)
        abort();
    for (struct known *k = b->known; k; k = k->hh.next)
        place_service(&p, k->name, k->set);
    for (size_t i = 0; i < route_table_count(s->routes); i++) {
        const struct route_conf *c = route_table_at(s->routes, i)->conf;

        for (size_t t = 0; t < c->ntargets; t++)
            place_named(&p, c->targets[t].service);
    }
    fallback_each_service(s->config, place_named, &p);
    authority_each_service(s->config, place_named, &p);
    part_each_service(s->config, place_named, &p);
    service_rules_each_target(b->rules, place_named, &p);
    for (uint32_t i = 0; b->last && i < b->last->nslots; i++)
        if (!s->services[i])
            retire_missing(b, b->last->services[i]);
}

/* The same services as before: only those with another set get a view of their own. */
static void place_changed(struct builder *b, struct snapshot *s, const struct discovery *d,
                          uint64_t now_ns)
{
    struct placing p = {b, s, d, now_ns};

    s->nslots = b->last->nslots;
    s->services = alloc_or_abort((s->nslots ? s->nslots : 1) * sizeof(struct service_view *));
    for (uint32_t i = 0; i < s->nslots; i++)
        s->services[i] = b->last->services[i] ? service_view_ref(b->last->services[i]) : NULL;
    for (size_t i = 0; i < b->norder; i++) {
        const struct known *k = b->order[i];

        if (k->changed != b->builds)
            continue;
        service_view_unref(&s->services[registry_service(b->registry, k->name)->slot]);
        place_service(&p, k->name, k->set);
    }
}

static struct limit_set *apply_limits(struct builder *b, const struct config *c, uint64_t now_ns)
{
    struct limit_clock clock = {.now_ns = now_ns, .wall_s = clock_wall_ms() / 1000};

    return limits_apply(b->limits, c, &clock);
}

void builder_use_issuers(struct builder *b, struct issuer_set *set)
{
    issuer_set_ref(set);
    issuer_set_unref(&b->issuers);
    b->issuers = set;
}

void builder_use_credentials(struct builder *b, struct credential_set *set)
{
    credential_set_ref(set);
    credential_set_unref(&b->credentials);
    b->credentials = set;
}

void builder_await_routes(struct builder *b, bool awaiting)
{
    b->awaiting = awaiting;
}

void builder_use_fabio(struct builder *b, struct fabio_commands *commands)
{
    shared_routes_use(b->shared, commands);
    b->commands_changed = true;
}

static uint32_t *slots_of(size_t n)
{
    uint32_t *slots = calloc(n ? n : 1, sizeof *slots);

    if (!slots)
        abort();
    return slots;
}

static void find_authorities(struct builder *b, struct snapshot *s)
{
    const struct config *c = s->config;

    s->forward_slots = slots_of(c->nforward_auth);
    for (size_t i = 0; i < c->nforward_auth; i++)
        s->forward_slots[i] = slot_of(b, c->forward_auth[i].service);
    s->introspection_slots = slots_of(c->nintrospection);
    for (size_t i = 0; i < c->nintrospection; i++)
        s->introspection_slots[i] = slot_of(b, c->introspection[i].service);
}

static void refresh_rules(struct builder *b, const struct discovery *d)
{
    if (b->rules && b->last_discovery == d && b->last_rules == discovery_rules_version(d))
        return;
    service_rules_index_free(b->rules);
    b->rules = service_rules_index_new(d);
}

static bool only_sets_changed(const struct builder *b, const struct discovery *d,
                              const struct catalog_change *change)
{
    return b->last && !change->routes && !change->services && b->last_discovery == d &&
           b->last_rules == discovery_rules_version(d) &&
           b->last->nslots == registry_slots(b->registry);
}

struct snapshot *builder_build(struct builder *b, struct config *c, const struct discovery *d,
                               uint64_t now_ns)
{
    bool config_changed = !b->last || b->last->config != c;
    struct catalog_change change = {.routes = config_changed | b->commands_changed};
    struct snapshot *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    b->builds++;
    look_at_catalog(b, d, c, config_changed, &change);
    drop_unseen(b, &change);
    if (change.routes)
        share_middlewares(b, d, c);
    b->commands_changed = false;

    s->refs = 1;
    s->version = b->last ? b->last->version + 1 : 1;
    s->complete = discovery_ready(d) && !b->awaiting;
    s->config = config_ref(c);
    s->routes = change.routes ? compile_routes(b, c) : route_table_ref(b->last->routes);
    s->limits = config_changed ? apply_limits(b, c, now_ns) : limit_set_ref(b->last->limits);
    s->issuers = b->issuers ? issuer_set_ref(b->issuers) : NULL;
    s->credentials = b->credentials ? credential_set_ref(b->credentials) : NULL;
    refresh_rules(b, d);
    if (only_sets_changed(b, d, &change))
        place_changed(b, s, d, now_ns);
    else
        place_services(b, s, d, now_ns);
    find_authorities(b, s);
    b->last_discovery = d;
    b->last_rules = discovery_rules_version(d);
    snapshot_unref(&b->last);
    b->last = snapshot_ref(s);
    registry_sweep(b->registry, now_ns);
    return s;
}

size_t builder_problems(const struct builder *b, const struct route_problem **ret_list)
{
    return problems_found(b->problems, ret_list);
}
