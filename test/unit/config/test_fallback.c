/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <unistd.h>

#define IN_SERVICE(item) "services:\n  a:\n    fallback:\n      - " item "\n"

static const struct fallback_conf *only_item(struct config *c)
{
    assert_int_equal(c->services[0].fallback->n, 1);
    return &c->services[0].fallback->items[0];
}

static void assert_body(const struct fallback_conf *f, const char *body)
{
    assert_int_equal(f->answer.body.n, strlen(body));
    assert_memory_equal(f->answer.body.p, body, strlen(body));
}

static const char *header_of(const struct fallback_conf *f, const char *name)
{
    for (size_t i = 0; i < f->answer.nheaders; i++)
        if (strcmp(f->answer.headers[i].name, name) == 0)
            return f->answer.headers[i].value;
    return "";
}

static void without_the_key_there_is_none(void **state)
{
    struct config *c = parse_ok("routes: [{path: /, service: a}]\nservices: {a: {timeout: 1s}}\n");

    (void)state;
    assert_null(c->defaults.fallback);
    assert_null(c->services[0].fallback);
    assert_null(c->routes[0].fallback);
    assert_null(fallback_list_of(&c->routes[0], &c->services[0]));
    assert_null(fallback_kind(&c->routes[0], &c->services[0], REASON_BREAKER_OPEN));
    assert_int_equal(c->fallback_cache.size, 64 << 20);
    assert_int_equal(c->fallback_cache.max_answer, 1 << 20);
    config_unref(&c);
}

static void the_order_of_writing_is_kept(void **state)
{
    struct config *c = parse_ok(
        "services:\n"
        "  a:\n"
        "    fallback:\n"
        "      - { on: [breaker_open, upstream_timeout, \"503\"], cache: { max_age: 10m } }\n"
        "      - { on: any, service: b }\n"
        "      - { on: 5xx, static: { status: 203, headers: { X-A: b }, body: 'hi' } }\n");
    const struct fallback_list *list = c->services[0].fallback;

    (void)state;
    assert_int_equal(list->n, 3);
    assert_true(list->caches);
    assert_int_equal(list->items[0].kind, FALLBACK_CACHE);
    assert_int_equal(list->items[0].max_age_ms, 600000);
    assert_int_equal(list->items[1].kind, FALLBACK_SERVICE);
    assert_string_equal(list->items[1].service, "b");
    assert_int_equal(list->items[2].kind, FALLBACK_STATIC);
    assert_int_equal(list->items[2].answer.status, 203);
    assert_string_equal(header_of(&list->items[2], "X-A"), "b");
    assert_string_equal(header_of(&list->items[2], "Cache-Control"), "no-store");
    assert_body(&list->items[2], "hi");
    config_unref(&c);
}

static void on_decides(void **state)
{
    static const struct {
        const char *on;
        enum reason why;
        unsigned status;
        bool yes;
    } rows[] = {
        {"any", REASON_BREAKER_OPEN, 0, true},
        {"any", REASON_NO_HEALTHY_INSTANCE, 0, true},
        {"any", REASON_OVERLOADED, 0, true},
        {"any", REASON_CONNECT_FAILED, 0, true},
        {"any", REASON_CONNECT_TIMEOUT, 0, true},
        {"any", REASON_UPSTREAM_RESET, 0, true},
        {"any", REASON_UPSTREAM_TIMEOUT, 0, true},
        {"any", REASON_UPSTREAM_INVALID, 0, true},
        {"any", REASON_UPSTREAM_STATUS, 503, false},
        {"any", REASON_UPSTREAM_CUT, 0, false},
        {"any", REASON_BAD_REQUEST, 0, false},
        {"any", REASON_REQUEST_TIMEOUT, 0, false},
        {"any", REASON_CLIENT_GONE, 0, false},
        {"any", REASON_INTERNAL, 0, false},
        {"[any, \"503\"]", REASON_OVERLOADED, 0, true},
        {"[any, \"503\"]", REASON_UPSTREAM_STATUS, 503, true},
        {"[any, \"503\"]", REASON_UPSTREAM_STATUS, 502, false},
        {"503", REASON_UPSTREAM_STATUS, 503, true},
        {"503", REASON_BREAKER_OPEN, 0, false},
        {"[5xx, 404]", REASON_UPSTREAM_STATUS, 500, true},
        {"[5xx, 404]", REASON_UPSTREAM_STATUS, 599, true},
        {"[5xx, 404]", REASON_UPSTREAM_STATUS, 404, true},
        {"[5xx, 404]", REASON_UPSTREAM_STATUS, 499, false},
        {"[5xx, 404]", REASON_UPSTREAM_STATUS, 999, false},
        {"breaker_open", REASON_BREAKER_OPEN, 0, true},
        {"breaker_open", REASON_OVERLOADED, 0, false},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c;

        snprintf(text, sizeof text, IN_SERVICE("{ on: %s, cache: {} }"), rows[i].on);
        c = parse_ok(text);
        if (fallback_is_for(only_item(c), rows[i].why, rows[i].status) != rows[i].yes)
            fail_msg("on: %s, %s %u", rows[i].on, reason_info(rows[i].why)->word, rows[i].status);
        config_unref(&c);
    }
}

