/* SPDX-License-Identifier: Apache-2.0 */
/* The builder with fabio's tags and commands: routes that services share, and instances that have
 * weights of their own. */
#include "snapshot/shared_routes.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "snapshot/builder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "catalog.h"
#include "catalog_reads.h"

static struct registry *reg;
static struct builder *builder;
static struct config *config;
static struct discovery catalog;
static struct snapshot *snap; /* ref */

static int begin(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    reg = registry_new(1);
    builder = builder_new(reg);
    config = config_of("consul: { expose: tagged, traefik_prefix: traefik }\n"
                       "defaults: { balance: random }\n"
                       "routes: [{ path: /ours, service: ours }]\n");
    catalog = (struct discovery){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    snapshot_unref(&snap);
    catalog_clear(&catalog);
    builder_free(builder);
    registry_free(reg);
    config_unref(&config);
    return 0;
}

static void build(void)
{
    snapshot_unref(&snap);
    snap = builder_build(builder, config, &catalog, NS_PER_S);
}

static const struct route_conf *route_of(const char *path)
{
    struct request r = {.method = METHOD_GET,
                        .method_name = STR("GET"),
                        .host = STR("shop.example"),
                        .path = str_of(path)};
    struct route_match m;

    route_find(snap->routes, &r, &m);
    return m.route ? m.route->conf : NULL;
}

/* "a=7500 b=2500" */
static void check_shares(const char *path, const char *wanted)
{
    const struct route_conf *c = route_of(path);
    char text[200] = "";

    for (size_t i = 0; c && i < c->ntargets; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%u", i > 0 ? " " : "",
                 c->targets[i].service, c->targets[i].weight);
    assert_string_equal(text, wanted);
}

static struct service_view *view(const char *service)
{
    return snap->services[registry_find(reg, service)->slot];
}

/* How many of 1000 picks each instance gets, in tens of per cent; 'x' for a few. */
static void check_picks(const char *service, const char *wanted)
{
    struct service_view *v = view(service);
    struct rng rng = {.state = 1};
    unsigned picks[4] = {0};
    char text[5] = "";

    for (unsigned i = 0; i < 1000; i++) {
        struct balance_query q = {.now_ns = NS_PER_S, .rng = &rng};
        unsigned at;

        if (balancer_pick(v->balancer, &q, &at) == BALANCE_OK)
            picks[at]++;
    }
    for (unsigned i = 0; i < v->n; i++)
        text[i] = picks[i] == 0 ? '0' : picks[i] < 50 ? 'x' : (char)('0' + (picks[i] + 50) / 100);
    assert_string_equal(text, wanted);
}

#define TAGGED(number, ...)                                                                        \
    {                                                                                              \
        .id = #number, .port = number, .tags = { __VA_ARGS__ }                                     \
    }

static void test_shares_follow_instances_and_health(void **state)
{
    struct route_table *before;

    (void)state;
    PUT(&catalog, "a", TAGGED(1, "urlprefix-/x"), TAGGED(2, "urlprefix-/x"),
        TAGGED(3, "urlprefix-/x"));
    PUT(&catalog, "b", TAGGED(4, "urlprefix-/x"));
    PUT(&catalog, "c", TAGGED(5, "urlprefix-/y"));
    build();
    check_shares("/x", "a=7500 b=2500");
    check_shares("/y", "c=1");
    PUT(&catalog, "b", TAGGED(4, "urlprefix-/x"), TAGGED(6, "urlprefix-/x"));
    build();
    check_shares("/x", "a=6000 b=4000");
    PUT(&catalog, "a", TAGGED(1, "urlprefix-/x"),
        {.id = "2", .port = 2, .tags = {"urlprefix-/x"}, .health = HEALTH_CRITICAL},
        {.id = "3", .port = 3, .tags = {"urlprefix-/x"}, .health = HEALTH_CRITICAL});
    build();
    check_shares("/x", "a=3333 b=6667");
    /* Nobody shares with c: its health is no matter of routes. */
    before = route_table_ref(snap->routes);
    PUT(&catalog, "c", {.id = "5", .port = 5, .tags = {"urlprefix-/y"}, .health = HEALTH_CRITICAL});
    build();
    assert_ptr_equal(snap->routes, before);
    route_table_unref(&before);
    catalog_remove(&catalog, "b");
    build();
    check_shares("/x", "a=1");
}

static void test_weights_within_a_service(void **state)
{
    (void)state;
    PUT(&catalog, "a", TAGGED(1, "urlprefix-/x"), TAGGED(2, "urlprefix-/x weight=0.1"));
    build();
    check_picks("a", "91");
    PUT(&catalog, "a", TAGGED(1, "urlprefix-/x"), TAGGED(2, "urlprefix-/x weight=0.02"),
        TAGGED(3, "v2"));
    build();
    check_picks("a", ":x0");
    /* Most of them wait: that is no reason to panic. */
    PUT(&catalog, "a", TAGGED(1, "urlprefix-/x"), TAGGED(2, "v2"), TAGGED(3, "v2"));
    build();
    check_picks("a", ":00");
    PUT(&catalog, "a", TAGGED(1, "urlprefix-/x"), TAGGED(2, "urlprefix-/x"));
    build();
    check_picks("a", "55");
}

static void test_untagged_instances_of_others(void **state)
{
    (void)state;
    PUT(&catalog, "ours", TAGGED(1, "urlprefix-/x"), TAGGED(2, "v2"));
    PUT(&catalog, "mixed", TAGGED(3, "urlprefix-/y"), TAGGED(4, "frontdesk.path=/z"));
    build();
    check_picks("ours", "55");
    check_picks("mixed", "55");
}

static void use_commands(const char *text)
{
    struct fabio_text one = {"fabio/config", str_of(text)};
    struct fabio_commands *c = fabio_commands_parse(&one, 1);

    builder_use_fabio(builder, c);
    fabio_commands_unref(&c);
}

static void test_commands(void **state)
{
    const struct route_problem *problems;

    (void)state;
    PUT(&catalog, "a", TAGGED(1, "urlprefix-/x", "blue"), TAGGED(2, "urlprefix-/x", "green"));
    PUT(&catalog, "b", TAGGED(3, "urlprefix-/y"));
    PUT(&catalog, "out:kv", TAGGED(4));
    build();
    use_commands("route del b\nroute weight a /x weight 1 tags \"green\"\n"
                 "route add out /o http://127.0.0.1:4/\nroute nonsense\n");
    build();
    check_shares("/o", "out:kv=1");
    check_picks("a", "0:");
    assert_null(route_of("/y"));
    assert_int_equal(builder_problems(builder, &problems), 1);
    assert_non_null(strstr(problems[0].subject, "line 4"));
    /* Without commands all is as it was. */
    builder_use_fabio(builder, NULL);
    build();
    check_picks("a", "55");
    check_shares("/y", "b=1");
    assert_null(route_of("/o"));
    assert_int_equal(builder_problems(builder, &problems), 0);
}

/* One service defines what the router of another one uses. */
static void test_middlewares_of_others(void **state)
{
    (void)state;
    PUT(&catalog, "a",
        TAGGED(1, "traefik.http.routers.r.rule=PathPrefix(`/x`)",
               "traefik.http.routers.r.middlewares=m"));
    build();
    assert_null(route_of("/x"));
    PUT(&catalog, "b", TAGGED(2, "traefik.http.middlewares.m.stripprefix.prefixes=/x"));
    build();
    assert_string_equal(route_of("/x")->strip, "/x");
    PUT(&catalog, "b", TAGGED(2, "traefik.http.middlewares.m.addprefix.prefix=/y"));
    build();
    assert_string_equal(route_of("/x")->prepend, "/y");
    assert_null(route_of("/x")->strip);
    PUT(&catalog, "c", TAGGED(3, "traefik.http.middlewares.m.addprefix.prefix=/z"));
    build();
    assert_null(route_of("/x"));
    catalog_remove(&catalog, "b");
    build();
    assert_string_equal(route_of("/x")->prepend, "/z");
    config_unref(&config);
    config = config_of("consul: { expose: tagged, traefik_prefix: a-longer-prefix-than-before }\n");
    build();
    assert_null(route_of("/x"));
    config_unref(&config);
    config = config_of("consul: { expose: tagged, traefik_prefix: traefik }\n");
    build();
    assert_string_equal(route_of("/x")->prepend, "/z");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_shares_follow_instances_and_health),
        T(test_weights_within_a_service),
        T(test_untagged_instances_of_others),
        T(test_commands),
        T(test_middlewares_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
