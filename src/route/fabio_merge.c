/* SPDX-License-Identifier: Apache-2.0 */
#include "route/fabio.h"
#include "route/fabio_shares.h"
#include "route/tags_set.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

struct merge {
    const struct consul_conf *consul;
    struct arena *arena;
    struct fabio_merged *out;
    struct merge_target *targets;
    size_t n, cap;
    struct merge_service *services; /* hash by name */
    size_t max_problems;
};

static void report(struct merge *m, enum tag_problem_kind kind, const char *service,
                   const char *tag, const char *why)
{
    struct tag_problem *p = m->out->problems;

    for (size_t i = 0; i < m->out->nproblems; i++)
        if (strcmp(p[i].tag, tag) == 0 && strcmp(p[i].why, why) == 0 &&
            strcmp(p[i].service, service) == 0)
            return;
    if (m->out->nproblems < m->max_problems)
        p[m->out->nproblems++] = (struct tag_problem){service, tag, why, kind};
}

static struct merge_service *service_of(struct merge *m, const char *name)
{
    struct merge_service *s;

    HASH_FIND_STR(m->services, name, s);
    if (s)
        return s;
    s = ARENA_NEW(m->arena, struct merge_service);
    s->name = arena_strdup(m->arena, name);
    HASH_ADD_KEYPTR(hh, m->services, s->name, strlen(s->name), s);
    return s;
}

static void add_target(struct merge *m, const struct fabio_target *t, struct merge_service *service)
{
    if (m->n == m->cap) {
        struct merge_target *more = ARENA_ARRAY(m->arena, struct merge_target, m->cap * 2 + 64);

        if (m->n > 0)
            memcpy(more, m->targets, m->n * sizeof *more);
        m->targets = more;
        m->cap = m->cap * 2 + 64;
    }
    m->targets[m->n] = (struct merge_target){
        .of = t, .service = service, .hash = t->match_hash, .order = m->n, .weight = t->weight};
    merge_target_find(&m->targets[m->n]);
    m->n++;
}

static const char *where(struct merge *m, const struct fabio_command *c)
{
    return *c->key ? arena_printf(m->arena, "kv %s line %u: %s", c->key, c->line, c->text)
                   : "commands of the KV store";
}

/* "redirect=301" has its address in dst, and proto is what the scheme of dst says. */
static const char *options_of(struct merge *m, const struct fabio_command *c)
{
    static const char key[] = "redirect=";
    size_t n = c->redirect ? strspn(c->redirect + sizeof key - 1, "0123456789") : 0;

    if (!c->redirect || !strchr(" \t", c->redirect[sizeof key - 1 + n]))
        return c->opts ? c->opts : "";
    n += (size_t)(c->redirect - c->opts) + sizeof key - 1;
    return arena_printf(m->arena, "%.*s,%s%s", (int)n, c->opts, c->dst, c->opts + n);
}

static void obey_add(struct merge *m, const struct fabio_command *c)
{
    bool six = strchr(c->host, ':') != NULL;
    struct instance like = {
        .node = "",
        .id = arena_printf(m->arena, six ? "[%s]:%u" : "%s:%u", c->host, (unsigned)c->port),
        .address = c->host,
        .port = c->port};
    struct fabio_target t = {.service = c->static_service,
                             .instance = instance_key(&like),
                             .src = c->src,
                             .dst = c->dst,
                             .scheme = c->scheme,
                             .weight = c->weight,
                             .tags = c->tags,
                             .ntags = c->ntags};
    struct instance_set set = {.service = c->static_service};
    struct fabio_target *first = NULL;
    struct tag_routes routes = {.problems =
                                    ARENA_ARRAY(m->arena, struct tag_problem, TAGS_MAX_PROBLEMS)};
    struct tags_set s = {
        .instances = &set, .consul = m->consul, .arena = m->arena, .out = &routes, .last = &first};

    tags_fabio_add(&s, &t, str_of(where(m, c)), str_of(c->src), str_of(options_of(m, c)));
    for (const struct fabio_target *made = first; made; made = made->next)
        add_target(m, made, service_of(m, made->service));
    for (size_t i = 0; i < routes.nproblems; i++)
        report(m, routes.problems[i].kind, c->service, where(m, c), routes.problems[i].why);
}

