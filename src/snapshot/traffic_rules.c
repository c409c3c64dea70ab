/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/traffic_rules.h"
#include "base/alloc.h"
#include "base/hash.h"

#include <stdlib.h>

enum { JOINED_MAX = 4096 };

struct traffic_rules *traffic_rules_new(struct chain *c, traffic_slot_fn *slot, void *arg)
{
    struct traffic_rules *r = alloc_or_abort(sizeof *r);

    r->chain = chain_ref(c);
    r->slots = alloc_or_abort(c->ntargets * sizeof *r->slots);
    for (unsigned i = 0; i < c->ntargets; i++)
        r->slots[i] = chain_resolver_of(c, i) ? slot(arg, c->targets[i].key) : 0;
    return r;
}

void traffic_rules_free(struct traffic_rules **rp)
{
    struct traffic_rules *r = *rp;

    *rp = NULL;
    if (!r)
        return;
    chain_unref(&r->chain);
    free(r->slots);
    free(r);
}

static bool contains(struct str s, struct str part, bool fold)
{
    for (size_t i = 0; i + part.n <= s.n; i++) {
        struct str at = {s.p + i, part.n};

        if (fold ? str_ieq(at, part) : str_eq(at, part))
            return true;
    }
    return false;
}

static bool ends(struct str s, struct str part, bool fold)
{
    if (s.n < part.n)
        return false;
    s = (struct str){s.p + (s.n - part.n), part.n};
    return fold ? str_ieq(s, part) : str_eq(s, part);
}

static bool meets(const struct chain_test *t, struct str v)
{
    switch (t->op) {
    case CHAIN_PRESENT:
        return true;
    case CHAIN_EXACT:
        return t->fold ? str_ieq(v, t->value) : str_eq(v, t->value);
    case CHAIN_PREFIX:
        return t->fold ? str_istarts(v, t->value) : str_starts(v, t->value);
    case CHAIN_SUFFIX:
        return ends(v, t->value, t->fold);
    case CHAIN_CONTAINS:
        return contains(v, t->value, t->fold);
    case CHAIN_REGEX:
        return regex_matches(t->regex, v);
    }
    return false;
}

/* What is not a field in HTTP/1.1, but one in HTTP/2, whose names Consul's entries use. */
static bool pseudo_field(const struct traffic_query *q, const char *name, struct str *ret)
{
    if (strcmp(name, ":authority") == 0)
        *ret = q->req->host;
    else if (strcmp(name, ":method") == 0)
        *ret = q->req->method_name;
    else if (strcmp(name, ":path") == 0)
        *ret = q->path;
    else
        return false;
    return true;
}

static bool append(char *joined, size_t *n, struct str s)
{
    if (s.n > JOINED_MAX - *n)
        return false;
    memcpy(joined + *n, s.p, s.n);
    *n += s.n;
    return true;
}

/* The value of a field; those of several are joined in `joined`. One that is longer than that is
 * cut. */
static bool field_value(const struct request *r, const char *name, char *joined, struct str *ret)
{
    size_t n = 0;
    bool found = false;

    for (unsigned i = 0; i < r->nheaders; i++) {
        const struct header *h = &r->headers[i];

        if (!str_ieq(h->name, str_of(name)))
            continue;
        if (!found) {
            *ret = h->value;
        } else {
            if (n == 0 && !append(joined, &n, *ret))
                return true;
            if (!append(joined, &n, STR(",")) || !append(joined, &n, h->value))
                return true;
            *ret = (struct str){joined, n};
        }
        found = true;
    }
    return found;
}

static bool header_matches(const struct chain_test *t, const struct traffic_query *q)
{
    char joined[JOINED_MAX];
    struct str v = STR_NULL;

    if (!pseudo_field(q, t->name, &v) && !field_value(q->req, t->name, joined, &v))
        return t->invert && t->op == CHAIN_PRESENT;
    return meets(t, v) != t->invert;
}

static bool query_matches(const struct chain_test *t, const struct traffic_query *q)
{
    struct str v;

    if (!request_query(q->req, str_of(t->name), &v))
        return t->invert && t->op == CHAIN_PRESENT;
    return meets(t, v) != t->invert;
}

static bool method_matches(const struct chain_route *route, const struct request *r)
{
    if (!route->methods)
        return true;
    for (const char **m = route->methods; *m; m++)
        if (str_eq(str_of(*m), r->method_name))
            return true;
    return false;
}

