/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate_part.c - one entry of `parts:` in the `aggregate:` of a route. */
#include "config/aggregate.h"
#include "config/sections.h"
#include "config/value.h"
#include "expr/expr.h"
#include "expr/template.h"

#include <string.h>

int aggregate_expr_read(struct reader *r, const struct node *n, void *at)
{
    struct err e;

    if (n->kind != NODE_TEXT || node_is_null(n) || !n->text[0])
        return node_expected(n, r->err, "an expression such as items[0].id");
    *(const struct expr **)at = expr_compile(r->arena, str_of(n->text), &e);
    return *(const struct expr **)at ? 0 : node_error(n, r->err, "%s", e.text);
}

static int path_read(struct reader *r, const struct node *n, void *at)
{
    struct err e;

    if (n->kind != NODE_TEXT || n->text[0] != '/')
        return node_expected(n, r->err, "a path such as \"/users/{id}\"");
    *(const struct template **)at = template_compile(r->arena, str_of(n->text), &e);
    return *(const struct template **)at ? 0 : node_error(n, r->err, "%s", e.text);
}

static int method_read(struct reader *r, const struct node *n, void *at)
{
    static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

    for (size_t i = 0; n->kind == NODE_TEXT && i < ARRAY_LEN(known); i++)
        if (strcmp(n->text, known[i]) == 0) {
            *(const char **)at = known[i];
            return 0;
        }
    return node_expected(n, r->err, "GET, POST, PUT, PATCH or DELETE");
}

static int json_read(struct reader *r, const struct node *n, void *at)
{
    *(struct str *)at = node_json(n, r->arena);
    return 0;
}

static int status_read(struct reader *r, const struct node *n, void *at)
{
    uint64_t status;

    if (n->kind != NODE_TEXT || !value_unsigned(n->text, &status) || status < 300 || status > 599)
        return node_expected(n, r->err, "a status from 300 to 599");
    *(unsigned *)at = (unsigned)status;
    return 0;
}

static int empty_on_read(struct reader *r, const struct node *n, void *at)
{
    struct part_conf *p = at;
    unsigned *list = list_read(r, n, "a list of statuses such as [404]", MAX_EMPTY_STATUSES,
                               sizeof *list, status_read, &p->nempty_on);

    if (list)
        memcpy(p->empty_on, list, p->nempty_on * sizeof *list);
    return list ? 0 : -1;
}

static int after_item(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "the name of a part", value_name_problem);
    return *(const char **)at ? 0 : -1;
}

static int after_read(struct reader *r, const struct node *n, void *at)
{
    struct part_draft *d = at;

    if (n->kind == NODE_TEXT) {
        d->after = ARENA_ARRAY(r->scratch, const char *, 1);
        d->nafter = 1;
        return after_item(r, n, d->after);
    }
    d->after = list_read(r, n, "the name of a part, or a list of them", MAX_PARTS, sizeof *d->after,
                         after_item, &d->nafter);
    return d->after ? 0 : -1;
}

/* "." is the root; else names with dots between them. */
static int place_read(struct reader *r, const struct node *n, void *at)
{
    struct part_draft *d = at;
    struct str rest, name;

    if (n->kind != NODE_TEXT || !n->text[0])
        return node_expected(n, r->err, "a place such as user.orders, or . for the root");
    d->placed = true;
    rest = arena_str(r->arena, str_of(n->text));
    if (str_eq(rest, STR(".")))
        return 0;
    while (rest.n > 0 || d->conf.nplace == 0) {
        const char *dot = memchr(rest.p, '.', rest.n);

        name = (struct str){rest.p, dot ? (size_t)(dot - rest.p) : rest.n};
        if (name.n == 0 || (dot && name.n + 1 == rest.n))
            return node_error(n, r->err, "\"%.60s\" has an empty name in it", n->text);
        if (d->conf.nplace == MAX_PLACE_DEPTH)
            return node_error(n, r->err, "more than %d names deep", MAX_PLACE_DEPTH);
        d->conf.place[d->conf.nplace++] = name;
        rest = dot ? (struct str){dot + 1, rest.n - name.n - 1} : STR_NULL;
    }
    return 0;
}