static void the_first_kind_is_told(void **state)
{
    struct config *c = parse_ok("services:\n"
                                "  a:\n"
                                "    fallback:\n"
                                "      - { on: breaker_open, service: b }\n"
                                "      - { on: [any, \"503\"], static: {} }\n"
                                "routes:\n"
                                "  - { path: /, service: a }\n"
                                "  - { path: /b, service: a, fallback: [] }\n"
                                "  - { path: /c, service: a, fallback: [{cache: {}}] }\n");
    const struct service_conf *a = &c->services[0];

    (void)state;
    assert_string_equal(fallback_kind(NULL, a, REASON_BREAKER_OPEN), "service");
    assert_string_equal(fallback_kind(&c->routes[0], a, REASON_OVERLOADED), "static");
    assert_string_equal(fallback_kind(&c->routes[0], a, REASON_UPSTREAM_STATUS), "static");
    assert_null(fallback_kind(&c->routes[1], a, REASON_BREAKER_OPEN));
    assert_string_equal(fallback_kind(&c->routes[2], a, REASON_BREAKER_OPEN), "cache");
    assert_null(fallback_kind(&c->routes[2], a, REASON_UPSTREAM_STATUS));
    config_unref(&c);
}

static void services_inherit_the_list_of_defaults(void **state)
{
    struct config *c =
        parse_ok("defaults: { fallback: [{ service: spare }] }\n"
                 "services: { a: { timeout: 1s }, b: { fallback: [] }, spare: {} }\n");

    (void)state;
    assert_int_equal(config_service(c, "a")->fallback->n, 1);
    assert_int_equal(config_service(c, "b")->fallback->n, 0);
    assert_int_equal(config_service(c, "unknown")->fallback->n, 1);
    config_unref(&c);
}

static void json_keeps_types(void **state)
{
    static const struct {
        const char *yaml, *json;
    } rows[] = {
        {"{ items: [] }", "{\"items\":[]}"},
        {"{ a: 1, b: -2.5e+3, c: 01, d: .5, e: 1., f: 1e, g: '-', h: -x }",
         "{\"a\":1,\"b\":-2.5e+3,\"c\":\"01\",\"d\":\".5\",\"e\":\"1.\",\"f\":\"1e\",\"g\":\"-\","
         "\"h\":\"-x\"}"},
        {"[true, false, null, ~, \"true\", '1', yes]",
         "[true,false,null,null,\"true\",\"1\",\"yes\"]"},
        {"\"a\\\"b\\\\c\\n\\u0001\\u00e9\"", "\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9\""},
        {"{ \"a\\\"\": { b: { } } }", "{\"a\\\"\":{\"b\":{}}}"},
        {"0", "0"},
    };
    char text[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c;

        snprintf(text, sizeof text, IN_SERVICE("{ static: { json: %s } }"), rows[i].yaml);
        c = parse_ok(text);
        assert_body(only_item(c), rows[i].json);
        assert_string_equal(header_of(only_item(c), "Content-Type"), "application/json");
        config_unref(&c);
    }
}

static void what_is_written_wins_over_what_is_added(void **state)
{
    struct config *c = parse_ok(IN_SERVICE(
        "{ static: { json: {}, headers: { content-type: a/b, Cache-Control: max-age=1 } } }"));

    (void)state;
    assert_int_equal(only_item(c)->answer.nheaders, 2);
    assert_string_equal(header_of(only_item(c), "content-type"), "a/b");
    config_unref(&c);
}

