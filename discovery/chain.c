/* SPDX-License-Identifier: Apache-2.0 */
/* chain.c - a chain from its JSON: nodes and targets get numbers, then each is read, then the whole
 * is walked once to see that it has an end. */
#include "chain.h"
#include "chain_parts.h"

#include <stdatomic.h>
#include <stdlib.h>

struct chain *chain_ref(struct chain *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void chain_unref(struct chain **cp)
{
    struct chain *c = *cp;

    *cp = NULL;
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_free(c->arena);
    free(c);
}

bool chain_find_node(struct chain_reader *r, const char *id, unsigned *ret)
{
    const struct chain *c = r->chain;

    for (unsigned i = 0; id && i < c->nnodes; i++)
        if (strcmp(c->nodes[i].id, id) == 0) {
            *ret = i;
            return true;
        }
    return chain_refuse(r, "leads to a node that is not there: \"%.100s\"", id ? id : "");
}

bool chain_find_target(struct chain_reader *r, const char *id, unsigned *ret)
{
    const struct chain *c = r->chain;

    for (unsigned i = 0; id && i < c->ntargets; i++)
        if (strcmp(c->targets[i].id, id) == 0) {
            *ret = i;
            return true;
        }
    return chain_refuse(r, "names a target that is not there: \"%.100s\"", id ? id : "");
}

static bool read_router(struct chain_reader *r, const json_t *object, struct chain_node *n)
{
    const json_t *list;

    if (!chain_array(r, object, "Routes", CHAIN_MAX_ROUTES, &list))
        return false;
    n->kind = CHAIN_ROUTER;
    n->nroutes = (unsigned)json_array_size(list);
    n->routes = ARENA_ARRAY(r->arena, struct chain_route, n->nroutes);
    for (unsigned i = 0; i < n->nroutes; i++)
        if (!chain_read_route(r, json_array_get(list, i), &n->routes[i]))
            return false;
    return true;
}

static bool read_split(struct chain_reader *r, const json_t *object, struct chain_split *s)
{
    static const char *const known[] = {"Weight", "NextNode", "Definition", NULL};
    double weight = json_number_value(json_object_get(object, "Weight"));
    const char *next;
    const json_t *definition;

    if (!json_is_object(object))
        return chain_refuse(r, "a part of the split is not an object");
    if (!(weight >= 0 && weight <= 100))
        return chain_refuse(r, "a Weight is not between 0 and 100");
    s->weight = (unsigned)(weight * CHAIN_FULL_WEIGHT / 100 + 0.5);
    if (chain_unknown(object, known))
        chain_note(r, "%.60s of a split is not obeyed", chain_unknown(object, known));
    return chain_object(r, object, "Definition", &definition) &&
           chain_read_changes(r, definition, "RequestHeaders", &s->request) &&
           chain_read_changes(r, definition, "ResponseHeaders", &s->response) &&
           chain_text(r, object, "NextNode", &next) && chain_find_node(r, next, &s->next);
}

static bool read_splitter(struct chain_reader *r, const json_t *object, struct chain_node *n)
{
    const json_t *list;

    if (!chain_array(r, object, "Splits", CHAIN_MAX_SPLITS, &list))
        return false;
    n->kind = CHAIN_SPLITTER;
    n->nsplits = (unsigned)json_array_size(list);
    n->splits = ARENA_ARRAY(r->arena, struct chain_split, n->nsplits);
    for (unsigned i = 0; i < n->nsplits; i++) {
        if (!read_split(r, json_array_get(list, i), &n->splits[i]))
            return false;
        n->weight_sum += n->splits[i].weight;
    }
    return n->weight_sum > 0 || chain_refuse(r, "no part of the split has a weight");
}

static bool read_node(struct chain_reader *r, const json_t *object, struct chain_node *n)
{
    const char *type;

    if (!json_is_object(object))
        return chain_refuse(r, "is not an object");
    if (!chain_text(r, object, "Type", &type))
        return false;
    if (type && strcmp(type, "router") == 0)
        return read_router(r, object, n);
    if (type && strcmp(type, "splitter") == 0)
        return read_splitter(r, object, n);
    n->kind = CHAIN_RESOLVER;
    if (type && strcmp(type, "resolver") == 0)
        return chain_read_resolver(r, object, &n->resolver);
    return chain_refuse(r, "a node of the unknown type \"%.60s\"", type ? type : "");
}

static bool read_nodes(struct chain_reader *r, const json_t *nodes)
{
    struct chain *c = r->chain;
    const char *id;
    json_t *value;

    if (json_object_size(nodes) > CHAIN_MAX_NODES)
        return chain_refuse(r, "has more than %d nodes", CHAIN_MAX_NODES);
    c->nodes = ARENA_ARRAY(r->arena, struct chain_node, json_object_size(nodes));
    json_object_foreach((json_t *)nodes, id, value) c->nodes[c->nnodes++].id =
        arena_strdup(r->arena, id);
    for (unsigned i = 0; i < c->nnodes; i++) {
        r->where = c->nodes[i].id;
        if (!read_node(r, json_object_get(nodes, r->where), &c->nodes[i]))
            return false;
    }
    r->where = "the chain";
    return true;
}

static bool read_targets(struct chain_reader *r, const json_t *targets)
{
    struct chain *c = r->chain;
    const char *id;
    json_t *value;

    if (json_object_size(targets) > CHAIN_MAX_TARGETS)
        return chain_refuse(r, "has more than %d targets", CHAIN_MAX_TARGETS);
    c->targets = ARENA_ARRAY(r->arena, struct chain_target, json_object_size(targets));
    json_object_foreach((json_t *)targets, id, value)
    {
        struct chain_target *t = &c->targets[c->ntargets++];

        r->where = t->id = arena_strdup(r->arena, id);
        if (!chain_read_target(r, value, t))
            return false;
    }
    r->where = "the chain";
    return true;
}

enum { UNSEEN, ON_THE_WAY, SEEN };

static unsigned count_next(const struct chain_node *n)
{
    return n->kind == CHAIN_ROUTER ? n->nroutes : n->kind == CHAIN_SPLITTER ? n->nsplits : 0;
}

static unsigned next_of(const struct chain_node *n, unsigned i)
{
    return n->kind == CHAIN_ROUTER ? n->routes[i].next : n->splits[i].next;
}

/* Depth first, each node once. `height`: nodes from here to the end, this one included. */
static bool walk(struct chain_reader *r, unsigned at, unsigned char *seen, unsigned char *height,
                 unsigned depth)
{
    const struct chain_node *n = &r->chain->nodes[at];

    if (seen[at] == ON_THE_WAY || depth > CHAIN_MAX_DEPTH) {
        r->where = n->id;
        return chain_refuse(r, depth > CHAIN_MAX_DEPTH ? "is behind too many others"
                                                       : "leads back to itself");
    }
    if (seen[at] == SEEN)
        return true;
    seen[at] = ON_THE_WAY;
    height[at] = 1;
    for (unsigned i = 0; i < count_next(n); i++) {
        unsigned next = next_of(n, i);

        if (!walk(r, next, seen, height, depth + 1))
            return false;
        if (height[next] >= height[at])
            height[at] = (unsigned char)(height[next] + 1);
    }
    seen[at] = SEEN;
    return true;
}

static bool check_ends(struct chain_reader *r)
{
    unsigned char seen[CHAIN_MAX_NODES] = {0}, height[CHAIN_MAX_NODES] = {0};

    for (unsigned i = 0; i < r->chain->nnodes; i++)
        if (!walk(r, i, seen, height, 0))
            return false;
    r->where = "the chain";
    return height[r->chain->start] <= CHAIN_MAX_DEPTH ||
           chain_refuse(r, "is longer than %d nodes", CHAIN_MAX_DEPTH);
}

static bool read_chain(struct chain_reader *r, const json_t *root)
{
    struct chain *c = r->chain;
    const json_t *object, *nodes, *targets;
    const char *start;

    if (!chain_object(r, root, "Chain", &object))
        return false;
    if (!object)
        return chain_refuse(r, "there is no Chain in it");
    return chain_text(r, object, "Datacenter", &c->datacenter) &&
           chain_text(r, object, "Namespace", &c->ns) &&
           chain_text(r, object, "Partition", &c->partition) &&
           chain_text(r, object, "Protocol", &c->protocol) &&
           chain_text(r, object, "StartNode", &start) && chain_object(r, object, "Nodes", &nodes) &&
           chain_object(r, object, "Targets", &targets) && read_targets(r, targets) &&
           read_nodes(r, nodes) && chain_find_node(r, start, &c->start) && check_ends(r);
}

struct chain *chain_parse(struct str body, const char *service, struct err *e)
{
    json_error_t je;
    json_t *root = json_loadb(body.p ? body.p : "", body.n, JSON_REJECT_DUPLICATES, &je);
    struct chain *c = calloc(1, sizeof *c);
    struct chain_reader r = {.chain = c, .err = e, .where = "the chain"};

    if (!c)
        abort();
    c->refs = 1;
    r.arena = c->arena = arena_new();
    c->service = arena_strdup(c->arena, service);
    if (!json_is_object(root)) {
        err_set(e, "the answer is not a JSON object%s%s", root ? "" : ": ", root ? "" : je.text);
        chain_unref(&c);
    } else if (!read_chain(&r, root)) {
        chain_unref(&c);
    }
    json_decref(root);
    return c;
}

bool chain_is_plain(const struct chain *c)
{
    const struct chain_node *n = &c->nodes[c->start];

    return n->kind == CHAIN_RESOLVER && n->resolver.nfailovers == 0 &&
           n->resolver.balance == CHAIN_AS_USUAL && n->resolver.connect_timeout_ms == 0 &&
           n->resolver.timeout_ms == 0 &&
           strcmp(c->targets[n->resolver.target].key, c->service) == 0 &&
           !c->targets[n->resolver.target].filter;
}

const struct chain_resolver *chain_resolver_of(const struct chain *c, unsigned target)
{
    for (unsigned i = 0; i < c->nnodes; i++)
        if (c->nodes[i].kind == CHAIN_RESOLVER && c->nodes[i].resolver.target == target)
            return &c->nodes[i].resolver;
    return NULL;
}