static bool same_dst(const char *a, const char *b)
{
    size_t x = strlen(a), y = strlen(b);

    x -= x > 0 && a[x - 1] == '/';
    y -= y > 0 && b[y - 1] == '/';
    return x == y && strncmp(a, b, x) == 0;
}

/* The address as fabio writes it. */
static bool is_dst(const char *dst, const struct merge_target *t)
{
    const struct instance *i;
    char text[600];
    bool six;

    if (t->of->dst)
        return same_dst(dst, t->of->dst);
    if (t->at == UINT_MAX)
        return false;
    i = &t->service->set->items[t->at];
    six = i->address && strchr(i->address, ':');
    snprintf(text, sizeof text, "%s://%s%s%s:%u/", t->of->scheme, six ? "[" : "",
             i->address ? i->address : "", six ? "]" : "", (unsigned)i->port);
    return same_dst(dst, text);
}

static bool has_tag(const struct fabio_target *t, const char *tag)
{
    for (unsigned i = 0; i < t->ntags; i++)
        if (strcmp(t->tags[i], tag) == 0)
            return true;
    return false;
}

/* Of the service, or added by a command under its name. */
static bool is_service(const struct fabio_target *t, const char *name)
{
    size_t n = strlen(name);

    return strncmp(t->service, name, n) == 0 &&
           (t->service[n] == '\0' || strncmp(t->service + n, ":kv", 3) == 0);
}

/* Hosts in any case. */
static bool same_src(const char *a, const char *b)
{
    size_t host = strcspn(a, "/");

    return strcspn(b, "/") == host && str_ieq((struct str){a, host}, (struct str){b, host}) &&
           strcmp(a + host, b + host) == 0;
}

static bool is_meant(const struct fabio_command *c, const struct merge_target *target)
{
    const struct fabio_target *t = target->of;

    if (target->gone || (c->service && !is_service(t, c->service)) ||
        (c->src && !same_src(c->src, t->src)) || (c->dst && !is_dst(c->dst, target)))
        return false;
    for (unsigned i = 0; i < c->ntags; i++)
        if (!has_tag(t, c->tags[i]))
            return false;
    return true;
}

static void obey_change(struct merge *m, const struct fabio_command *c)
{
    size_t found = 0;

    for (size_t i = 0; i < m->n; i++)
        found += is_meant(c, &m->targets[i]);
    if (found == 0)
        report(m, TAG_NOT_OBEYED, c->service ? c->service : "", where(m, c),
               "there is no such target at the moment");
    for (size_t i = 0; i < m->n && found > 0; i++) {
        struct merge_target *t = &m->targets[i];

        if (!is_meant(c, t))
            continue;
        if (c->verb == FABIO_DELETE)
            t->gone = true;
        else
            t->weight = c->weight / (double)found;
    }
}

static void obey(struct merge *m, const struct fabio_commands *commands)
{
    for (size_t i = 0; commands && i < commands->n; i++) {
        const struct fabio_command *c = &commands->items[i];

        if (c->trouble)
            report(m, TAG_LEFT_OUT, c->service ? c->service : "", where(m, c), c->trouble);
        else if (c->verb == FABIO_ADD)
            obey_add(m, c);
        else
            obey_change(m, c);
    }
}

static void drop_gone(struct merge *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        if (!m->targets[i].gone)
            m->targets[n++] = m->targets[i];
    m->n = n;
}

