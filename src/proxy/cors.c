/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/cors.h"
#include "http/cors.h"
#include "proxy/forwarded.h"
#include "proxy/head.h"
#include "proxy/reply.h"

enum origin { ORIGIN_NONE, ORIGIN_OWN, ORIGIN_ALLOWED, ORIGIN_FOREIGN };

/* Of a tag that names a policy which is not there: pages of other origins may nothing. */
static const char *const nothing[] = {NULL};
static const struct cors_conf no_policy = {
    .origins = nothing, .methods = nothing, .headers = nothing};

static const struct cors_conf *conf_of(const struct exchange *x)
{
    const struct cors_conf *named;
    const struct route_edge_conf *edge = x->match.route ? &x->match.route->conf->edge : NULL;

    if (!edge)
        return NULL;
    if (edge->cors || !edge->cors_name)
        return edge->cors;
    named = config_cors(exchange_config(x), edge->cors_name);
    return named ? named : &no_policy;
}

/* The number of fields with that name; the value of the last one. */
static unsigned find_field(const struct request *r, struct str name, struct str *ret)
{
    unsigned found = 0;

    for (unsigned i = 0; i < r->nheaders; i++)
        if (str_ieq(r->headers[i].name, name)) {
            *ret = r->headers[i].value;
            found++;
        }
    return found;
}

static enum origin judge_origin(const struct exchange *x, const struct cors_conf *c,
                                struct str *ret)
{
    struct str scheme = x->conn->secure ? STR("https") : STR("");
    unsigned n = find_field(&x->req, STR("origin"), ret);

    if (n == 0)
        return ORIGIN_NONE;
    if (n == 1 && cors_origin_allowed(c->origins, *ret))
        return ORIGIN_ALLOWED;
    if (n == 1 && cors_origin_is_own(*ret, scheme, x->req.host))
        return ORIGIN_OWN;
    return ORIGIN_FOREIGN;
}

static enum method method_of(struct str name)
{
    static const struct {
        struct str name;
        enum method method;
    } known[] = {{STR("GET"), METHOD_GET},        {STR("HEAD"), METHOD_HEAD},
                 {STR("POST"), METHOD_POST},      {STR("PUT"), METHOD_PUT},
                 {STR("DELETE"), METHOD_DELETE},  {STR("PATCH"), METHOD_PATCH},
                 {STR("OPTIONS"), METHOD_OPTIONS}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(known[i].name, name))
            return known[i].method;
    return METHOD_OTHER;
}

static bool is_preflight(const struct request *r, struct str *ret_method)
{
    struct str origin;

    return r->method == METHOD_OPTIONS && find_field(r, STR("origin"), &origin) > 0 &&
           find_field(r, STR("access-control-request-method"), ret_method) == 1 &&
           ret_method->n > 0;
}

void cors_find_route(struct exchange *x)
{
    const struct route_table *routes = x->held->snapshot->routes;
    struct str asked, sent = x->req.method_name;

    x->req.secure = forwarded_is_secure(x);
    if (is_preflight(&x->req, &asked)) {
        x->req.method_name = asked;
        x->req.method = method_of(asked);
        route_find(routes, &x->req, &x->match);
        x->req.method_name = sent;
        x->req.method = METHOD_OPTIONS;
        x->preflight = conf_of(x) != NULL;
        if (x->preflight)
            return;
        memset(&x->match, 0, sizeof x->match);
    }
    route_find(routes, &x->req, &x->match);
}

static bool headers_allowed(const struct exchange *x, const struct cors_conf *c)
{
    size_t sum = 0;

    for (unsigned i = 0; i < x->req.nheaders; i++) {
        const struct header *h = &x->req.headers[i];

        if (!str_ieq(h->name, STR("access-control-request-headers")))
            continue;
        sum += h->value.n;
        if (sum > CORS_MAX_ASKED_HEADERS ||
            !cors_headers_allowed(c->headers, c->any_header, h->value))
            return false;
    }
    return true;
}

static enum verdict check_preflight(struct exchange *x, const struct cors_conf *c)
{
    struct str origin, method = STR("");

