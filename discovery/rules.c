/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"
#include "base/clock.h"
#include "query.h"

#include <event2/event.h>
#include <stdlib.h>
#include <strings.h>
#include <uthash.h>

enum { FAIL_BACK_MS = 30000, PATIENCE_MS = 5000 };

/* The rules of one service. */
struct rule {
    UT_hash_handle hh;
    char *service;      /* owned; lower case */
    struct chain *now;  /* ref; in force, or NULL */
    struct chain *next; /* ref; comes into force when its targets are known, or NULL */
    uint64_t since_ns;  /* that it does */
    bool seen;          /* mark of the synchronisation in progress */
};

struct rules {
    struct consul_source *consul; /* borrowed */
    struct catalog *catalog;      /* borrowed */
    struct chain_source *chains;  /* owned */
    struct rule *all;             /* owned; by service */
    struct event *patience;       /* owned */
    struct arena *used_arena;     /* owned; holds `used` */
    const char **used;
    size_t nused;
    struct arena *arena; /* owned; holds `targets` */
    struct rule_targets targets;
    struct chain **force; /* owned array: what is in force, by service */
    size_t nforce;
    uint64_t synced, catalog_version, version;
    chain_source_changed_fn *changed;
    void *arg;
};

static struct discovery_place place_of(const struct chain_target *t)
{
    return (struct discovery_place){.service = t->service,
                                    .datacenter = t->datacenter,
                                    .filter = t->filter,
                                    .ns = t->ns,
                                    .partition = t->partition,
                                    .peer = t->peer,
                                    .only_passing = t->only_passing};
}

static bool has_group(const struct rule_targets *all, const char *name)
{
    for (size_t i = 0; i < all->ngroups; i++)
        if (strcmp(all->groups[i].name, name) == 0)
            return true;
    return false;
}

static void add_group(const struct chain *c, const struct chain_resolver *r, struct arena *a,
                      struct rule_targets *ret)
{
    const char *name = c->targets[r->target].key;
    struct discovery_place *places;

    if (has_group(ret, name))
        return;
    places = ARENA_ARRAY(a, struct discovery_place, r->nfailovers + 1);
    places[0] = place_of(&c->targets[r->target]);
    for (unsigned i = 0; i < r->nfailovers; i++)
        places[i + 1] = place_of(&c->targets[r->failovers[i]]);
    ret->groups[ret->ngroups++] =
        (struct discovery_group){.name = name,
                                 .places = places,
                                 .n = r->nfailovers + 1,
                                 .fail_back_ms = r->nfailovers ? FAIL_BACK_MS : 0};
}

void rule_targets_of(struct chain *const *chains, size_t n, struct arena *a,
                     struct rule_targets *ret)
{
    size_t nodes = 0;

    for (size_t i = 0; i < n; i++)
        nodes += chains[i]->nnodes;
    *ret = (struct rule_targets){.groups = ARENA_ARRAY(a, struct discovery_group, nodes),
                                 .services = ARENA_ARRAY(a, const char *, nodes)};
    for (size_t i = 0; i < n; i++) {
        const struct chain *c = chains[i];

        for (unsigned k = 0; k < c->nnodes; k++) {
            const struct chain_resolver *r = &c->nodes[k].resolver;
            const struct chain_target *t;

            if (c->nodes[k].kind != CHAIN_RESOLVER)
                continue;
            t = &c->targets[r->target];
            if (r->nfailovers > 0 || strcmp(t->key, t->service) != 0)
                add_group(c, r, a, ret);
            else
                ret->services[ret->nservices++] = t->service;
        }
    }
}

static void use_all(struct rules *r)
{
    size_t n = r->nused + r->targets.nservices;
    const char **names = calloc(n ? n : 1, sizeof *names);

    if (!names)
        abort();
    for (size_t i = 0; i < r->nused; i++)
        names[i] = r->used[i];
    for (size_t i = 0; i < r->targets.nservices; i++)
        names[r->nused + i] = r->targets.services[i];
    consul_source_use(r->consul, names, n);
    free(names);
}

/* The texts of the targets are those of chains that may go. */
static void keep_texts(struct rules *r)
{
    struct rule_targets *t = &r->targets;

    for (size_t i = 0; i < t->nservices; i++)
        t->services[i] = arena_strdup(r->arena, t->services[i]);
    for (size_t i = 0; i < t->ngroups; i++)
        t->groups[i].name = arena_strdup(r->arena, t->groups[i].name);
}

