/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/traffic.h"
#include "route/route_split.h"
#include "snapshot/traffic_rules.h"

enum { PATH_MAX_BYTES = 16 * 1024 };

static bool changes_anything(const struct chain_route *r)
{
    return r && (r->to.prefix_rewrite || r->to.timeout_ms || r->to.says_retries ||
                 r->to.request.n || r->to.response.n);
}

/* The path that the gateway's route makes, which the rules see. */
static bool forwarded_path(const struct exchange *x, char *buffer, struct str *ret)
{
    const struct route_conf *c = x->match.route->conf;
    size_t n;

    *ret = x->req.path;
    if (!c->strip && !c->prepend && !c->rewrite)
        return true;
    if (route_target_path(x->match.route, &x->match, x->req.path, buffer, PATH_MAX_BYTES, &n) < 0)
        return false;
    *ret = (struct str){buffer, n};
    return true;
}

static enum reason check_rewrite(struct exchange *x, const struct chain_route *r, struct str path)
{
    char out[PATH_MAX_BYTES];
    size_t n;

    if (!r || !r->to.prefix_rewrite || traffic_route_path(r, path, out, sizeof out, &n) == 0)
        return REASON_NONE;
    x->detail = "the path cannot be rewritten as Consul's router says";
    return REASON_BAD_REQUEST;
}

enum reason traffic_follow(struct exchange *x)
{
    const struct snapshot *s = x->held->snapshot;
    const struct route_conf *c = x->match.route->conf;
    char buffer[PATH_MAX_BYTES];
    struct traffic_query q = {.req = &x->req};
    struct traffic_walk walk;
    enum reason why;

    if (!forwarded_path(x, buffer, &q.path))
        return REASON_HEADERS_TOO_LARGE;
    q.sticky =
        route_hash(c->sticky_source, c->sticky_name, &x->req, &x->match, &x->client, &q.hash);
    if (!traffic_rules_walk(x->service->rules, &q, &x->w->rng, &walk)) {
        x->detail = "no route of Consul's router matches";
        return REASON_NO_ROUTE;
    }
    why = check_rewrite(x, walk.route, q.path);
    if (why != REASON_NONE)
        return why;
    if (walk.slot >= s->nslots || !s->services[walk.slot])
        return REASON_CATALOG_UNKNOWN;
    x->service = s->services[walk.slot];
    x->rule = changes_anything(walk.route) ? walk.route : NULL;
    x->part = walk.part && walk.part->request.n + walk.part->response.n ? walk.part : NULL;
    return REASON_NONE;
}