static const struct field compensation_fields[] = {
    {.key = "method",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(compensation_conf, method, const char *),
     .read = method_read,
     .kind = "method",
     .dflt = "DELETE",
     .help = "Method of the request that takes the write back."},
    {.key = "path",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(compensation_conf, path, const struct template *),
     .read = path_read,
     .kind = "path with expressions",
     .help = "Its path; may refer to the answer of the part. Required."},
    {.key = "body",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(compensation_conf, body, const struct expr *),
     .read = aggregate_expr_read,
     .kind = "expression",
     .shown = "none",
     .help = "Its body, as JSON."},
};
const struct section compensation_section = {compensation_fields, ARRAY_LEN(compensation_fields)};

static int compensate_read(struct reader *r, const struct node *n, void *at)
{
    struct part_draft *d = at;
    struct compensation_conf *c;

    d->compensates = true;
    if (n->kind == NODE_TEXT && strcmp(n->text, "none") == 0)
        return 0;
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "none, or a map such as { path: \"/orders/{order.id}\" }");
    c = ARENA_NEW(r->arena, struct compensation_conf);
    section_defaults(r, &compensation_section, c);
    if (section_read(r, &compensation_section, n, c) < 0)
        return -1;
    if (!c->path)
        return node_error(n, r->err, "needs a path");
    d->conf.compensate = c;
    return 0;
}

static const struct field part_fields[] = {
    STRING("service", part_draft, conf.service, NULL, value_name_problem,
           "Who is asked. Required."),
    {.key = "path",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(part_draft, conf.path, const struct template *),
     .read = path_read,
     .kind = "path with expressions",
     .help = "Path and query. `{EXPRESSION}` stands for a value, percent-encoded: a parameter of "
             "the route's path, something of another part's answer (`{orders.items[0].id}`) or of "
             "the request (`{request.query.page}`). Required."},
    {.key = "method",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(part_draft, conf.method, const char *),
     .read = method_read,
     .kind = "`GET`, `POST`, `PUT`, `PATCH`, `DELETE`",
     .dflt = "GET",
     .help = "All but GET are writes."},
    BOOLEAN("safe", part_draft, safe, "false",
            "It changes nothing, whatever its method says: a search that is a POST is no write."),
    {.key = "body",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(part_draft, conf.body, const struct expr *),
     .read = aggregate_expr_read,
     .kind = "expression",
     .shown = "none",
     .help = "What is sent, as JSON; refers to the same things as `path`, and to `request.body`."},
    BOOLEAN("required", part_draft, conf.required, "false",
            "Without it the whole fails, with its reason."),
    {.key = "after",
     .type = FIELD_CUSTOM,
     .read = after_read,
     .kind = "name or list of names",
     .shown = "those that it refers to",
     .help = "Parts that have to be there first."},
    {.key = "when",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(part_draft, conf.when, const struct expr *),
     .read = aggregate_expr_read,
     .kind = "expression",
     .shown = "always",
     .help = "Asked only when that is true (not `false`, null or empty)."},
    {.key = "for_each",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(part_draft, conf.for_each, const struct expr *),
     .read = aggregate_expr_read,
     .kind = "expression",
     .shown = "one call",
     .help = "A list: one call for each, that it refers to as `item`; the answers are a list."},
    UNSIGNED("max_items", part_draft, conf.max_items, 1, 1000, "20",
             "Calls of `for_each`; a longer list is an error of the part."),
    {.key = "select",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(part_draft, conf.select, const struct expr *),
     .read = aggregate_expr_read,
     .kind = "expression",
     .shown = "all",
     .help = "What of the answer is shown (JMESPath)."},
    {.key = "as",
     .type = FIELD_CUSTOM,
     .read = place_read,
     .kind = "names with dots",
     .shown = "its name",
     .help = "Where it is in the answer; `.` = its members are those of the root."},
    {.key = "fallback",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(part_draft, conf.fallback, struct str),
     .read = json_read,
     .kind = "any value",
     .shown = "`null`",
     .help = "What stands there when the part is missing."},
    {.key = "empty_on",
     .type = FIELD_CUSTOM,
     .offset = offsetof(struct part_draft, conf),
     .read = empty_on_read,
     .kind = "list of statuses",
     .shown = "none",
     .help = "Statuses that say there is nothing, and are no error: `[404]`."},
    DURATION("timeout", part_draft, conf.timeout_ms, 1, HOURS, NULL,
             "Of this part, within the deadline of the whole; unset = the service's."),
    {.key = "request_headers",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(part_draft, route, struct route_conf),
     .section = &change_section,
     .read = request_headers_read,
     .kind = "map",
     .shown = "none",
     .help = "Changes to what the service gets."},
    STRING("auth", part_draft, route.auth, NULL, value_name_problem,
           "Name of a policy that must allow this part, besides that of the route."),
    {.key = "cache",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(part_draft, route.cache, const struct route_cache_conf *),
     .section = &route_cache_section,
     .read = route_cache_read,
     .kind = "map, `true` or `false`",
     .shown = "off",
     .help = "As that of a route."},
    {.key = "compensate",
     .type = FIELD_CUSTOM,
     .section = &compensation_section,
     .read = compensate_read,
     .kind = "map or `none`",
     .help = "Of a write: the request that takes it back when a required part fails later. "
             "Required of every write but the last."},
};
const struct section part_section = {part_fields, ARRAY_LEN(part_fields)};

