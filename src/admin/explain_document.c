/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/documents.h"
#include "admin/explain.h"
#include "config/cidr.h"
#include "route/route_split.h"
#include "route/route_why.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { MAX_PATH = 2 * EXPLAIN_MAX_URL, MAX_LOSERS = 20 };

static json_t *slice(struct str s)
{
    json_t *text = json_stringn(s.p ? s.p : "", s.n);

    return text ? text : json_null();
}

static json_t *request_part(const struct explained *x)
{
    char client[INET6_ADDRSTRLEN] = "";

    if (IN6_IS_ADDR_V4MAPPED(&x->client))
        inet_ntop(AF_INET, x->client.s6_addr + 12, client, sizeof client);
    else
        inet_ntop(AF_INET6, &x->client, client, sizeof client);
    return json_pack(
        "{s:o,s:s,s:o,s:o,s:o,s:s,s:i,s:s}", "method", slice(x->req.method_name), "scheme",
        x->https ? "https" : "http", "host", slice(x->req.host), "path", slice(x->req.path),
        "query", x->req.has_query ? slice(x->req.query) : json_null(), "http",
        x->req.minor ? "1.1" : "1.0", "headers", (int)x->req.nheaders, "client", client);
}

static json_t *loser_part(const struct route_loser *loser)
{
    json_t *doc = route_summary(loser->route);

    json_object_set_new(doc, "lost_by", json_string(route_loss_name(loser->loss)));
    json_object_set_new(doc, "field", json_text(loser->field));
    return doc;
}

static json_t *losers_part(const struct explained *x)
{
    struct route_loser losers[MAX_LOSERS];
    json_t *list = json_array();
    size_t n = x->look->snapshot ? route_losers(x->look->snapshot->routes, &x->req, x->match.route,
                                                losers, MAX_LOSERS)
                                 : 0;

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, loser_part(&losers[i]));
    return list;
}

static json_t *forwarded_path(const struct explained *x, const struct chain_route *rule)
{
    const struct route *r = x->match.route;
    char out[MAX_PATH], ruled[MAX_PATH];
    size_t n;

    if (!r || r->conf->ntargets == 0 ||
        route_target_path(r, &x->match, x->req.path, out, sizeof out, &n) < 0)
        return json_null();
    if (!rule || !rule->to.prefix_rewrite)
        return slice((struct str){out, n});
    if (traffic_route_path(rule, (struct str){out, n}, ruled, sizeof ruled, &n) < 0)
        return json_null();
    return slice((struct str){ruled, n});
}

static json_t *location(const struct explained *x)
{
    const struct route *r = x->match.route;
    char out[MAX_PATH];
    size_t n;

    if (!r || !r->conf->redirect_status ||
        route_redirect_location(r, &x->match, &x->req, x->https ? "https" : "http", out, sizeof out,
                                &n) < 0)
        return json_null();
    return slice((struct str){out, n});
}

/* Which side of a split; *ret_certain: by one weight alone or by a sticky value. */
static size_t choose_side(const struct explained *x, bool *ret_certain)
{
    const struct route *r = x->match.route;
    struct rng rng = {.state = x->look->now_ns};
    size_t weighty = 0;
    uint64_t hash;

    for (size_t i = 0; i < r->conf->ntargets; i++)
        weighty += r->conf->targets[i].weight > 0;
    *ret_certain = weighty <= 1 || route_hash(r->conf->sticky_source, r->conf->sticky_name, &x->req,
                                              &x->match, &x->client, &hash);
    return route_split(r, &x->req, &x->match, &x->client, &rng);
}

static json_t *targets_part(const struct explained *x, struct explain_outcome *ret)
{
    const struct route *r = x->match.route;
    json_t *list = json_array();
    bool certain = true;
    size_t side;

    if (!r || r->conf->ntargets == 0)
        return list;
    side = choose_side(x, &certain);
    for (size_t i = 0; i < r->conf->ntargets && i < ROUTE_MAX_TARGETS; i++) {
        struct explain_outcome outcome = *ret;
        json_t *target = explain_target(x, i, i == side, &outcome);

        if (i == side && strcmp(ret->kind, "forward") == 0) {
            outcome.certain = outcome.certain && certain;
            *ret = outcome;
        }
        json_array_append_new(list, target);
    }
    return list;
}

/* As the workers judge it, but for the rules of a listener: which one it would be is not known. */
static bool kept_out(const struct explained *x, const struct address_rules *rules)
{
    return address_rules_keep_out(rules, &x->client);
}

/* As far as the route alone decides it. */
static struct explain_outcome route_outcome(const struct explained *x)
{
    const struct route *r = x->match.route;
    const struct snapshot *s = x->look->snapshot;
    struct explain_outcome denied;

    if ((s && kept_out(x, &s->config->addresses)) || (r && kept_out(x, &r->conf->edge.addresses)))
        return (struct explain_outcome){
            .kind = "refuse", .reason = REASON_ADDRESS_DENIED, .certain = true};
    if (!r && x->match.allow)
        return (struct explain_outcome){
            .kind = "refuse", .reason = REASON_METHOD_NOT_ALLOWED, .certain = true};
    if (!r)
        return (struct explain_outcome){.kind = "refuse",
                                        .reason = s && s->complete ? REASON_NO_ROUTE
                                                                   : REASON_CATALOG_UNKNOWN,
                                        .certain = true};
    if (explain_auth_outcome(x, &denied))
        return denied;
    if (r->conf->redirect_status)
        return (struct explain_outcome){.kind = "redirect", .certain = true};
    if (r->conf->aggregate || r->conf->batch)
        return (struct explain_outcome){.kind = "compose", .certain = true};
    return (struct explain_outcome){.kind = "forward", .certain = true};
}

static json_t *outcome_part(const struct explained *x, const struct explain_outcome *o)
{
    int status = 0;

    if (o->reason)
        status = (int)reason_info(o->reason)->status;
    else if (strcmp(o->kind, "redirect") == 0)
        status = (int)x->match.route->conf->redirect_status;
    return json_pack("{s:s,s:o,s:o,s:o,s:o,s:b,s:o,s:o}", "kind", o->kind, "status",
                     status ? json_integer(status) : json_null(), "reason",
                     o->reason ? json_string(reason_info(o->reason)->word) : json_null(), "service",
                     json_text(o->service), "instance", json_text(o->instance), "certain",
                     o->certain, "detail", json_text(o->detail), "fallback",
                     json_text(o->fallback));
}

static json_t *make_document(struct explained *x)
{
    struct explain_outcome outcome;
    json_t *targets;

    x->req.secure = x->https;
    if (x->look->snapshot)
        route_find(x->look->snapshot->routes, &x->req, &x->match);
    outcome = route_outcome(x);
    targets = targets_part(x, &outcome);
    return json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "request", request_part(x), "matched",
        x->match.route ? route_summary(x->match.route) : json_null(), "allow",
        x->match.route ? json_null() : json_text(x->match.allow), "others", losers_part(x), "host",
        slice(x->req.host), "path", slice(x->req.path), "forwarded_path",
        forwarded_path(x, outcome.rule), "location", location(x), "auth",
        x->match.route ? json_text(x->match.route->conf->auth) : json_null(), "policy",
        explain_auth(x), "services", targets, "outcome", outcome_part(x, &outcome));
}

json_t *explain_document(const struct look *l, const struct explain_query *q, struct err *e)
{
    struct explained *x = calloc(1, sizeof *x);
    json_t *doc = NULL;

    if (!x)
        abort();
    x->look = l;
    if (explain_parse(q, x, e) == 0)
        doc = make_document(x);
    free(x);
    return doc;
}
