/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint32_t slot(void *arg, const char *service)
{
    (void)arg;
    return (uint32_t)(service[0] - 'a');
}

struct report {
    unsigned n;
    char why[128];
};

static void on_bad(void *arg, const struct route_conf *conf, const char *why)
{
    struct report *r = arg;

    (void)conf;
    r->n++;
    snprintf(r->why, sizeof(r->why), "%s", why);
}

static struct target_conf one = {"a", 1}, none = {"a", 0};

static void test_order_and_targets(void **state)
{
    struct target_conf two[] = {{"c", 3}, {"b", 7}};
    struct route_conf confs[] = {
        {.name = "second", .host = "b.example", .path = "/", .targets = &one, .ntargets = 1},
        {.name = "first", .host = "b.example", .path = "/x", .targets = two, .ntargets = 2},
        {.name = "zeroth", .host = "a.example", .path = "/", .targets = &one, .ntargets = 1},
    };
    struct route_input inputs[3] = {{.conf = &confs[0]}, {.conf = &confs[1]}, {.conf = &confs[2]}};
    struct report report = {0};
    struct route_table *t = route_table_build(inputs, 3, slot, on_bad, &report);

    (void)state;
    assert_int_equal(report.n, 0);
    assert_int_equal(route_table_count(t), 3);
    assert_string_equal(route_table_at(t, 0)->conf->name, "zeroth");
    assert_string_equal(route_table_at(t, 1)->conf->name, "first");
    assert_string_equal(route_table_at(t, 2)->conf->name, "second");
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(route_table_at(t, i)->id, i);
    assert_int_equal(route_table_at(t, 1)->slots[0], 2);
    assert_int_equal(route_table_at(t, 1)->slots[1], 1);
    assert_int_equal(route_table_at(t, 1)->weight_sum, 10);

    struct route_table *again = route_table_ref(t);
    route_table_unref(&t);
    assert_null(t);
    assert_int_equal(route_table_count(again), 3);
    route_table_unref(&again);
    route_table_unref(&again);
}

static void test_bad_routes_are_left_out(void **state)
{
    struct target_conf many[17];
    static char long_path[3000];
    struct route_conf bad[] = {
        {.name = "no slash", .path = "orders", .targets = &one, .ntargets = 1},
        {.name = "empty path", .path = "", .targets = &one, .ntargets = 1},
        {.name = "path climbs", .path = "/../x", .targets = &one, .ntargets = 1},
        {.name = "query", .path = "/x?y", .targets = &one, .ntargets = 1},
        {.name = "long", .path = long_path, .targets = &one, .ntargets = 1},
        {.name = "half a segment",
         .path = "/v{n}",
         .path_match = PATH_PATTERN,
         .targets = &one,
         .ntargets = 1},
        {.name = "empty name",
         .path = "/{}",
         .path_match = PATH_PATTERN,
         .targets = &one,
         .ntargets = 1},
        {.name = "only dots",
         .path = "/{...}",
         .path_match = PATH_PATTERN,
         .targets = &one,
         .ntargets = 1},
        {.name = "open brace",
         .path = "/{x",
         .path_match = PATH_PATTERN,
         .targets = &one,
         .ntargets = 1},
        {.name = "rest in the middle",
         .path = "/{x...}/y",
         .path_match = PATH_PATTERN,
         .targets = &one,
         .ntargets = 1},
        {.name = "twice",
         .path = "/{x}/{x}",
         .path_match = PATH_PATTERN,
         .targets = &one,
         .ntargets = 1},
        {.name = "nine",
         .path = "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}",
         .path_match = PATH_PATTERN,
         .targets = &one,
         .ntargets = 1},
        {.name = "unknown in rewrite",
         .path = "/{x}",
         .path_match = PATH_PATTERN,
         .rewrite = "/{y}",
         .targets = &one,
         .ntargets = 1},
        {.name = "open brace in rewrite",
         .path = "/{x}",
         .path_match = PATH_PATTERN,
         .rewrite = "/{x",
         .targets = &one,
         .ntargets = 1},
        {.name = "rewrite no path", .path = "/", .rewrite = "x", .targets = &one, .ntargets = 1},
        {.name = "rewrite splits",
         .path = "/",
         .rewrite = "/x HTTP/1.1\r\nA: b",
         .targets = &one,
         .ntargets = 1},
        {.name = "rewrite query", .path = "/", .rewrite = "/x?y", .targets = &one, .ntargets = 1},
        {.name = "prepend splits", .path = "/", .prepend = "/x y", .targets = &one, .ntargets = 1},
        {.name = "redirect splits",
         .path = "/",
         .redirect_status = 301,
         .redirect_to = "/\r\nSet-Cookie: x"},
        {.name = "redirect to nothing", .path = "/", .redirect_status = 301},
        {.name = "host splits", .path = "/", .set_host = "a\r\nb", .targets = &one, .ntargets = 1},
        {.name = "no target", .path = "/"},
        {.name = "no weight", .path = "/", .targets = &none, .ntargets = 1},
        {.name = "seventeen", .path = "/", .targets = many, .ntargets = 17},
        {.name = "host glob", .host = "a*_/.b", .path = "/", .targets = &one, .ntargets = 1},
        {.name = "host case", .host = "A.b", .path = "/", .targets = &one, .ntargets = 1},
        {.name = "host path", .host = "a/b", .path = "/", .targets = &one, .ntargets = 1},
    };
    struct route_conf good = {.name = "good", .path = "/", .targets = &one, .ntargets = 1};

    (void)state;
    memset(long_path, '/', sizeof(long_path) - 1);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = one;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct route_input inputs[2] = {{.conf = &bad[i]}, {.conf = &good}};
        struct report report = {0};
        struct route_table *t = route_table_build(inputs, 2, slot, on_bad, &report);

        if (report.n != 1 || route_table_count(t) != 1 || report.why[0] == '\0')
            fail_msg("%s: %u reports, %zu routes", bad[i].name, report.n, route_table_count(t));
        assert_string_equal(route_table_at(t, 0)->conf->name, "good");
        route_table_unref(&t);
    }
}

static void test_empty_table(void **state)
{
    struct report report = {0};
    struct route_table *t = route_table_build(NULL, 0, slot, on_bad, &report);
    struct request r = {.host = STR("a"), .path = STR("/")};
    struct route_match m;

    (void)state;
    route_find(t, &r, &m);
    assert_null(m.route);
    assert_null(m.allow);
    route_table_unref(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_targets),
        cmocka_unit_test(test_bad_routes_are_left_out),
        cmocka_unit_test(test_empty_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