static const char *name_problem(const char *name)
{
    if (value_name_problem(name))
        return value_name_problem(name);
    if (strcmp(name, "request") == 0 || strcmp(name, "item") == 0)
        return "is what expressions call something else";
    for (const char *p = name; *p; p++)
        if (!(*p == '_' || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
              (p > name && *p >= '0' && *p <= '9')))
            return "is not a name that expressions can use: letters, digits and _";
    return NULL;
}

static int part_check(struct reader *r, const struct part_draft *d)
{
    const struct part_conf *p = &d->conf;
    const struct node *n = d->node;

    if (!p->service || !p->path)
        return node_error(n, r->err, "a part needs service and path");
    if (p->body && strcmp(p->method, "GET") == 0)
        return node_error(node_get(n, "body"), r->err, "a GET has no body");
    if (d->compensates && !p->writes)
        return node_error(node_get(n, "compensate"), r->err, "the part writes nothing");
    if (p->writes && p->for_each)
        return node_error(node_get(n, "for_each"), r->err,
                          "writes are one call each, so that each can be taken back");
    if (p->writes && d->route.cache)
        return node_error(node_get(n, "cache"), r->err, "a write is not cached");
    if (p->required && p->when)
        return node_error(node_get(n, "when"), r->err,
                          "a required part is always asked; required and when exclude each other");
    return 0;
}

int part_read(struct reader *r, const struct node *n, struct part_draft *d)
{
    const char *problem = name_problem(n->key);

    if (problem)
        return node_error(n, r->err, "the name %s", problem);
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { service: users, path: \"/users/{id}\" }");
    d->node = n;
    d->conf.name = arena_strdup(r->arena, n->key);
    section_defaults(r, &part_section, d);
    if (section_read(r, &part_section, n, d) < 0)
        return -1;
    d->conf.writes = strcmp(d->conf.method, "GET") != 0 && !d->safe;
    if (!d->placed)
        d->conf.place[d->conf.nplace++] = str_of(d->conf.name);
    return part_check(r, d);
}
