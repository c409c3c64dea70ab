/* SPDX-License-Identifier: Apache-2.0 */
/* A rule of Traefik: whatever it is, its cases are within bounds, and the routes that it makes
 * build and can be asked. */
#include "base/arena.h"
#include "route/route.h"
#include "route/traefik.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t slot(void *arg, const char *service)
{
    (void)arg;
    assert(*service);
    return 1;
}

static void on_bad(void *arg, const struct route_conf *conf, const char *why)
{
    (void)arg;
    assert(conf->path && *why);
}

static void check_cases(const struct traefik_rule *rule)
{
    for (unsigned i = 0; i < rule->n; i++) {
        assert(rule->cases[i].n > 0 && rule->cases[i].n <= TRAEFIK_MAX_TESTS);
        for (unsigned k = 0; k < rule->cases[i].n; k++)
            assert(rule->cases[i].tests[k].nargs >= 1 && rule->cases[i].tests[k].nargs <= 2);
    }
}

static void ask(const struct route_table *t)
{
    struct request r = {.method = METHOD_GET,
                        .method_name = STR("GET"),
                        .host = STR("a.example"),
                        .path = STR("/orders/17")};
    struct route_match m;

    route_find(t, &r, &m);
    assert(!m.route || m.route->conf->ntargets == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct consul_conf consul = {
        .expose = EXPOSE_TAGGED, .tag_prefix = "frontdesk.", .traefik_prefix = "traefik."};
    struct arena *a = arena_new();
    const char *text = arena_strndup(a, (const char *)data, size);
    const char *tag = arena_printf(a, "traefik.http.routers.r.rule=%s", text);
    struct instance one = {.node = "n", .id = "i", .tags = &tag, .ntags = 1};
    struct instance_set set = {.service = "web", .n = 1, .items = &one};
    struct tag_routes routes;
    struct traefik_rule rule;

    if (!traefik_rule_parse(a, str_of(text), &rule)) {
        assert(rule.n > 0 && rule.n <= TRAEFIK_MAX_CASES);
        check_cases(&rule);
    }
    tags_parse(&set, &consul, a, &routes);
    struct route_table *t = route_table_build(routes.inputs, routes.ninputs, slot, on_bad, NULL);
    ask(t);
    route_table_unref(&t);
    arena_free(a);
    return 0;
}