/* A file of n bytes 'x'; the caller unlinks it. */
static void make_file(char *path, size_t n)
{
    char *bytes = malloc(n + 1);
    int fd;

    strcpy(path, "/tmp/frontdesk-fallback-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_non_null(bytes);
    memset(bytes, 'x', n);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
    free(bytes);
}

static void a_file_is_read_whole(void **state)
{
    static const size_t sizes[] = {0, 3, 1 << 20};
    char path[64], text[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct config *c;

        make_file(path, sizes[i]);
        snprintf(text, sizeof text, IN_SERVICE("{ static: { file: %s } }"), path);
        c = parse_ok(text);
        assert_int_equal(only_item(c)->answer.body.n, sizes[i]);
        assert_true(sizes[i] == 0 || only_item(c)->answer.body.p[sizes[i] - 1] == 'x');
        unlink(path);
        config_unref(&c);
    }
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    char path[64], text[300];
    struct refusal row = {text, "t.yaml:4: services.a.fallback[0].static.file: "};

    (void)state;
    make_file(path, (1 << 20) + 1);
    snprintf(text, sizeof text, IN_SERVICE("{ static: { file: %s } }"), path);
    parse_refused(&row, 1);
    row.says = "is larger than 1 MiB";
    parse_refused(&row, 1);
    unlink(path);
}

static void mistakes_are_named(void **state)
{
    static const struct refusal rows[] = {
        {IN_SERVICE("{ static: { file: /nowhere/x.json } }"),
         "t.yaml:4: services.a.fallback[0].static.file: \"/nowhere/x.json\": No such file"},
        {IN_SERVICE("{ static: { file: /tmp } }"), "static.file: \"/tmp\" is not a file"},
        {IN_SERVICE("{ static: { file: \"\" } }"), "is not a file name"},
        {IN_SERVICE("{ on: any }"), "t.yaml:4: services.a.fallback[0]: expected exactly one of "},
        {IN_SERVICE("{ cache: {}, service: b }"), "expected exactly one of "},
        {IN_SERVICE("{ cache: }"), "expected exactly one of "},
        {IN_SERVICE("cache"), "expected a map such as"},
        {"services: { a: { fallback: { cache: {} } } }", "expected a list of fallbacks"},
        {IN_SERVICE("{ on: [], cache: {} }"), "an empty list is for nothing"},
        {IN_SERVICE("{ on: bad_request, cache: {} }"),
         "services.a.fallback[0].on: bad_request is not a failure of the service"},
        {IN_SERVICE("{ on: [forbidden], cache: {} }"), "forbidden is not a failure"},
        {IN_SERVICE("{ on: [no_route], cache: {} }"), "no_route is not a failure"},
        {IN_SERVICE("{ on: client_gone, cache: {} }"), "client_gone is not a failure"},
        {IN_SERVICE("{ on: upstream_cut, cache: {} }"), "too late for a fallback"},
        {IN_SERVICE("{ on: upstream_status, cache: {} }"), "expected the statuses themselves"},
        {IN_SERVICE("{ on: braker_open, cache: {} }"), "did you mean breaker_open?"},
        {IN_SERVICE("{ on: [200], cache: {} }"), "a status from 400 to 599"},
        {IN_SERVICE("{ on: 3xx, cache: {} }"), "a status from 400 to 599"},
        {IN_SERVICE("{ on: [[any]], cache: {} }"), "expected any, a reason or a status"},
        {IN_SERVICE("{ cache: { max_age: 0 } }"), "cache.max_age: expected 1ms to 168h"},
        {IN_SERVICE("{ cache: { maxage: 1s } }"), "did you mean max_age?"},
        {IN_SERVICE("{ service: a }"),
         "t.yaml:3: services.a.fallback: a cannot stand in for itself"},
        {IN_SERVICE("{ service: \"a b\" }"), "fallback[0].service: "},
        {"routes: [{ path: /, service: a, fallback: [{ service: a }] }]",
         "a cannot stand in for itself"},
        {"routes: [{ redirect: { to: /x }, fallback: [] }]", "a redirect needs no fallback"},
        {IN_SERVICE("{ static: { status: 199 } }"), "static.status: expected 200 to 599"},
        {IN_SERVICE("{ static: { status: 600 } }"), "static.status: expected 200 to 599"},
        {IN_SERVICE("{ static: { status: 204, body: x } }"), "status 204 has no body"},
        {IN_SERVICE("{ static: { status: 304, json: {} } }"), "status 304 has no body"},
        {IN_SERVICE("{ static: { body: x, json: {} } }"), "exclude each other"},
        {IN_SERVICE("{ static: { headers: { Content-Length: 1 } } }"),
         "static.headers.Content-Length: \"Content-Length\" may not be changed"},
        {IN_SERVICE("{ static: { headers: { transfer-encoding: chunked } } }"),
         "may not be changed"},
        {IN_SERVICE("{ static: { headers: { Connection: close } } }"), "may not be changed"},
        {IN_SERVICE("{ static: { headers: { Frontdesk-Reason: x } } }"), "is written by the gate"},
        {IN_SERVICE("{ static: { headers: { date: x } } }"), "is written by the gateway"},
        {IN_SERVICE("{ static: { headers: { \"a b\": x } } }"), "is not a header name"},
        {IN_SERVICE("{ static: { headers: { a: \"x\\r\\nSet-Cookie: y\" } } }"),
         "holds a control character"},
        {IN_SERVICE("{ static: { headers: [a] } }"), "expected header names and values"},
        {"fallback_cache: { size: 128k, max_answer: 1m }", "max_answer is larger than size"},
        {"fallback_cache: { size: 1k }", "fallback_cache.size: expected 64k to "},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

static void a_list_has_an_end(void **state)
{
    struct refusal row = {"services: { a: { fallback: [{cache: {}}, {cache: {}}, {cache: {}}, "
                          "{cache: {}}, {cache: {}}, {cache: {}}, {cache: {}}, {cache: {}}, "
                          "{cache: {}}] } }",
                          "at most 8 entries"};

    (void)state;
    parse_refused(&row, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_key_there_is_none),
        cmocka_unit_test(the_order_of_writing_is_kept),
        cmocka_unit_test(on_decides),
        cmocka_unit_test(the_first_kind_is_told),
        cmocka_unit_test(services_inherit_the_list_of_defaults),
        cmocka_unit_test(json_keeps_types),
        cmocka_unit_test(what_is_written_wins_over_what_is_added),
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(a_file_that_is_too_large_is_refused),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_list_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
