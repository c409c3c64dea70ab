/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregate/compose.h"

#include <string.h>

static struct arena *arena;

static const struct value *json(const char *text)
{
    const char *why;
    const struct value *v = value_parse(arena, str_of(text), 32, &why);

    assert_non_null(v);
    return v;
}

static int begin(void **state)
{
    (void)state;
    arena = arena_new_bounded(1 << 18);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const char *written(const struct value *v)
{
    static char out[1000];
    struct bytes to = {0};

    assert_true(v && value_write(v, sizeof out, &to));
    out[bytes_take(&to, out, sizeof out - 1)] = '\0';
    bytes_free(&to);
    return out;
}

static struct part_conf part(const char *name, const char *a, const char *b)
{
    struct part_conf p = {.name = name, .service = "s"};

    if (a)
        p.place[p.nplace++] = str_of(a);
    if (b)
        p.place[p.nplace++] = str_of(b);
    return p;
}

static void placed_in_the_order_of_the_configuration(void **state)
{
    struct part_conf parts[] = {part("a", "a", NULL), part("b", NULL, NULL), part("c", "x", "y"),
                                part("d", "x", "z"), part("e", "a", "w")};
    struct aggregate_conf c = {.parts = parts, .nparts = ARRAY_LEN(parts), .errors = ""};
    struct expr_run run = {.arena = arena, .steps = EXPR_STEPS};
    const struct value *shown[] = {json("1"), json("{\"a\":2,\"k\":1.50}"), json("[3]"), json("4"),
                                   json("5")};

    (void)state;
    assert_string_equal(written(compose(&c, shown, NULL, 0, &run)),
                        "{\"a\":{\"w\":5},\"k\":1.50,\"x\":{\"y\":[3],\"z\":4}}");
    shown[1] = value_null();
    shown[4] = value_null();
    assert_string_equal(written(compose(&c, shown, NULL, 0, &run)),
                        "{\"a\":{\"w\":null},\"x\":{\"y\":[3],\"z\":4}}");
}

static void what_is_missing(void **state)
{
    struct part_conf parts[] = {part("a", "a", NULL), part("b", "b", NULL)};
    struct aggregate_conf c = {.parts = parts, .nparts = 2, .errors = "missing"};
    struct expr_run run = {.arena = arena, .steps = EXPR_STEPS};
    const struct value *shown[] = {json("1"), json("2")};
    const struct part_failure failures[] = {
        {.part = 0, .item = -1, .reason = REASON_BREAKER_OPEN, .took_ms = 3},
        {.part = 1,
         .item = 2,
         .reason = REASON_UPSTREAM_STATUS,
         .status = 503,
         .detail = "x",
         .fallback = "cache"}};
    struct bytes field = {0};

    (void)state;
    assert_string_equal(
        written(compose(&c, shown, failures, 2, &run)),
        "{\"a\":1,\"b\":2,\"missing\":[{\"part\":\"a\",\"service\":\"s\",\"reason\":\"breaker_"
        "open\","
        "\"ms\":3},{\"part\":\"b\",\"item\":2,\"service\":\"s\",\"reason\":\"upstream_status\","
        "\"status\":503,\"fallback\":\"cache\",\"detail\":\"x\",\"ms\":0}]}");
    assert_true(compose_partial_field(&c, failures, 2, &field));
    assert_true(str_eq(bytes_str(&field),
                       STR("a; reason=breaker_open; ms=3, b; item=2; reason=upstream_status; "
                           "status=503; fallback=cache; ms=0")));
    bytes_free(&field);
}

static void shaped_as_a_whole(void **state)
{
    struct part_conf parts[] = {part("a", "a", NULL)};
    struct aggregate_conf c = {.parts = parts, .nparts = 1, .errors = "errors"};
    struct expr_run run = {.arena = arena, .steps = EXPR_STEPS};
    const struct value *shown[] = {json("{\"b\":[1,2]}")};
    const struct part_failure f = {.item = -1, .reason = REASON_SHED};
    struct arena *conf = arena_new();
    struct err e;

    (void)state;
    c.select = expr_compile(conf, STR("{n: a.b[1]}"), &e);
    assert_string_equal(written(compose(&c, shown, NULL, 0, &run)), "{\"n\":2}");
    c.select = expr_compile(conf, STR("a.b"), &e);
    assert_string_equal(written(compose(&c, shown, &f, 1, &run)), "[1,2]");
    c.select = expr_compile(conf, STR("sum(a)"), &e);
    assert_null(compose(&c, shown, NULL, 0, &run));
    assert_string_equal(run.why, "an argument of a function has the wrong type");
    arena_free(conf);
}

static void what_expressions_see(void **state)
{
    struct part_conf parts[] = {part("a", "a", NULL), part("b", "b", NULL)};
    struct aggregate_conf c = {.parts = parts, .nparts = 2};
    struct scope s = {.nparams = 1, .params[0] = {STR("id"), STR("x%2Fy+z%zz")}};

    (void)state;
    s.request = scope_request(arena, STR("GET"), STR("/p"), STR("q=1&q=a+b%26&flag&=x&%61=b"), NULL,
                              json("{\"k\":1}"));
    s.parts[1] = json("[7]");
    assert_string_equal(
        written(scope_value(arena, &s, &c, json("\"i\""))),
        "{\"id\":\"x/y+z%zz\",\"a\":null,\"b\":[7],\"request\":{\"method\":\"GET\",\"path\":\"/p\","
        "\"query\":{\"q\":\"a b&\",\"flag\":\"\",\"\":\"x\",\"a\":\"b\"},\"claims\":null,"
        "\"body\":{\"k\":1}},\"item\":\"i\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(placed_in_the_order_of_the_configuration, begin, end),
        cmocka_unit_test_setup_teardown(what_is_missing, begin, end),
        cmocka_unit_test_setup_teardown(shaped_as_a_whole, begin, end),
        cmocka_unit_test_setup_teardown(what_expressions_see, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
