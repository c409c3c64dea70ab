/* SPDX-License-Identifier: Apache-2.0 */
/* The way through Consul's traffic rules, by the same walk as the workers'. */
#include "admin/explain.h"
#include "route/route_split.h"

enum { MAX_PATH = 2 * EXPLAIN_MAX_URL };

bool explain_walk(const struct explained *x, const struct service_view *v, struct traffic_walk *ret)
{
    const struct route *r = x->match.route;
    char path[MAX_PATH];
    struct traffic_query q = {.req = &x->req};
    struct rng rng = {.state = x->look->now_ns};

    *ret = (struct traffic_walk){.nhops = 0};
    if (route_target_path(r, &x->match, x->req.path, path, sizeof path, &q.path.n) < 0)
        return false;
    q.path.p = path;
    q.sticky = route_hash(r->conf->sticky_source, r->conf->sticky_name, &x->req, &x->match,
                          &x->client, &q.hash);
    return traffic_rules_walk(v->rules, &q, &rng, ret);
}

bool explain_walk_certain(const struct traffic_walk *walk)
{
    for (unsigned i = 0; i < walk->nhops; i++)
        if (!walk->hops[i].certain)
            return false;
    return true;
}

bool explain_rewrite_refused(const struct explained *x, const struct chain_route *rule)
{
    char path[MAX_PATH], out[MAX_PATH];
    size_t n;

    return rule && rule->to.prefix_rewrite &&
           (route_target_path(x->match.route, &x->match, x->req.path, path, sizeof path, &n) < 0 ||
            traffic_route_path(rule, (struct str){path, n}, out, sizeof out, &n) < 0);
}

static json_t *test_part(const char *what, const struct chain_test *t)
{
    static const char *const ops[] = {
        [CHAIN_PRESENT] = "present", [CHAIN_EXACT] = "exact",       [CHAIN_PREFIX] = "prefix",
        [CHAIN_SUFFIX] = "suffix",   [CHAIN_CONTAINS] = "contains", [CHAIN_REGEX] = "regex"};

    return json_pack("{s:s,s:o,s:s,s:o,s:b}", "of", what, "name", json_text(t->name), "is",
                     ops[t->op], "value", json_text(t->value.p), "invert", t->invert);
}

static json_t *conditions_part(const struct chain_route *r)
{
    json_t *list = json_array();

    if (r->path.op != CHAIN_PRESENT)
        json_array_append_new(list, test_part("path", &r->path));
    for (const char **m = r->methods; m && *m; m++)
        json_array_append_new(list, json_pack("{s:s,s:n,s:s,s:o,s:b}", "of", "method", "name", "is",
                                              "exact", "value", json_text(*m), "invert", false));
    for (unsigned i = 0; i < r->nheaders; i++)
        json_array_append_new(list, test_part("header", &r->headers[i]));
    for (unsigned i = 0; i < r->nquery; i++)
        json_array_append_new(list, test_part("query", &r->query[i]));
    return list;
}

static json_t *hop_part(const struct chain *c, unsigned node, int choice)
{
    const struct chain_node *n = &c->nodes[node];

    switch (n->kind) {
    case CHAIN_ROUTER:
        return json_pack("{s:s,s:o,s:i,s:o}", "kind", "router", "route",
                         choice < 0 ? json_null() : json_integer(choice + 1), "of", (int)n->nroutes,
                         "conditions",
                         choice < 0 ? json_null() : conditions_part(&n->routes[choice]));
    case CHAIN_SPLITTER:
        return json_pack("{s:s,s:i,s:i,s:f}", "kind", "splitter", "part", choice + 1, "of",
                         (int)n->nsplits, "share",
                         (double)n->splits[choice].weight / n->weight_sum);
    case CHAIN_RESOLVER:
        break;
    }
    return json_pack("{s:s,s:o}", "kind", "resolver", "target",
                     json_text(c->targets[n->resolver.target].key));
}

json_t *explain_rules(const struct service_view *v, const struct traffic_walk *walk)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < walk->nhops; i++)
        json_array_append_new(list,
                              hop_part(v->rules->chain, walk->hops[i].node, walk->hops[i].choice));
    return list;
}