    is_preflight(&x->req, &method);
    if (judge_origin(x, c, &origin) != ORIGIN_ALLOWED)
        x->detail = "the origin is not in allow_origins";
    else if (!c->any_method && !cors_method_allowed(c->methods, method))
        x->detail = "the method is not in allow_methods";
    else if (!headers_allowed(x, c))
        x->detail = "a header is not in allow_headers";
    else
        return V_FINISH;
    return exchange_refuse(x, REASON_ORIGIN_DENIED);
}

enum verdict cors_check(struct exchange *x)
{
    const struct cors_conf *c = conf_of(x);
    struct str origin;

    if (!c)
        return V_NEXT;
    if (x->preflight)
        return check_preflight(x, c);
    if (c->reject_foreign && judge_origin(x, c, &origin) == ORIGIN_FOREIGN) {
        x->detail = "the origin is not in allow_origins";
        return exchange_refuse(x, REASON_ORIGIN_DENIED);
    }
    return V_NEXT;
}

static void write_allowed_headers(struct exchange *x, struct writer *w)
{
    for (unsigned i = 0; i < x->req.nheaders; i++) {
        const struct header *h = &x->req.headers[i];

        if (str_ieq(h->name, STR("access-control-request-headers")) && h->value.n > 0)
            writer_field(w, STR("Access-Control-Allow-Headers"), h->value);
    }
}

void cors_preflight_reply(struct exchange *x)
{
    const struct cors_conf *c = conf_of(x);
    struct writer w = {x->out, false};
    struct str value;

    x->status = 204;
    reply_begin(x, &w);
    writer_field(&w, STR("Date"), worker_date(x->w));
    reply_end(x, &w, 0);
    writer_lit(&w, "Vary: Access-Control-Request-Method, Access-Control-Request-Headers\r\n");
    if (find_field(&x->req, STR("access-control-request-method"), &value) && c->any_method)
        writer_field(&w, STR("Access-Control-Allow-Methods"), value);
    else if (c->allow_methods)
        writer_field(&w, STR("Access-Control-Allow-Methods"), str_of(c->allow_methods));
    write_allowed_headers(x, &w);
    writer_lit(&w, "Access-Control-Max-Age: ");
    writer_num(&w, c->max_age_ms / 1000);
    writer_lit(&w, "\r\n");
    if (c->private_network &&
        find_field(&x->req, STR("access-control-request-private-network"), &value) == 1 &&
        str_eq(value, STR("true")))
        writer_lit(&w, "Access-Control-Allow-Private-Network: true\r\n");
    writer_lit(&w, "\r\n");
}

void cors_write_response_fields(const struct exchange *x, struct writer *w)
{
    const struct cors_conf *c = conf_of(x);
    struct str origin;
    bool allowed;

    if (!c)
        return;
    allowed = judge_origin(x, c, &origin) == ORIGIN_ALLOWED;
    /* Where the answer is for all, one that a cache has stored must be for all, too. */
    if (c->any_origin)
        writer_lit(w, "Access-Control-Allow-Origin: *\r\n");
    else
        writer_lit(w, "Vary: Origin\r\n");
    if (allowed && !c->any_origin)
        writer_field(w, STR("Access-Control-Allow-Origin"), origin);
    if (allowed && c->credentials)
        writer_lit(w, "Access-Control-Allow-Credentials: true\r\n");
    if ((allowed || c->any_origin) && c->expose_headers && !x->preflight)
        writer_field(w, STR("Access-Control-Expose-Headers"), str_of(c->expose_headers));
}

bool cors_replaces_response_field(const struct exchange *x, struct str name)
{
    static const struct str names[] = {
        STR("access-control-allow-origin"),         STR("access-control-allow-credentials"),
        STR("access-control-allow-methods"),        STR("access-control-allow-headers"),
        STR("access-control-expose-headers"),       STR("access-control-max-age"),
        STR("access-control-allow-private-network")};

    if (!str_istarts(name, STR("access-control-")) || !conf_of(x))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(name, names[i]))
            return true;
    return false;
}
