/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *name;
    enum path_match match;
    const char *strip, *prepend, *rewrite, *path, *target;
} rows[] = {
    {"nothing", PATH_PREFIX, NULL, NULL, NULL, "/orders/1", "/orders/1"},
    {"strip", PATH_PREFIX, "/orders", NULL, NULL, "/orders/1", "/1"},
    {"strip with slash", PATH_PREFIX, "/orders/", NULL, NULL, "/orders/1", "/1"},
    {"strip all", PATH_PREFIX, "/orders/", NULL, NULL, "/orders", "/"},
    {"strip all but slash", PATH_PREFIX, "/orders", NULL, NULL, "/orders/", "/"},
    {"strip no part of a segment", PATH_PREFIX, "/ord", NULL, NULL, "/orders/1", "/orders/1"},
    {"strip something else", PATH_PREFIX, "/cart", NULL, NULL, "/orders/1", "/orders/1"},
    {"strip root", PATH_PREFIX, "/", NULL, NULL, "/orders/1", "/orders/1"},
    {"prepend", PATH_PREFIX, NULL, "/v1", NULL, "/x", "/v1/x"},
    {"prepend with slash", PATH_PREFIX, NULL, "/v1/", NULL, "/x", "/v1/x"},
    {"prepend without slash", PATH_PREFIX, NULL, "v1", NULL, "/x", "/v1/x"},
    {"strip and prepend", PATH_PREFIX, "/a", "/b", NULL, "/a/x", "/b/x"},
    {"strip all and prepend", PATH_PREFIX, "/a", "/b", NULL, "/a", "/b/"},
    {"plain strip cuts bytes", PATH_PLAIN_PREFIX, "/foo", NULL, NULL, "/foobar", "/bar"},
    {"plain strip with slash", PATH_PLAIN_PREFIX, "/foo/", NULL, NULL, "/foo/bar", "/bar"},
    {"plain strip all", PATH_PLAIN_PREFIX, "/foo", NULL, NULL, "/foo", "/"},
    {"plain strip leaves dots", PATH_PLAIN_PREFIX, "/foo", NULL, NULL, "/foo../x", "/foo../x"},
    {"plain strip leaves a dot", PATH_PLAIN_PREFIX, "/foo", NULL, NULL, "/foo./x", "/foo./x"},
    {"plain strip leaves ..;", PATH_PLAIN_PREFIX, "/foo", NULL, NULL, "/foo..;/x", "/foo..;/x"},
    {"plain strip leaves a suffix", PATH_PLAIN_PREFIX, "/foo", NULL, NULL, "/foo.txt", "/.txt"},
    {"rewrite", PATH_PATTERN, NULL, NULL, "/new", "/old/1", "/new"},
    {"rewrite with values", PATH_PATTERN, NULL, NULL, "/n/{b...}/{a}-{a}", "/", "/n/2/3/1-1"},
    {"rewrite wins over strip", PATH_PATTERN, "/a", "/b", "/n", "/a/x", "/n"},
};

static const struct route_match match = {
    .nparams = 2,
    .params = {{STR("a"), STR("1")}, {STR("b"), STR("2/3")}},
};

static void test_target_path(void **state)
{
    char out[128];
    size_t n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_conf conf = {.path_match = rows[i].match,
                                  .strip = rows[i].strip,
                                  .prepend = rows[i].prepend,
                                  .rewrite = rows[i].rewrite};
        struct route route = {.conf = &conf};
        size_t want = strlen(rows[i].target);

        assert_int_equal(
            route_target_path(&route, &match, str_of(rows[i].path), out, sizeof(out), &n), 0);
        if (!str_eq((struct str){out, n}, str_of(rows[i].target)))
            fail_msg("%s: %.*s", rows[i].name, (int)n, out);
        assert_int_equal(route_target_path(&route, &match, str_of(rows[i].path), out, want, &n), 0);
        assert_int_equal(route_target_path(&route, &match, str_of(rows[i].path), out, want - 1, &n),
                         -1);
    }
}

static void test_redirect(void **state)
{
    static const struct {
        const char *name, *to, *strip, *path, *query, *location;
    } redirects[] = {
        {"fixed", "https://b/x", NULL, "/a", NULL, "https://b/x"},
        {"query copied", "https://b/x", NULL, "/a", "q=1", "https://b/x?q=1"},
        {"empty query copied", "https://b/x", NULL, "/a", "", "https://b/x?"},
        {"own query", "https://b/x?y", NULL, "/a", "q=1", "https://b/x?y"},
        {"path", "https://b$path", NULL, "/a/b", NULL, "https://b/a/b"},
        {"path with slash", "https://b/$path", NULL, "/a/b", NULL, "https://b/a/b"},
        {"path under another", "https://b/c$path", NULL, "/a", NULL, "https://b/c/a"},
        {"stripped path", "https://b$path", "/a", "/a/b", NULL, "https://b/b"},
        {"host", "https://$host$path", NULL, "/a", "q", "https://h:81/a?q"},
        {"scheme", "$scheme://b/", NULL, "/a", NULL, "http://b/"},
        {"values", "/n/{a}", NULL, "/a", NULL, "/n/1"},
        {"other dollar", "/n/$x", NULL, "/a", NULL, "/n/$x"},
    };
    char out[128];
    size_t n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(redirects); i++) {
        struct route_conf conf = {
            .strip = redirects[i].strip, .redirect_status = 301, .redirect_to = redirects[i].to};
        struct route route = {.conf = &conf};
        struct request r = {.host = STR("h:81"),
                            .path = str_of(redirects[i].path),
                            .query = str_of(redirects[i].query),
                            .has_query = redirects[i].query != NULL};
        size_t want = strlen(redirects[i].location);

        assert_int_equal(route_redirect_location(&route, &match, &r, "http", out, sizeof(out), &n),
                         0);
        if (!str_eq((struct str){out, n}, str_of(redirects[i].location)))
            fail_msg("%s: %.*s", redirects[i].name, (int)n, out);
        assert_int_equal(route_redirect_location(&route, &match, &r, "http", out, want - 1, &n),
                         -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target_path),
        cmocka_unit_test(test_redirect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
