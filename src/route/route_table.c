/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route_table.h"

#include <stdatomic.h>
#include <stdlib.h>

static uint32_t new_node(struct route_table *t)
{
    if (t->nnodes == t->max_nodes) {
        t->max_nodes = t->max_nodes ? t->max_nodes * 2 : 64;
        t->nodes = realloc(t->nodes, t->max_nodes * sizeof(*t->nodes));
        if (!t->nodes)
            abort();
    }
    t->nodes[t->nnodes] = (struct node){0};
    return t->nnodes++;
}

/* Routes come in order of precedence, so appending keeps lists in order. */
static void append(struct route_table *t, struct route_list *list, uint32_t index)
{
    if (list->last)
        t->routes[list->last - 1].next = index + 1;
    else
        list->first = index + 1;
    list->last = index + 1;
}

static struct host *host_of(struct route_table *t, const char *name)
{
    struct host_glob *glob = route_globs_find(t, name);
    bool wildcard = name[0] == '*';

    if (glob && glob->host == 0) {
        glob->host = ++t->nhosts;
        t->hosts[glob->host - 1].root = new_node(t);
    }
    if (glob)
        return &t->hosts[glob->host - 1];
    uint32_t *at = route_map_at(&t->host_map, wildcard ? HOST_WILDCARD : HOST_EXACT,
                                str_of(wildcard ? name + 1 : name));

    if (*at == 0) {
        *at = ++t->nhosts;
        t->hosts[*at - 1].root = new_node(t);
    }
    return &t->hosts[*at - 1];
}

static uint32_t child_of(struct route_table *t, uint32_t node, struct str segment, bool param)
{
    if (!param) {
        uint32_t *at = route_map_at(&t->edge_map, node, segment);
        return *at ? *at : (*at = new_node(t));
    }
    if (t->nodes[node].param == 0) {
        uint32_t child = new_node(t);
        t->nodes[node].param = child;
    }
    return t->nodes[node].param;
}

static void insert_trie(struct route_table *t, uint32_t node, uint32_t index)
{
    const struct compiled *c = &t->routes[index];
    enum path_match match = c->route.conf->path_match;
    size_t at = 0, n = c->path.n;

    if (match == PATH_PREFIX && c->path.p[n - 1] == '/')
        n--;
    while (at < n) {
        const char *start = c->path.p + at + 1;
        const char *slash = memchr(start, '/', n - at - 1);
        struct str segment = {start, slash ? (size_t)(slash - start) : n - at - 1};
        bool param = match == PATH_PATTERN && segment.n > 0 && segment.p[0] == '{';

        if (param && segment.p[segment.n - 2] == '.') {
            append(t, &t->nodes[node].rest, index);
            return;
        }
        node = child_of(t, node, segment, param);
        at += segment.n + 1;
    }
    append(t, match == PATH_PREFIX ? &t->nodes[node].prefix : &t->nodes[node].exact, index);
}

static void insert_plain(struct route_table *t, struct host *h, uint32_t index)
{
    const struct compiled *c = &t->routes[index];
    bool fold = c->route.conf->path_match == PATH_PLAIN_IPREFIX;
    char *key = arena_strndup(t->arena, c->path.p, c->literal);

    for (size_t i = 0; fold && i < c->literal; i++)
        key[i] = ascii_lower(key[i]);
    uint32_t *at = route_map_at(&t->plain_map, (uint32_t)(h - t->hosts) * 2 + fold,
                                (struct str){key, c->literal});
    if (*at == 0)
        *at = ++t->nlists;
    append(t, &t->lists[*at - 1], index);
    if (!h->lengths)
        h->lengths = ARENA_ARRAY(t->arena, uint64_t, ROUTE_MAX_PATH / 64 + 1);
    h->lengths[c->literal / 64] |= 1ull << (c->literal % 64);
    h->plain = h->plain || !fold;
    h->plain_fold = h->plain_fold || fold;
}

