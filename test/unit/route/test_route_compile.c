/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "route/route_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_path_figures(void **state)
{
    static const struct {
        const char *in;
        enum path_match match;
        const char *path;
        unsigned literal, literals, params;
    } rows[] = {
        {"/", PATH_PREFIX, "/", 0, 0, 0},
        {"/a/b/", PATH_PREFIX, "/a/b/", 4, 4, 0},
        {"/a/b/", PATH_EXACT, "/a/b/", 5, 5, 0},
        {"//a/./%62", PATH_EXACT, "/a/b", 4, 4, 0},
        {"/a/{x}/bc/{y...}", PATH_PATTERN, "/a/{x}/bc/{y...}", 3, 3, 2},
        {"/a/b", PATH_PATTERN, "/a/b", 4, 2, 0},
        {"/a/*/c?", PATH_GLOB, "/a/*/c?", 3, 7, 0},
        {"/a{b", PATH_PREFIX, "/a{b", 4, 4, 0},
    };
    static struct target_conf target = {"web", 1};
    struct arena *a = arena_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_conf conf = {.host = "",
                                  .path = rows[i].in,
                                  .path_match = rows[i].match,
                                  .targets = &target,
                                  .ntargets = 1};
        struct compiled c = {.route = {.conf = &conf}};
        const char *why = route_compile(&c, a);

        if (why)
            fail_msg("%s: %s", rows[i].in, why);
        if (!str_eq(c.path, str_of(rows[i].path)) || c.literal != rows[i].literal ||
            c.literals != rows[i].literals || c.nparams != rows[i].params)
            fail_msg("%s: %.*s, %u, %u, %u", rows[i].in, STR_FMT(c.path), c.literal, c.literals,
                     c.nparams);
    }
    arena_free(a);
}

static void test_methods(void **state)
{
    struct arena *a = arena_new();
    const char *methods[] = {"PUT", "PURGE", "GET", NULL};
    struct target_conf target = {"web", 1};
    struct route_conf conf = {
        .host = "", .path = "/", .methods = methods, .targets = &target, .ntargets = 1};
    struct compiled c = {.route = {.conf = &conf}};

    (void)state;
    assert_null(route_compile(&c, a));
    assert_int_equal(c.methods, 1u << METHOD_PUT | 1u << METHOD_GET | 1u << METHOD_HEAD);
    assert_string_equal(c.others[0], "PURGE");
    assert_null(c.others[1]);
    assert_string_equal(c.allow, "PUT, PURGE, GET");
    assert_string_equal(route_methods_text(a, c.methods), "GET, HEAD, PUT");
    assert_string_equal(route_methods_text(a, 0), "");
    assert_int_equal(route_method_bit(STR("get")), -1);
    assert_int_equal(route_method_bit(STR("PATCH")), METHOD_PATCH);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_figures),
        cmocka_unit_test(test_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
