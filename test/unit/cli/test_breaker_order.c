/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/breaker_order.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_targets(void **state)
{
    static const struct {
        const char *text;
        const char *service, *node, *instance; /* explicit ones */
        const char *path;                      /* NULL = refused */
    } rows[] = {
        {"orders", NULL, NULL, NULL, "/v1/breakers/orders"},
        {"orders/o-1", NULL, NULL, NULL, "/v1/breakers/orders/o-1"},
        {"orders/node-2/o-1", NULL, NULL, NULL, "/v1/breakers/orders/node-2/o-1"},
        {"orders/10.0.0.1:80", NULL, NULL, NULL, "/v1/breakers/orders/10.0.0.1%3A80"},
        {"a/b", NULL, NULL, "i/1", "/v1/breakers/a%2Fb/i%2F1"},
        {NULL, "a/b", NULL, NULL, "/v1/breakers/a%2Fb"},
        {NULL, "a", "n/1", "i", "/v1/breakers/a/n%2F1/i"},
        {"ord ers%?#", NULL, NULL, NULL, "/v1/breakers/ord%20ers%25%3F%23"},
        {"caf\xc3\xa9", NULL, NULL, NULL, "/v1/breakers/caf%C3%A9"},
        {"..", NULL, NULL, "x", "/v1/breakers/../x"},
        {"orders/", NULL, NULL, NULL, NULL},
        {"", NULL, NULL, NULL, NULL},
        {NULL, NULL, NULL, NULL, NULL},
        {NULL, NULL, NULL, "x", NULL},
        {"a", "b", NULL, NULL, NULL},
        {NULL, "a", "n", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct breaker_order o = {.action = "reset",
                                  .service = rows[i].service,
                                  .node = rows[i].node,
                                  .instance = rows[i].instance};
        struct err e;
        char *path;

        if ((rows[i].text && breaker_order_target(&o, rows[i].text, &e) < 0) ||
            breaker_order_check(&o, &e) < 0) {
            if (rows[i].path)
                fail_msg("%zu: %s", i, e.text);
            continue;
        }
        path = breaker_order_path(&o);
        if (!rows[i].path || strcmp(path, rows[i].path) != 0)
            fail_msg("%zu: %s", i, path);
        free(path);
    }
}

static void test_a_name_too_long(void **state)
{
    struct breaker_order o = {.action = "open"};
    char name[600];
    struct err e;

    (void)state;
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(breaker_order_target(&o, name, &e), -1);
}

static void test_checks(void **state)
{
    static const struct {
        const char *name;
        struct breaker_order order;
        const char *complaint; /* NULL = good */
    } rows[] = {
        {"open", {.action = "open", .reason = "r"}, NULL},
        {"open without a reason", {.action = "open"}, "--reason"},
        {"close without a reason", {.action = "close", .reason = ""}, "--reason"},
        {"shadow without a reason", {.action = "shadow"}, "--reason"},
        {"disable without a reason", {.action = "disable"}, "--reason"},
        {"auto needs none", {.action = "auto"}, NULL},
        {"reset needs none", {.action = "reset"}, NULL},
        {"auto has no end", {.action = "auto", .ttl = "5m"}, "--for"},
        {"7 days", {.action = "open", .reason = "r", .ttl = "7d"}, NULL},
        {"8 days", {.action = "open", .reason = "r", .ttl = "8d"}, "7 days"},
        {"no time", {.action = "open", .reason = "r", .ttl = "soon"}, "--for"},
        {"no such action", {.action = "trip", .reason = "r"}, "expected open"},
        {"an instance", {.action = "open", .reason = "r", .instance = "i"}, NULL},
        {"shadow of an instance", {.action = "shadow", .reason = "r", .instance = "i"}, "whole"},
        {"disable of an instance", {.action = "disable", .reason = "r", .instance = "i"}, "whole"},
        {"fleet", {.action = "open", .reason = "r", .fleet = true}, NULL},
        {"an instance of the fleet",
         {.action = "open", .reason = "r", .instance = "i", .fleet = true},
         "--fleet"},
        {"even the last",
         {.action = "open", .reason = "r", .instance = "i", .even_last = true},
         NULL},
        {"even the last service",
         {.action = "open", .reason = "r", .even_last = true},
         "--even-last"},
        {"even the last, closed",
         {.action = "close", .reason = "r", .instance = "i", .even_last = true},
         "--even-last"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct breaker_order o = rows[i].order;
        struct err e = {""};
        int result;

        o.service = "orders";
        result = breaker_order_check(&o, &e);
        if ((result == 0) != (rows[i].complaint == NULL) ||
            (rows[i].complaint && !strstr(e.text, rows[i].complaint)))
            fail_msg("%s: %s", rows[i].name, e.text);
    }
}

static void body(struct breaker_order o, const char *wanted)
{
    json_t *doc = breaker_order_body(&o);
    char *text = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS);

    assert_string_equal(text, wanted);
    free(text);
    json_decref(doc);
}

static void test_bodies(void **state)
{
    (void)state;
    body((struct breaker_order){.action = "open", .reason = "say \"no\"", .author = "anna@desk"},
         "{\"author\":\"anna@desk\",\"reason\":\"say \\\"no\\\"\",\"state\":\"forced_open\","
         "\"ttl\":\"10m\"}");
    body((struct breaker_order){.action = "close", .reason = "r", .ttl = "2h", .fleet = true},
         "{\"reason\":\"r\",\"scope\":\"fleet\",\"state\":\"forced_closed\",\"ttl\":\"2h\"}");
    body(
        (struct breaker_order){.action = "open", .reason = "r", .instance = "i", .even_last = true},
        "{\"even_last\":true,\"reason\":\"r\",\"state\":\"forced_open\",\"ttl\":\"10m\"}");
    body((struct breaker_order){.action = "auto", .author = "a"},
         "{\"author\":\"a\",\"state\":\"auto\"}");
    body((struct breaker_order){.action = "reset"}, "{\"state\":\"reset\"}");
    body((struct breaker_order){.action = "shadow", .reason = "r"},
         "{\"reason\":\"r\",\"state\":\"shadow\",\"ttl\":\"10m\"}");
    body((struct breaker_order){.action = "disable", .reason = "r"},
         "{\"reason\":\"r\",\"state\":\"disabled\",\"ttl\":\"10m\"}");
    assert_string_equal(breaker_order_word("open"), "forced_open");
    assert_null(breaker_order_word("opened"));
}

static void test_told(void **state)
{
    static const struct {
        const char *instance, *answer, *told;
    } rows[] = {
        {NULL,
         "{\"state\": \"forced_open\", \"forced\": {\"state\": \"forced_open\", \"until\": \"T\","
         " \"ends_in_ms\": 600000, \"author\": \"anna@desk\", \"why\": \"db\", \"scope\": "
         "\"local\"}}",
         "orders: forced_open for 10m, until T, by anna@desk: db"},
        {"o-1",
         "{\"state\": \"forced_open\", \"forced\": {\"state\": \"forced_open\", \"until\": \"T\","
         " \"ends_in_ms\": 1000, \"author\": null, \"why\": null, \"scope\": \"fleet\"}}",
         "orders/o-1: forced_open for 1s, until T, in the whole fleet, by nobody named"},
        {NULL, "{\"state\": \"closed\", \"forced\": null}", "orders: closed, nothing is forced"},
        {NULL, "{}", "orders: -, nothing is forced"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct breaker_order o = {.service = "orders", .instance = rows[i].instance};
        json_t *answer = json_loads(rows[i].answer, 0, NULL);
        char *told = breaker_order_told(&o, answer);

        assert_string_equal(told, rows[i].told);
        free(told);
        json_decref(answer);
    }
}

static void test_hints(void **state)
{
    (void)state;
    assert_non_null(strstr(breaker_order_hint(401, "unauthenticated", false), "--token-file"));
    assert_non_null(
        strstr(breaker_order_hint(401, "unauthenticated", true), "is not the gateway's"));
    assert_non_null(strstr(breaker_order_hint(403, "writes_off", false), "admin: { token_file"));
    assert_non_null(strstr(breaker_order_hint(409, "last_instance", true), "--even-last"));
    assert_non_null(strstr(breaker_order_hint(409, "ambiguous_instance", true), "--node"));
    assert_non_null(strstr(breaker_order_hint(503, "fleet_off", true), "--fleet"));
    assert_string_equal(breaker_order_hint(400, "bad_request", true), "");
    assert_string_equal(breaker_order_hint(500, NULL, true), "");
}

static void test_exposed(void **state)
{
    (void)state;
    assert_false(breaker_order_exposed("127.0.0.1:9901"));
    assert_false(breaker_order_exposed("http://[::1]:9901"));
    assert_false(breaker_order_exposed("localhost:9901"));
    assert_false(breaker_order_exposed("https://gateway.example:9901"));
    assert_true(breaker_order_exposed("gateway.example:9901"));
    assert_true(breaker_order_exposed("http://10.0.0.1:9901"));
    assert_true(breaker_order_exposed("localhost.example:9901"));
}

static void author_is(const char *sudo, const char *user, const char *wanted)
{
    char *author;

    if (sudo)
        setenv("SUDO_USER", sudo, 1);
    else
        unsetenv("SUDO_USER");
    if (user)
        setenv("USER", user, 1);
    else
        unsetenv("USER");
    author = breaker_author();
    if (strncmp(author, wanted, strlen(wanted)) != 0 || !strchr(author, '@'))
        fail_msg("%s", author);
    free(author);
}

static void test_author(void **state)
{
    (void)state;
    author_is("anna", "root", "anna@");
    author_is("", "bert", "bert@");
    author_is(NULL, "bert", "bert@");
    author_is(NULL, NULL, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets), cmocka_unit_test(test_a_name_too_long),
        cmocka_unit_test(test_checks),  cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_told),    cmocka_unit_test(test_hints),
        cmocka_unit_test(test_author),  cmocka_unit_test(test_exposed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