static void list_force(struct rules *r)
{
    free(r->force);
    r->nforce = 0;
    r->force = calloc(HASH_COUNT(r->all) + 1, sizeof(struct chain *));
    if (!r->force)
        abort();
    for (const struct rule *u = r->all; u; u = u->hh.next)
        if (u->now)
            r->force[r->nforce++] = u->now;
}

/* What is in force and what comes, of all services. */
static void follow_targets(struct rules *r)
{
    struct chain **chains = calloc(2 * HASH_COUNT(r->all) + 1, sizeof *chains);
    size_t n = 0;

    if (!chains)
        abort();
    for (const struct rule *u = r->all; u; u = u->hh.next)
        if (u->next)
            chains[n++] = u->next;
    for (const struct rule *u = r->all; u; u = u->hh.next)
        if (u->now)
            chains[n++] = u->now;
    list_force(r);
    arena_free(r->arena);
    r->arena = arena_new();
    rule_targets_of(chains, n, r->arena, &r->targets);
    consul_source_set_groups(r->consul, GROUPS_CHAIN, r->targets.groups, r->targets.ngroups);
    keep_texts(r);
    use_all(r);
    free(chains);
}

static struct rule *find_or_add(struct rules *r, const char *service)
{
    struct rule *u;

    HASH_FIND_STR(r->all, service, u);
    if (u)
        return u;
    u = calloc(1, sizeof *u);
    if (!u || !(u->service = strdup(service)))
        abort();
    HASH_ADD_KEYPTR(hh, r->all, u->service, strlen(u->service), u);
    return u;
}

static void remove_rule(struct rules *r, struct rule *u)
{
    HASH_DEL(r->all, u);
    chain_unref(&u->now);
    chain_unref(&u->next);
    free(u->service);
    free(u);
}

static int by_service(const struct rule *a, const struct rule *b)
{
    return strcmp(a->service, b->service);
}

static void take(struct rules *r, const struct chain_status *s)
{
    struct rule *u = find_or_add(r, s->service);

    u->seen = true;
    if (s->chain == (u->next ? u->next : u->now))
        return;
    chain_unref(&u->next);
    if (s->chain == u->now)
        return;
    u->next = chain_ref(s->chain);
    u->since_ns = clock_now_ns();
}

/* Takes over what Consul says now. */
static void synchronise(struct rules *r)
{
    struct rule *u, *tmp;

    for (u = r->all; u; u = u->hh.next)
        u->seen = false;
    for (size_t i = 0; i < chain_source_count(r->chains); i++) {
        struct chain_status s;

        chain_source_at(r->chains, i, &s);
        if (s.chain)
            take(r, &s);
    }
    HASH_ITER(hh, r->all, u, tmp)
    {
        if (!u->seen)
            remove_rule(r, u);
    }
    HASH_SORT(r->all, by_service);
    /* Also for who awaited rules, when there are none in the end. */
    r->version++;
    follow_targets(r);
}

static bool is_heard(const struct rules *r, const char *service)
{
    struct discovery_watch_status status = {0};

    return catalog_status(r->catalog, service, &status) &&
           (status.is_static || status.answered_ns > 0);
}

static bool targets_heard(const struct rules *r, const struct chain *c)
{
    for (unsigned i = 0; i < c->nnodes; i++)
        if (c->nodes[i].kind == CHAIN_RESOLVER &&
            !is_heard(r, c->targets[c->nodes[i].resolver.target].key))
            return false;
    return true;
}

/* Brings into force what is ready. True when something was. */
static bool settle(struct rules *r)
{
    uint64_t now = clock_now_ns();
    bool any = false, waits = false;
    /* A little more, since the loop's clock may be late. */
    static const struct timeval again = {PATIENCE_MS / 1000, 50000};

    for (struct rule *u = r->all; u; u = u->hh.next) {
        if (!u->next)
            continue;
        if (targets_heard(r, u->next) || now - u->since_ns >= PATIENCE_MS * NS_PER_MS) {
            chain_unref(&u->now);
            u->now = u->next;
            u->next = NULL;
            any = true;
        } else {
            waits = true;
        }
    }
    if (waits && !evtimer_pending(r->patience, NULL))
        evtimer_add(r->patience, &again);
    r->version += any;
    return any;
}

