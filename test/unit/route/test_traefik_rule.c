/* SPDX-License-Identifier: Apache-2.0 */
#include "route/traefik_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const char *text_of(struct arena *a, const struct traefik_rule *r)
{
    static const char *const names[] = {"host",   "host~",   "path",  "prefix", "path~", "method",
                                        "header", "header~", "query", "query~", "client"};
    const char *all = "";

    for (unsigned i = 0; i < r->n; i++) {
        for (unsigned k = 0; k < r->cases[i].n; k++) {
            const struct traefik_test *t = &r->cases[i].tests[k];

            all = arena_printf(a, "%s%s%s%s:%.*s", all,
                               k > 0   ? " "
                               : i > 0 ? " | "
                                       : "",
                               t->inverse ? "!" : "", names[t->matcher], STR_FMT(t->args[0]));
            if (t->nargs == 2)
                all = arena_printf(a, "%s=%.*s", all, STR_FMT(t->args[1]));
        }
    }
    return all;
}

static const struct {
    const char *name, *rule, *wanted; /* "?" and a part of what is wrong */
} rows[] = {
    {"one", "Host(`a.b`)", "host:a.b"},
    {"spaces", "  Host ( `a.b` ) ", "host:a.b"},
    {"double quotes", "Host(\"a.b\")", "host:a.b"},
    {"escapes", "PathRegexp(\"^\\\\d\\\"$\")", "path~:^\\d\"$"},
    {"any case", "HOST(`a`) && pathprefix(`/x`)", "host:a prefix:/x"},
    {"and", "Host(`a`) && Path(`/x`)", "host:a path:/x"},
    {"or", "Host(`a`) || Host(`b`)", "host:a | host:b"},
    {"and before or", "Host(`a`) || Host(`b`) && Path(`/x`)", "host:a | host:b path:/x"},
    {"parentheses", "(Host(`a`) || Host(`b`)) && Path(`/x`)", "host:a path:/x | host:b path:/x"},
    {"both sides", "(Host(`a`) || Host(`b`)) && (Path(`/x`) || Path(`/y`))",
     "host:a path:/x | host:a path:/y | host:b path:/x | host:b path:/y"},
    {"not", "!Path(`/x`)", "!path:/x"},
    {"not not", "!!Path(`/x`)", "path:/x"},
    {"not a group", "!(Path(`/x`) || Method(`GET`))", "!path:/x !method:GET"},
    {"not an and", "!(Path(`/x`) && Method(`GET`))", "!path:/x | !method:GET"},
    {"several hosts (v2)", "Host(`a`, `b`)", "host:a | host:b"},
    {"not several hosts", "!Host(`a`, `b`)", "!host:a !host:b"},
    {"header (v3)", "Header(`X-A`, `b`)", "header:X-A=b"},
    {"headers (v2)", "Headers(`X-A`, `b`) && HeadersRegexp(`X-C`, `d+`)",
     "header:X-A=b header~:X-C=d+"},
    {"query (v3)", "Query(`a`, `b`)", "query:a=b"},
    {"query alone (v3)", "Query(`a`)", "query:a"},
    {"query (v2)", "Query(`a=b`)", "query:a=b"},
    {"queries (v2)", "Query(`a=b`, `c=d`)", "query:a=b query:c=d"},
    {"not queries", "!Query(`a=b`, `c=d`)", "!query:a=b | !query:c=d"},
    {"query regexp", "QueryRegexp(`a`, `^b$`)", "query~:a=^b$"},
    {"client", "ClientIP(`10.0.0.0/8`)", "client:10.0.0.0/8"},
    {"host header", "HostHeader(`a`)", "host:a"},
    {"nothing", "", "?a matcher was expected"},
    {"unknown", "Foo(`a`)", "?not known here"},
    {"tcp", "HostSNI(`a`)", "?not known here"},
    {"no arguments", "Host", "?followed by"},
    {"no argument", "Host()", "?between backticks"},
    {"no quotes", "Host(a)", "?between backticks"},
    {"open quote", "Host(`a", "?between backticks"},
    {"open double quote", "Host(\"a", "?between backticks"},
    {"open escape", "Host(\"a\\", "?between backticks"},
    {"odd escape", "Host(\"a\\d\")", "?between backticks"},
    {"open parenthesis", "Host(`a`", "?not closed"},
    {"open group", "(Host(`a`)", "?not closed"},
    {"closed twice", "Host(`a`))", "?&& or ||"},
    {"nothing between", "Host(`a`) Host(`b`)", "?&& or ||"},
    {"one sign", "Host(`a`) & Host(`b`)", "?&& or ||"},
    {"nothing behind", "Host(`a`) &&", "?a matcher was expected"},
    {"header without value", "Header(`a`)", "?a name and a value"},
    {"17 arguments", "Host(`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`,`a`)",
     "?more than 16 arguments"},
    {"depth 16", "((((((((((((((((Host(`a`)))))))))))))))))", "host:a"},
    {"depth 17", "(((((((((((((((((Host(`a`))))))))))))))))))", "?deeper than 16"},
    {"36 routes", "Host(`a`,`b`,`c`,`d`,`e`,`f`) && Path(`/a`,`/b`,`/c`,`/d`,`/e`,`/f`)",
     "?more than 32 routes"},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new();
        struct traefik_rule rule;
        const char *why = traefik_rule_parse(a, str_of(rows[i].rule), &rule);
        const char *got = why ? arena_printf(a, "?%s", why) : text_of(a, &rule);

        if (rows[i].wanted[0] == '?' ? !why || !strstr(why, rows[i].wanted + 1)
                                     : strcmp(got, rows[i].wanted) != 0)
            fail_msg("%s: '%s'", rows[i].name, got);
        arena_free(a);
    }
}

static const char *parse_many(struct arena *a, const char *piece, unsigned n, const char *last)
{
    struct traefik_rule rule;
    const char *text = "";

    for (unsigned i = 0; i < n; i++)
        text = arena_printf(a, "%s%s", text, piece);
    return traefik_rule_parse(a, str_of(arena_printf(a, "%s%s", text, last)), &rule);
}

static void test_bounds(void **state)
{
    struct arena *a = arena_new();

    (void)state;
    assert_null(parse_many(a, "Path(`/`) && ", 15, "Path(`/`)"));
    assert_string_equal(parse_many(a, "Path(`/`) && ", 16, "Path(`/`)"),
                        "more than 16 tests for one route");
    assert_null(parse_many(a, "", 0, arena_printf(a, "Path(`/%01023d`)", 0)));
    assert_string_equal(parse_many(a, "", 0, arena_printf(a, "Path(`/%01024d`)", 0)),
                        "an argument that is longer than 1 KiB");
    assert_string_equal(parse_many(a, "", 0, arena_printf(a, "Path(\"/%01024d\")", 0)),
                        "an argument that is longer than 1 KiB");
    assert_null(parse_many(a, "Path(`/`) || ", 31, "Path(`/`)"));
    assert_string_equal(parse_many(a, "Path(`/`) || ", 32, "Path(`/`)"),
                        "it stands for more than 32 routes");
    assert_string_equal(parse_many(a, "Path(`/`) || ", 400, "Path(`/`)"), "longer than 4 KiB");
    assert_null(parse_many(a, "!", 4000, "Path(`/`)"));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_bounds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
