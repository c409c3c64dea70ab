/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tag_rows.h - table rows for the tests of the tag readers: tags and meta of one instance of "web"
 * in, routes and problems out, both as texts. */
#include "base/arena.h"
#include "route/fabio.h"
#include "route/tags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct tag_row {
    const char *name;
    const char *tags[6];
    const char *meta[4]; /* key, value, key, value */
    const char *routes;  /* as route_text() writes them */
    const char *problem; /* a part of the only problem's why; "" = no problem */
};

static const char *conditions_text(struct arena *a, const char *text, const struct route_conf *c)
{
    const struct {
        const char *key, *value;
    } regexes[] = {{"host~", c->host_regex},
                   {"path~", c->path_regex},
                   {"host!~", c->not_host_regex},
                   {"path!~", c->not_path_regex}};

    for (size_t i = 0; i < ARRAY_LEN(regexes); i++)
        if (regexes[i].value)
            text = arena_printf(a, "%s %s%s", text, regexes[i].key, regexes[i].value);
    for (size_t i = 0; i < c->nheaders + c->nquery; i++) {
        bool query = i >= c->nheaders;
        const struct match_conf *m = query ? &c->query[i - c->nheaders] : &c->headers[i];

        text =
            arena_printf(a, "%s %s%s%s%s%s", text, m->invert ? "!" : "", query ? "?" : "", m->name,
                         m->regex   ? "~"
                         : m->value ? "="
                                    : "",
                         m->value ? m->value : "");
    }
    for (size_t i = 0; i < c->nrequest_headers + c->nresponse_headers; i++) {
        bool response = i >= c->nrequest_headers;
        const struct header_change *h =
            response ? &c->response_headers[i - c->nrequest_headers] : &c->request_headers[i];

        text = arena_printf(a, "%s %s%s%s%s%s", text, response ? "<" : ">",
                            h->op == HEADER_REMOVE ? "-" : "", h->name, h->value ? "=" : "",
                            h->value ? h->value : "");
    }
    return text;
}

static const char *route_text(struct arena *a, const struct route_conf *c)
{
    static const char *const kinds[] = {"", "exact ", "pattern ", "plain ", "iplain ", "glob "};
    const char *text =
        arena_printf(a, "%s %s%s%s", c->name, kinds[c->path_match], c->host, c->path);
    const struct {
        const char *key, *value;
    } extras[] = {{"strip", c->strip},       {"prepend", c->prepend}, {"rewrite", c->rewrite},
                  {"set_host", c->set_host}, {"auth", c->auth},       {"cors", c->edge.cors_name}};

    for (size_t i = 0; i < ARRAY_LEN(extras); i++)
        if (extras[i].value)
            text = arena_printf(a, "%s %s=%s", text, extras[i].key, extras[i].value);
    for (size_t i = 0; c->methods && c->methods[i]; i++)
        text = arena_printf(a, "%s %s", text, c->methods[i]);
    text = conditions_text(a, text, c);
    if (c->scheme != SCHEME_ANY)
        text = arena_printf(a, "%s %s", text, c->scheme == SCHEME_HTTP ? "http" : "https");
    if (c->edge.addresses.allow.n + c->edge.addresses.deny.n > 0)
        text = arena_printf(a, "%s allow=%zu deny=%zu", text, c->edge.addresses.allow.n,
                            c->edge.addresses.deny.n);
    if (c->priority != 0)
        text = arena_printf(a, "%s priority=%d", text, c->priority);
    if (c->importance != IMPORTANCE_NORMAL)
        text = arena_printf(a, "%s importance=%s", text, importance_name(c->importance));
    if (c->redirect_status != 0)
        text = arena_printf(a, "%s redirect=%u,%s", text, c->redirect_status, c->redirect_to);
    if (c->ntargets != (c->redirect_status ? 0 : 1))
        text = arena_printf(a, "%s targets=%zu", text, c->ntargets);
    return text;
}

static void check_tag_row(const struct tag_row *row, const struct consul_conf *consul)
{
    struct arena *a = arena_new();
    struct instance_meta meta[2] = {{row->meta[0], row->meta[1]}, {row->meta[2], row->meta[3]}};
    struct instance one = {.node = "n", .id = "i", .tags = row->tags, .meta = meta};
    struct instance_set set = {.service = "web", .n = 1, .items = &one};
    struct tag_routes routes;
    struct fabio_merged merged;
    const char *text = "";

    while (one.ntags < ARRAY_LEN(row->tags) && row->tags[one.ntags])
        one.ntags++;
    while (one.nmeta < 2 && meta[one.nmeta].key)
        one.nmeta++;
    tags_parse(&set, consul, a, &routes);
    for (size_t i = 0; i < routes.ninputs; i++)
        text = arena_printf(a, "%s%s%s", text, *text ? "; " : "",
                            route_text(a, routes.inputs[i].conf));
    fabio_merge(&(struct fabio_service){&set, routes.targets, true}, 1, NULL, consul, a, &merged);
    for (size_t i = 0; i < merged.ninputs; i++)
        text = arena_printf(a, "%s%s%s", text, *text ? "; " : "",
                            route_text(a, merged.inputs[i].conf));
    assert_int_equal(merged.nproblems, 0);
    if (strcmp(text, row->routes) != 0)
        fail_msg("%s: routes '%s'", row->name, text);
    const char *why = routes.nproblems > 0 ? routes.problems[0].why : "";
    if (routes.nproblems != (*row->problem ? 1 : 0) || !strstr(why, row->problem))
        fail_msg("%s: %zu problems, '%s'", row->name, routes.nproblems, why);
    arena_free(a);
}