/* Targets of one route side by side; among them, the oldest service first, then as they came. */
static int by_route(const void *pa, const void *pb)
{
    const struct merge_target *a = pa, *b = pb;
    int order;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    order = a->of->match == b->of->match ? 0 : strcmp(a->of->match, b->of->match);
    if (order == 0)
        order = (a->of->create_index > b->of->create_index) -
                (a->of->create_index < b->of->create_index);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* The targets of one route. */
struct group {
    struct merge_target *targets;
    size_t n;
};

static int by_match(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return strcmp(x->targets[0].of->match, y->targets[0].of->match);
}

static bool same_route(const struct fabio_target *a, const struct fabio_target *b)
{
    return a->match_hash == b->match_hash &&
           (a->match == b->match || strcmp(a->match, b->match) == 0);
}

static void check_options(struct merge *m, const struct merge_target *t, size_t n,
                          struct route_conf *conf)
{
    const char *first = t[0].of->action;

    for (size_t i = 1; i < n; i++) {
        if (t[i].of->action == first || strcmp(first, t[i].of->action) == 0)
            continue;
        tags_guard(conf, t[i].of->conf);
        report(m, TAG_NOT_OBEYED, t[i].of->service, t[i].of->tag, TAGS_DISPUTED);
    }
}

static void add_route(struct merge *m, struct merge_target *t, size_t n)
{
    struct route_conf *conf = ARENA_NEW(m->arena, struct route_conf);
    uint64_t oldest = t[0].of->create_index;

    *conf = *t[0].of->conf;
    check_options(m, t, n, conf);
    if (conf->redirect_status == 0) {
        const char *why = fabio_share(t, n, m->arena, conf);
        if (why)
            report(m, TAG_NOT_OBEYED, t[0].of->service, t[0].of->tag, why);
    }
    m->out->inputs[m->out->ninputs++] = (struct route_input){conf, true, oldest};
}

static void add_routes(struct merge *m)
{
    struct group *groups = ARENA_ARRAY(m->arena, struct group, m->n);
    size_t ngroups = 0;

    if (m->n > 0)
        qsort(m->targets, m->n, sizeof *m->targets, by_route);
    for (size_t i = 0; i < m->n; i++) {
        if (i == 0 || !same_route(m->targets[i - 1].of, m->targets[i].of))
            groups[ngroups++] = (struct group){&m->targets[i], 0};
        groups[ngroups - 1].n++;
    }
    if (ngroups > 0)
        qsort(groups, ngroups, sizeof *groups, by_match);
    m->out->inputs = ARENA_ARRAY(m->arena, struct route_input, ngroups);
    for (size_t i = 0; i < ngroups; i++)
        add_route(m, groups[i].targets, groups[i].n);
}

static void add_weights(struct merge *m)
{
    m->out->weights = ARENA_ARRAY(m->arena, struct fabio_weights, HASH_COUNT(m->services));
    for (struct merge_service *s = m->services; s; s = s->hh.next) {
        struct fabio_weights *w = &m->out->weights[m->out->nweights];

        if (s->conflict)
            report(m, TAG_NOT_OBEYED, s->name, s->conflict,
                   "the weights of an instance hold for all routes of its service: those of "
                   "another of its tags are in use");
        *w = (struct fabio_weights){.service = s->name, .health = s->health};
        fabio_service_weights(s, m->arena, &w->list);
        m->out->nweights += w->health || w->list.n > 0;
    }
}

void fabio_merge(const struct fabio_service *services, size_t n,
                 const struct fabio_commands *commands, const struct consul_conf *consul,
                 struct arena *a, struct fabio_merged *ret)
{
    struct merge m = {
        .consul = consul,
        .arena = a,
        .out = ret,
        .max_problems = n * 4 + (commands ? commands->n : 0) + TAGS_MAX_PROBLEMS,
    };

    *ret = (struct fabio_merged){0};
    ret->problems = ARENA_ARRAY(a, struct tag_problem, m.max_problems);
    for (size_t i = 0; i < n; i++) {
        struct merge_service *s = service_of(&m, services[i].set->service);

        merge_service_init(s, &services[i], a);
        for (const struct fabio_target *t = services[i].targets; t; t = t->next)
            add_target(&m, t, s);
    }
    obey(&m, commands);
    drop_gone(&m);
    add_routes(&m);
    add_weights(&m);
    HASH_CLEAR(hh, m.services);
}
