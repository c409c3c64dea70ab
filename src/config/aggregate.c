/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate.c - `aggregate:` of a route. */
#include "config/aggregate.h"
#include "config/sections.h"
#include "expr/expr.h"

#include <string.h>

static const char *member_problem(const char *text)
{
    return text[0] ? value_name_problem(text) : NULL;
}

/* The map is kept until the path of the route is known, whose parameters parts refer to. */
static int parts_read(struct reader *r, const struct node *n, void *at)
{
    (void)at;
    if (n->kind != NODE_MAP || n->n == 0)
        return node_expected(n, r->err, "a map of parts, each with service and path");
    return n->n <= MAX_PARTS ? 0 : node_error(n, r->err, "more than %d parts", MAX_PARTS);
}

static const struct field aggregate_fields[] = {
    {.key = "parts",
     .type = FIELD_CUSTOM,
     .section = &part_section,
     .read = parts_read,
     .kind = "map",
     .help = "The calls, by name, in the order of the answer. Required."},
    DURATION("deadline", aggregate_conf, deadline_ms, 1, HOURS, "5s",
             "Of all parts together; what is not there by then is missing. The services are told "
             "(`X-Request-Deadline`)."),
    {.key = "select",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(aggregate_conf, select, const struct expr *),
     .read = aggregate_expr_read,
     .kind = "expression",
     .shown = "as it is",
     .help = "Shape of the whole answer (JMESPath), made of the parts as they are placed."},
    STRING("errors", aggregate_conf, errors, "errors", member_problem,
           "Member of the answer that says what is missing, when something is; `\"\"` = none."),
    UNSIGNED("partial_status", aggregate_conf, partial_status, 200, 599, "200",
             "Status of an answer with something missing."),
    STRING("cache_control", aggregate_conf, cache_control, NULL, value_header_value_problem,
           "`Cache-Control` of complete answers; unset = the strictest of what the parts say."),
    STRING("partial_cache_control", aggregate_conf, partial_cache_control, "no-store",
           value_header_value_problem, "The same of answers with something missing."),
    BOOLEAN("writes", aggregate_conf, writes, "false",
            "Parts may write: in an order that is written down, and with what takes them back."),
    DURATION("compensation_deadline", aggregate_conf, compensation_ms, 1, HOURS, "5s",
             "For each request that takes a write back, beyond the deadline."),
    SIZE("max_part", aggregate_conf, max_part, 1024, 64 << 20, "1m",
         "Largest answer of a part, decoded."),
    SIZE("max_total", aggregate_conf, max_total, 64 << 10, 256 << 20, "4m",
         "Memory for the answers and what is made of them."),
    SIZE("max_request", aggregate_conf, max_request, 1024, 16 << 20, "64k",
         "Largest body of the client that expressions can use (`request.body`)."),
    UNSIGNED("max_depth", aggregate_conf, max_depth, 1, 64, "32", "Deepest nesting of an answer."),
    UNSIGNED("concurrency", aggregate_conf, concurrency, 1, 64, "8", "Calls under way at once."),
};
const struct section aggregate_section = {aggregate_fields, ARRAY_LEN(aggregate_fields)};

static void take_part(struct reader *r, const struct route_conf *route, struct part_draft *d,
                      struct part_conf *to)
{
    d->route.name = arena_printf(r->arena, "%s#%s", route->name, d->conf.name);
    d->route.importance = route->importance;
    d->route.forward_client_certificate = route->forward_client_certificate;
    d->conf.route = ARENA_NEW(r->arena, struct route_conf);
    *(struct route_conf *)d->conf.route = d->route;
    *to = d->conf;
}

static int check_places(struct reader *r, const struct part_draft *parts, size_t n,
                        const struct aggregate_conf *c)
{
    for (size_t i = 0; i < n; i++) {
        const struct part_conf *p = &parts[i].conf;

        if (p->nplace > 0 && c->errors[0] && str_eq(p->place[0], str_of(c->errors)))
            return node_error(parts[i].node, r->err,
                              "\"%s\" is where the answer says what is missing: give it another "
                              "name with errors: NAME",
                              c->errors);
    }
    return 0;
}

/* A write goes out for requests that may change something alone. */
static int check_methods(struct reader *r, const struct node *n, struct route_conf *route,
                         const struct aggregate_conf *c)
{
    bool writes = false;

    for (size_t i = 0; i < c->nparts; i++)
        writes |= c->parts[i].writes;
    if (!route->methods) {
        route->methods = ARENA_ARRAY(r->arena, const char *, 2);
        route->methods[0] = writes ? "POST" : "GET";
    }
    for (size_t i = 0; writes && route->methods[i]; i++)
        if (strcmp(route->methods[i], "GET") == 0 || strcmp(route->methods[i], "HEAD") == 0)
            return node_error(node_get(n->parent, "methods"), r->err,
                              "%s must not change anything, and a part writes", route->methods[i]);
    return 0;
}

int aggregate_read(struct reader *r, const struct node *n, void *at)
{
    struct aggregate_conf *c = ARENA_NEW(r->arena, struct aggregate_conf);

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err,
                             "a map such as { parts: { user: { service: users, path: "
                             "\"/users/{id}\" } } }");
    section_defaults(r, &aggregate_section, c);
    if (section_read(r, &aggregate_section, n, c) < 0)
        return -1;
    if (!node_get(n, "parts"))
        return node_error(n, r->err, "needs parts");
    *(const struct aggregate_conf **)at = c;
    return 0;
}

int aggregate_finish(struct reader *r, const struct node *n, struct route_conf *route,
                     const struct value_params *params)
{
    struct aggregate_conf *c = (struct aggregate_conf *)route->aggregate;
    const struct node *parts = node_get(n, "parts");
    struct part_draft *drafts = ARENA_ARRAY(r->scratch, struct part_draft, parts->n);
    size_t at = 0;

    node_each(it, parts)
    {
        if (part_read(r, it, &drafts[at++]) < 0)
            return -1;
    }
    if (graph_make(r, drafts, at, params, c) < 0 || check_places(r, drafts, at, c) < 0)
        return -1;
    c->parts = ARENA_ARRAY(r->arena, struct part_conf, at);
    c->nparts = at;
    for (size_t i = 0; i < at; i++)
        take_part(r, route, &drafts[i], &c->parts[i]);
    return check_methods(r, n, route, c);
}

void part_each_service(const struct config *c, void (*fn)(void *arg, const char *service),
                       void *arg)
{
    for (size_t i = 0; i < c->nroutes; i++) {
        const struct aggregate_conf *a = c->routes[i].aggregate;

        for (size_t k = 0; a && k < a->nparts; k++)
            fn(arg, a->parts[k].service);
    }
}