static void on_changed(void *arg)
{
    struct rules *r = arg;

    if (r->synced != chain_source_version(r->chains)) {
        r->synced = chain_source_version(r->chains);
        synchronise(r);
    }
    if (settle(r))
        follow_targets(r);
    r->changed(r->arg);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    on_changed(arg);
}

static bool is_used(void *arg, const char *service)
{
    const struct rules *r = arg;

    return catalog_find(r->catalog, service) && !catalog_is_static(r->catalog, service);
}

struct rules *rules_new(struct consul_source *consul, struct catalog *c, uint64_t wait_ms,
                        chain_source_changed_fn *changed, void *arg)
{
    struct rules *r = calloc(1, sizeof *r);

    if (!r)
        abort();
    r->consul = consul;
    r->catalog = c;
    r->changed = changed;
    r->arg = arg;
    r->patience = evtimer_new(consul_source_pool(consul)->base, on_patience, r);
    if (!r->patience)
        abort();
    r->chains = chain_source_new(consul_source_pool(consul), wait_ms,
                                 consul_source_multiplexed(consul), is_used, on_changed, r);
    return r;
}

void rules_free(struct rules *r)
{
    struct rule *u, *tmp;

    if (!r)
        return;
    HASH_ITER(hh, r->all, u, tmp)
    {
        remove_rule(r, u);
    }
    event_free(r->patience);
    free(r->force);
    chain_source_free(r->chains);
    arena_free(r->arena);
    arena_free(r->used_arena);
    free(r);
}

void rules_use(struct rules *r, const char *const *services, size_t n)
{
    arena_free(r->used_arena);
    r->used_arena = arena_new();
    r->used = ARENA_ARRAY(r->used_arena, const char *, n);
    for (size_t i = 0; i < n; i++)
        r->used[i] = arena_strdup(r->used_arena, services[i]);
    r->nused = n;
    use_all(r);
}

static bool is_waiting(const struct rules *r)
{
    for (const struct rule *u = r->all; u; u = u->hh.next)
        if (u->next)
            return true;
    return false;
}

void rules_catalog_changed(struct rules *r)
{
    /* That a service has no instances is news, too, to who waits for it. */
    if (r->catalog_version == catalog_version(r->catalog) && !is_waiting(r))
        return;
    r->catalog_version = catalog_version(r->catalog);
    chain_source_review(r->chains);
}

void rules_leave_out(struct rules *r, const char *const *services, size_t n)
{
    chain_source_leave_out(r->chains, services, n);
}

uint64_t rules_version(const struct rules *r)
{
    return r->version;
}

bool rules_heard(const struct rules *r)
{
    if (!chain_source_heard(r->chains) || r->synced != chain_source_version(r->chains))
        return false;
    return !is_waiting(r);
}

/* Any case. */
static const struct rule *find(const struct rules *r, const char *service)
{
    char *name = strdup(service);
    struct rule *u;

    if (!name)
        abort();
    for (char *p = name; *p; p++)
        *p = ascii_lower(*p);
    HASH_FIND_STR(r->all, name, u);
    free(name);
    return u;
}

struct chain *rules_find(const struct rules *r, const char *service)
{
    const struct rule *u = find(r, service);

    return u ? u->now : NULL;
}

bool rules_awaited(const struct rules *r, const char *service)
{
    const struct rule *u = find(r, service);

    return u && u->next ? !u->now : chain_source_awaits(r->chains, service);
}

struct chain *const *rules_all(const struct rules *r, size_t *ret_n)
{
    *ret_n = r->nforce;
    return r->force;
}

const struct chain_source *rules_source(const struct rules *r)
{
    return r->chains;
}

/* A plain service with targets to fall back on is a service, too. */
bool rules_is_target(const struct rules *r, const char *service)
{
    for (size_t i = 0; i < r->targets.ngroups; i++) {
        const struct discovery_group *g = &r->targets.groups[i];

        if (strcasecmp(g->name, service) == 0)
            return strpbrk(g->name, ":@+") != NULL;
    }
    return false;
}
