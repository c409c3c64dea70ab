/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/migrate_route.h"

#include "base/arena.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A route of a configuration, and the same as it comes out again: the words are those of conf.d, so
 * that what comes out can go in. */
static const struct {
    const char *name, *route;
} rows[] = {
    {"service", "{\"host\": \"a.example\", \"path\": \"/x\", \"service\": \"web\"}"},
    {"plain prefix", "{\"path\": \"/x\", \"match\": \"plain_prefix\", \"service\": \"web\"}"},
    {"plain prefix in any case",
     "{\"path\": \"/x\", \"match\": \"plain_iprefix\", \"service\": \"web\"}"},
    {"exact", "{\"path\": \"/x\", \"match\": \"exact\", \"service\": \"web\"}"},
    {"glob", "{\"path\": \"/x*y?\", \"match\": \"glob\", \"service\": \"web\"}"},
    {"pattern",
     "{\"path\": \"/{a}/x\", \"match\": \"pattern\", \"service\": \"web\", \"rewrite\": \"/{a}\"}"},
    {"expressions",
     "{\"path\": \"/\", \"host_regex\": \"^a\", \"path_regex\": \"b$\", \"not_host_regex\": \"c\","
     " \"not_path_regex\": \"d\", \"service\": \"web\"}"},
    {"scheme and methods",
     "{\"path\": \"/\", \"scheme\": \"https\", \"methods\": [\"GET\", \"PUT\"],"
     " \"service\": \"web\"}"},
    {"conditions",
     "{\"path\": \"/\", \"headers\": [{\"name\": \"X-A\", \"value\": \"b\"}, {\"name\": \"X-B\","
     " \"regex\": \"^c\", \"invert\": true}], \"query\": [{\"name\": \"q\", \"present\": true},"
     " {\"name\": \"r\", \"prefix\": \"s\"}], \"service\": \"web\"}"},
    {"split",
     "{\"path\": \"/\", \"priority\": -5, \"split\": [{\"service\": \"a\", \"weight\": 9000},"
     " {\"service\": \"b\", \"weight\": 1000}]}"},
    {"redirect",
     "{\"host\": \"a*.example\", \"path\": \"/\", \"scheme\": \"http\", \"redirect\": {\"status\": "
     "301,"
     " \"to\": \"https://$hostname$path\"}}"},
    {"changes",
     "{\"path\": \"/x\", \"service\": \"web\", \"strip\": \"/x\", \"prepend\": \"/y\","
     " \"set_host\": \"dst\", \"request_headers\": {\"set\": {\"X-A\": \"b\"}, \"remove\": "
     "[\"X-C\"]},"
     " \"response_headers\": {\"remove\": [\"Server\"]}}"},
    {"who may", "{\"path\": \"/x\", \"service\": \"web\", \"auth\": \"staff\", \"allow_from\": "
                "[\"10.0.0.0/8\", \"2001:db8::/32\"], \"deny_from\": [\"10.1.2.3/32\"]}"},
};

static void test_out_as_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *wanted = json_loads(rows[i].route, 0, NULL), *got;
        json_t *doc = json_pack("{s:{},s:{s:{s:[s]}},s:[O]}", "consul", "policies", "staff",
                                "methods", "GET", "routes", wanted);
        char *text = json_dumps(doc, 0);
        struct err e;
        struct config *c = config_parse("t.yaml", text, strlen(text), &e);

        if (!c)
            fail_msg("%s: %s", rows[i].name, e.text);
        got = migrate_route(&c->routes[0]);
        if (!json_equal(got, wanted))
            fail_msg("%s: %s", rows[i].name, json_dumps(got, JSON_COMPACT));
        json_decref(got);
        json_decref(wanted);
        json_decref(doc);
        free(text);
        config_unref(&c);
    }
}

static void test_paths_are_in_normal_form(void **state)
{
    struct target_conf web = {"web", 1};
    struct route_conf conf = {.host = "",
                              .path = "/a//%7Eb/../c",
                              .path_match = PATH_PLAIN_PREFIX,
                              .targets = &web,
                              .ntargets = 1};
    json_t *got = migrate_route(&conf);

    (void)state;
    assert_string_equal(json_string_value(json_object_get(got, "path")), "/a/c");
    json_decref(got);
}

static void test_text_that_is_none(void **state)
{
    json_t *s = migrate_text("a\xff\x1b"
                             "b");

    (void)state;
    assert_string_equal(json_string_value(s), "a??b");
    json_decref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_as_in),
        cmocka_unit_test(test_paths_are_in_normal_form),
        cmocka_unit_test(test_text_that_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