static void insert(struct route_table *t, uint32_t index)
{
    const struct route_conf *conf = t->routes[index].route.conf;
    struct host *h = host_of(t, conf->host);

    switch (conf->path_match) {
    case PATH_PREFIX:
    case PATH_EXACT:
    case PATH_PATTERN:
        insert_trie(t, h->root, index);
        break;
    case PATH_PLAIN_PREFIX:
    case PATH_PLAIN_IPREFIX:
    case PATH_GLOB:
        insert_plain(t, h, index);
        break;
    }
}

/* Sorted by host: counts the distinct ones. */
static size_t count_hosts(const struct route_table *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        n +=
            i == 0 || strcmp(t->routes[i].route.conf->host, t->routes[i - 1].route.conf->host) != 0;
    return n;
}

static const uint32_t *part_slots(struct arena *a, const struct aggregate_conf *c,
                                  route_slot_fn *slot, void *arg)
{
    uint32_t *slots = c ? ARENA_ARRAY(a, uint32_t, c->nparts) : NULL;

    for (size_t i = 0; c && i < c->nparts; i++)
        slots[i] = slot(arg, c->parts[i].service);
    return slots;
}

struct route_table *route_table_build(const struct route_input *inputs, size_t n,
                                      route_slot_fn *slot, route_bad_fn *bad, void *arg)
{
    struct route_table *t = calloc(1, sizeof(*t));

    if (!t)
        abort();
    t->refs = 1;
    t->arena = arena_new();
    t->routes = ARENA_ARRAY(t->arena, struct compiled, n);
    for (size_t i = 0; i < n; i++) {
        struct compiled *c = &t->routes[t->n];

        *c = (struct compiled){
            .from_tags = inputs[i].from_tags,
            .create_index = inputs[i].create_index,
            .route = {.conf = route_copy(t->arena, inputs[i].conf), .id = (uint32_t)i}};
        const char *why = route_compile(c, t->arena);
        if (!why && !route_globs_add(t, c->route.conf->host))
            why = "more than 64 hosts with wildcards within";
        if (why)
            bad(arg, inputs[i].conf, why);
        else
            t->n++;
    }
    qsort(t->routes, t->n, sizeof(*t->routes), route_compare);
    route_globs_sort(t);
    t->hosts = ARENA_ARRAY(t->arena, struct host, count_hosts(t));
    t->lists = ARENA_ARRAY(t->arena, struct route_list, t->n);
    for (uint32_t i = 0; i < 1u << METHOD_OTHER; i++)
        t->allow[i] = route_methods_text(t->arena, i);
    new_node(t); /* edges use 0 for "none" */
    for (uint32_t i = 0; i < t->n; i++) {
        struct route *r = &t->routes[i].route;

        r->id = i;
        for (size_t k = 0; k < r->conf->ntargets; k++)
            r->slots[k] = slot(arg, r->conf->targets[k].service);
        for (size_t k = 0; r->conf->fallback && k < r->conf->fallback->n; k++)
            if (r->conf->fallback->items[k].kind == FALLBACK_SERVICE)
                r->fallback_slots[k] = slot(arg, r->conf->fallback->items[k].service);
        r->part_slots = part_slots(t->arena, r->conf->aggregate, slot, arg);
        insert(t, i);
    }
    return t;
}

struct route_table *route_table_ref(struct route_table *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void route_table_unref(struct route_table **pt)
{
    struct route_table *t = *pt;

    *pt = NULL;
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
        return;
    route_map_release(&t->host_map);
    route_map_release(&t->edge_map);
    route_map_release(&t->plain_map);
    free(t->nodes);
    arena_free(t->arena);
    free(t);
}

size_t route_table_count(const struct route_table *t)
{
    return t->n;
}

const struct route *route_table_at(const struct route_table *t, size_t i)
{
    return &t->routes[i].route;
}
