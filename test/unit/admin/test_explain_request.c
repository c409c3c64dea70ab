/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/explain.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(struct explain_query q, struct explained *x, struct err *e)
{
    if (!q.method)
        q.method = "GET";
    return explain_parse(&q, x, e);
}

static void test_good_ones(void **state)
{
    static const char *const host[] = {"host: Other.Example:81"};
    static const struct {
        const char *name;
        struct explain_query query;
        const char *host, *path, *request_query;
        unsigned minor;
        bool https;
    } rows[] = {
        {"whole URL", {.url = "http://shop.example/a?b=1"}, "shop.example", "/a", "b=1", 1, false},
        {"https", {.url = "HTTPS://Shop.Example:8443/"}, "shop.example:8443", "/", NULL, 1, true},
        {"no path", {.url = "http://h"}, "h", "/", NULL, 1, false},
        {"only a query", {.url = "http://h?x"}, "h", "/", "x", 1, false},
        {"a path", {.url = "/a/../b/%7ec"}, "", "/b/~c", NULL, 0, false},
        {"a path and Host",
         {.url = "/a", .headers = host, .nheaders = 1},
         "other.example:81",
         "/a",
         NULL,
         1,
         false},
        {"Host over the URL",
         {.url = "http://h/a", .headers = host, .nheaders = 1},
         "other.example:81",
         "/a",
         NULL,
         1,
         false},
        {"any method", {.method = "PURGE", .url = "http://h/"}, "h", "/", NULL, 1, false},
    };
    struct explained *x = malloc(sizeof *x);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};

        if (parse(rows[i].query, x, &e) < 0)
            fail_msg("%s: %s", rows[i].name, e.text);
        if (!str_eq(x->req.host, str_of(rows[i].host)) ||
            !str_eq(x->req.path, str_of(rows[i].path)) || x->req.minor != rows[i].minor ||
            x->https != rows[i].https || x->req.has_query != (rows[i].request_query != NULL) ||
            (rows[i].request_query && !str_eq(x->req.query, str_of(rows[i].request_query))))
            fail_msg("%s: %.*s %.*s", rows[i].name, STR_FMT(x->req.host), STR_FMT(x->req.path));
    }
    free(x);
}

static void test_bad_ones(void **state)
{
    static const char *const split[] = {"X: 1\r\nY: 2"}, *const nameless[] = {": 1"},
                             *const no_colon[] = {"X"}, *const space[] = {"X : 1"},
                             *const twice[] = {"Host: a", "Host: b"}, *const nul[] = {"X: \x01"};
    static const struct {
        const char *name;
        struct explain_query query;
        const char *complaint;
    } rows[] = {
        {"scheme", {.url = "ftp://h/"}, "url:"},
        {"no host", {.url = "http:///a"}, "url:"},
        {"relative", {.url = "a/b"}, "url:"},
        {"empty", {.url = ""}, "url:"},
        {"space in the URL", {.url = "/a b"}, "url:"},
        {"line feed in the URL", {.url = "/a\r\nX:1"}, "url:"},
        {"method", {.method = "G T", .url = "/"}, "method:"},
        {"empty method", {.method = "", .url = "/"}, "method:"},
        {"climbs out", {.url = "/../a"}, "bad_request"},
        {"encoded slash", {.url = "/a%2fb"}, "bad_request"},
        {"two headers in one", {.url = "http://h/", .headers = split, .nheaders = 1}, "header:"},
        {"no name", {.url = "http://h/", .headers = nameless, .nheaders = 1}, "header:"},
        {"no colon", {.url = "http://h/", .headers = no_colon, .nheaders = 1}, "header:"},
        {"space before the colon",
         {.url = "http://h/", .headers = space, .nheaders = 1},
         "bad_request"},
        {"two hosts", {.url = "/", .headers = twice, .nheaders = 2}, "bad_request"},
        {"control byte", {.url = "http://h/", .headers = nul, .nheaders = 1}, "bad_request"},
        {"client", {.url = "/", .client = "localhost"}, "client:"},
        {"IPv6 client", {.url = "/", .client = "::g"}, "client:"},
        {"too many headers", {.url = "/", .headers = split, .nheaders = 65}, "at most"},
    };
    struct explained *x = malloc(sizeof *x);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};

        if (parse(rows[i].query, x, &e) == 0 || !strstr(e.text, rows[i].complaint))
            fail_msg("%s: %s", rows[i].name, e.text);
    }
    free(x);
}

static void test_too_large(void **state)
{
    struct explained *x = malloc(sizeof *x);
    char *value = malloc(EXPLAIN_MAX_HEAD + 10);
    const char *headers[] = {value};
    struct err e = {""};

    (void)state;
    /* Every length around the end of the buffer: never beyond it (ASan looks). */
    for (size_t n = EXPLAIN_MAX_HEAD - 60; n < EXPLAIN_MAX_HEAD + 5; n++) {
        memset(value, 'a', n);
        memcpy(value, "X:", 2);
        value[n] = '\0';
        if (parse((struct explain_query){.url = "http://h/", .headers = headers, .nheaders = 1}, x,
                  &e) == 0)
            assert_int_equal(x->req.nheaders, 2);
    }
    assert_non_null(strstr(e.text, "too large"));
    memset(value, 'a', EXPLAIN_MAX_URL + 1);
    memcpy(value, "/", 1);
    value[EXPLAIN_MAX_URL + 1] = '\0';
    assert_int_equal(parse((struct explain_query){.url = value}, x, &e), -1);
    free(value);
    free(x);
}

static void test_clients(void **state)
{
    static const struct {
        const char *client, *is;
    } rows[] = {{NULL, "::ffff:127.0.0.1"},
                {"10.1.2.3", "::ffff:10.1.2.3"},
                {"2001:db8::1", "2001:db8::1"}};
    struct explained *x = malloc(sizeof *x);
    char text[INET6_ADDRSTRLEN];
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(parse((struct explain_query){.url = "/", .client = rows[i].client}, x, &e),
                         0);
        inet_ntop(AF_INET6, &x->client, text, sizeof text);
        assert_string_equal(text, rows[i].is);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_ones),
        cmocka_unit_test(test_bad_ones),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
