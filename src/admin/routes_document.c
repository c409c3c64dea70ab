/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/documents.h"
#include "admin/rules_part.h"

static const char *path_match_name(enum path_match m)
{
    switch (m) {
    case PATH_PREFIX:
        return "prefix";
    case PATH_EXACT:
        return "exact";
    case PATH_PATTERN:
        return "pattern";
    case PATH_PLAIN_PREFIX:
        return "plain_prefix";
    case PATH_PLAIN_IPREFIX:
        return "plain_iprefix";
    case PATH_GLOB:
        return "glob";
    }
    return "";
}

static json_int_t conditions_of(const struct route_conf *c)
{
    return (json_int_t)(c->nheaders + c->nquery) + (c->scheme != SCHEME_ANY) +
           (c->host_regex != NULL) + (c->path_regex != NULL) + (c->not_host_regex != NULL) +
           (c->not_path_regex != NULL);
}

static json_t *methods_part(const char *const *methods)
{
    json_t *list;

    if (!methods)
        return json_null();
    list = json_array();
    for (; *methods; methods++)
        json_array_append_new(list, json_text(*methods));
    return list;
}

static json_t *targets_part(const struct route_conf *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->ntargets; i++)
        json_array_append_new(list,
                              json_pack("{s:o,s:i}", "service", json_text(c->targets[i].service),
                                        "weight", (int)c->targets[i].weight));
    return list;
}

static json_t *redirect_part(const struct route_conf *c)
{
    if (!c->redirect_status)
        return json_null();
    return json_pack("{s:i,s:o}", "status", (int)c->redirect_status, "to",
                     json_text(c->redirect_to));
}

static json_t *parts_part(const struct aggregate_conf *a)
{
    json_t *list = a ? json_array() : json_null();

    for (size_t i = 0; a && i < a->nparts; i++)
        json_array_append_new(list, json_pack("{s:o,s:o,s:b}", "name", json_text(a->parts[i].name),
                                              "service", json_text(a->parts[i].service), "required",
                                              a->parts[i].required));
    return list;
}

/* Name of the policy; "" = one of the route's own. */
static json_t *cors_part(const struct route_edge_conf *edge)
{
    if (!edge->cors)
        return json_text(edge->cors_name);
    return json_text(edge->cors->name ? edge->cors->name : "");
}

json_t *route_summary(const struct route *r)
{
    const struct route_conf *c = r->conf;

    return json_pack(
        "{s:o,s:o,s:o,s:o,s:s,s:o,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:o,s:b,s:o,s:b}", "name",
        json_text(c->name), "source", json_text(c->source), "host", json_text(c->host), "path",
        json_text(c->path), "match", path_match_name(c->path_match), "methods",
        methods_part((const char *const *)c->methods), "priority", c->priority, "targets",
        targets_part(c), "strip", json_text(c->strip), "prepend", json_text(c->prepend), "rewrite",
        json_text(c->rewrite), "redirect", redirect_part(c), "auth", json_text(c->auth),
        "conditions", conditions_of(c), "cors", cors_part(&c->edge), "by_address",
        c->edge.addresses.allow.n + c->edge.addresses.deny.n > 0, "parts", parts_part(c->aggregate),
        "batch", c->batch != NULL);
}

json_t *problems_list(const struct look *l)
{
    const struct route_problem *problems;
    size_t n = builder_problems(l->sources->builder, &problems);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("{s:o,s:o,s:o}", "service", json_text(problems[i].service), "subject",
                            json_text(problems[i].subject), "why", json_text(problems[i].why)));
    rules_problems(l, list);
    return list;
}

json_t *routes_document(const struct look *l)
{
    const struct route_table *t = l->snapshot ? l->snapshot->routes : NULL;
    size_t n = t ? route_table_count(t) : 0;
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, route_summary(route_table_at(t, i)));
    return json_pack("{s:o,s:o}", "routes", list, "problems", problems_list(l));
}