bool traffic_route_matches(const struct chain_route *route, const struct traffic_query *q)
{
    if (!meets(&route->path, q->path) || !method_matches(route, q->req))
        return false;
    for (unsigned i = 0; i < route->nheaders; i++)
        if (!header_matches(&route->headers[i], q))
            return false;
    for (unsigned i = 0; i < route->nquery; i++)
        if (!query_matches(&route->query[i], q))
            return false;
    return true;
}

/* Splits behind each other, and that of the gateway's own route, must not go together. */
static uint32_t position(const struct chain_node *n, const struct traffic_query *q, struct rng *rng)
{
    uint64_t hash;

    if (!q->sticky)
        return rng_below(rng, n->weight_sum);
    hash = hash_mix(q->hash ^ hash_str(str_of(n->id), 0));
    return (uint32_t)(((hash >> 32) * n->weight_sum) >> 32);
}

static int choose_split(const struct chain_node *n, const struct traffic_query *q, struct rng *rng,
                        bool *ret_certain)
{
    uint32_t at = position(n, q, rng);
    unsigned i = 0, weighty = 0;

    for (unsigned k = 0; k < n->nsplits; k++)
        weighty += n->splits[k].weight > 0;
    *ret_certain = q->sticky || weighty == 1;
    while (i + 1 < n->nsplits && at >= n->splits[i].weight)
        at -= n->splits[i++].weight;
    return (int)i;
}

static int choose_route(const struct chain_node *n, const struct traffic_query *q)
{
    for (unsigned i = 0; i < n->nroutes; i++)
        if (traffic_route_matches(&n->routes[i], q))
            return (int)i;
    return -1;
}

bool traffic_rules_walk(const struct traffic_rules *r, const struct traffic_query *q,
                        struct rng *rng, struct traffic_walk *ret)
{
    const struct chain *c = r->chain;
    unsigned at = c->start;

    ret->route = NULL;
    ret->part = NULL;
    ret->target = NULL;
    for (ret->nhops = 0; ret->nhops < CHAIN_MAX_DEPTH;) {
        const struct chain_node *n = &c->nodes[at];
        bool certain = true;
        int choice = -1;

        if (n->kind == CHAIN_ROUTER)
            choice = choose_route(n, q);
        else if (n->kind == CHAIN_SPLITTER)
            choice = choose_split(n, q, rng, &certain);
        ret->hops[ret->nhops].node = at;
        ret->hops[ret->nhops].choice = choice;
        ret->hops[ret->nhops++].certain = certain;
        if (n->kind == CHAIN_RESOLVER) {
            ret->target = &c->targets[n->resolver.target];
            ret->slot = r->slots[n->resolver.target];
            return true;
        }
        if (choice < 0)
            return false;
        if (n->kind == CHAIN_ROUTER)
            ret->route = &n->routes[choice];
        else
            ret->part = &n->splits[choice];
        at = n->kind == CHAIN_ROUTER ? n->routes[choice].next : n->splits[choice].next;
    }
    return false; /* a chain is not that long */
}

/* Where the two meet, a segment may come about that was in neither: "/files/" and "../x". */
static bool climbs(struct str head, struct str rest)
{
    size_t begin = head.n, n = 0;
    char segment[3];

    while (begin > 0 && head.p[begin - 1] != '/')
        begin--;
    for (size_t i = begin; i < head.n && n < sizeof segment; i++)
        segment[n++] = head.p[i];
    for (size_t i = 0; i < rest.n && rest.p[i] != '/' && n < sizeof segment; i++)
        segment[n++] = rest.p[i];
    return (n == 1 && segment[0] == '.') || (n == 2 && segment[0] == '.' && segment[1] == '.');
}

int traffic_route_path(const struct chain_route *route, struct str path, char *out, size_t cap,
                       size_t *ret_n)
{
    struct str head = str_of(route->to.prefix_rewrite), rest = {path.p + path.n, 0};

    if (route->path.op == CHAIN_PREFIX && path.n >= route->path.value.n)
        rest = (struct str){path.p + route->path.value.n, path.n - route->path.value.n};
    /* "/" for "/admin" in "/admin/x" is "/x": a path has one normal form. */
    if (head.p[head.n - 1] == '/' && rest.n > 0 && rest.p[0] == '/')
        head.n--;
    if (head.n + rest.n > cap || climbs(head, rest))
        return -1;
    memcpy(out, head.p, head.n);
    if (rest.n > 0)
        memcpy(out + head.n, rest.p, rest.n);
    *ret_n = head.n + rest.n;
    return 0;
}
