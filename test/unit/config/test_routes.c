/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void a_short_route_has_defaults(void **state)
{
    struct config *c = parse_ok("\nroutes:\n  - { path: /orders/, service: orders }\n");
    const struct route_conf *r = &c->routes[0];

    (void)state;
    assert_int_equal(c->nroutes, 1);
    assert_string_equal(r->name, "/orders/");
    assert_string_equal(r->source, "t.yaml:3");
    assert_string_equal(r->host, "");
    assert_string_equal(r->path, "/orders/");
    assert_int_equal(r->path_match, PATH_PREFIX);
    assert_null(r->methods);
    assert_int_equal(r->nheaders + r->nquery + r->nrequest_headers + r->nresponse_headers, 0);
    assert_int_equal(r->priority, 0);
    assert_int_equal(r->ntargets, 1);
    assert_string_equal(r->targets[0].service, "orders");
    assert_int_equal(r->targets[0].weight, 1);
    assert_int_equal(r->sticky_source, HASH_NONE);
    assert_null(r->strip);
    assert_null(r->prepend);
    assert_null(r->rewrite);
    assert_null(r->set_host);
    assert_int_equal(r->redirect_status, 0);
    assert_int_equal(r->timeout_ms, 0);
    assert_int_equal(r->max_body, -1);
    assert_null(r->auth);
    config_unref(&c);
}

static void every_key_arrives(void **state)
{
    struct config *c =
        parse_ok("routes:\n"
                 "  - name: all\n"
                 "    host: \"*.Shop.Example:8443\"\n"
                 "    path: /s/{shop}/{rest...}\n"
                 "    methods: [GET, PURGE]\n"
                 "    headers: [{name: x-a, value: b}, {name: x-c, prefix: d, invert: true}]\n"
                 "    query: [{name: q, present: true}]\n"
                 "    priority: -5\n"
                 "    service: web\n"
                 "    rewrite: /v2/{rest}\n"
                 "    set_host: dst\n"
                 "    response_headers: {add: {x-a: a}, set: {x-b: \"\"}, remove: [x-a, x-c]}\n"
                 "    request_headers: {set: {x-z: z}}\n"
                 "    timeout: 1s\n"
                 "    max_body: unlimited\n"
                 "    auth: customer\n");
    const struct route_conf *r = &c->routes[0];

    (void)state;
    assert_string_equal(r->name, "all");
    assert_string_equal(r->host, "*.shop.example:8443");
    assert_int_equal(r->path_match, PATH_PATTERN);
    assert_string_equal(r->methods[0], "GET");
    assert_string_equal(r->methods[1], "PURGE");
    assert_null(r->methods[2]);
    assert_int_equal(r->nheaders, 2);
    assert_string_equal(r->headers[0].value, "b");
    assert_false(r->headers[0].prefix);
    assert_string_equal(r->headers[1].value, "d");
    assert_true(r->headers[1].prefix && r->headers[1].invert);
    assert_string_equal(r->query[0].name, "q");
    assert_null(r->query[0].value);
    assert_int_equal(r->priority, -5);
    assert_string_equal(r->rewrite, "/v2/{rest}");
    assert_string_equal(r->set_host, "dst");
    assert_int_equal(r->nresponse_headers, 4);
    assert_int_equal(r->response_headers[0].op, HEADER_REMOVE);
    assert_string_equal(r->response_headers[1].name, "x-c");
    assert_int_equal(r->response_headers[2].op, HEADER_SET);
    assert_string_equal(r->response_headers[2].value, "");
    assert_int_equal(r->response_headers[3].op, HEADER_ADD);
    assert_string_equal(r->response_headers[3].value, "a");
    assert_int_equal(r->nrequest_headers, 1);
    assert_int_equal(r->timeout_ms, 1000);
    assert_true(r->max_body == INT64_MAX);
    assert_string_equal(r->auth, "customer");
    config_unref(&c);
}

static void splits_and_redirects(void **state)
{
    struct config *c = parse_ok(
        "routes:\n"
        "  - {path: /c/, split: [{service: a, weight: 9}, {service: b}], sticky: {cookie: sid},\n"
        "     strip_prefix: true, prepend: /p}\n"
        "  - {path: /api/v1/, strip: /api, service: a, match: exact}\n"
        "  - {host: old.example, redirect: {to: \"https://new.example$path\"}}\n"
        "  - {path: \"/o/{id}\", redirect: {status: 308, to: \"/orders/{id}\"}}\n");
    const struct route_conf *r = c->routes;

    (void)state;
    assert_int_equal(r[0].ntargets, 2);
    assert_int_equal(r[0].targets[0].weight, 9);
    assert_int_equal(r[0].targets[1].weight, 1);
    assert_int_equal(r[0].sticky_source, HASH_COOKIE);
    assert_string_equal(r[0].sticky_name, "sid");
    assert_string_equal(r[0].strip, "/c/");
    assert_string_equal(r[0].prepend, "/p");
    assert_string_equal(r[1].strip, "/api");
    assert_int_equal(r[1].path_match, PATH_EXACT);
    assert_int_equal(r[2].redirect_status, 302);
    assert_string_equal(r[2].redirect_to, "https://new.example$path");
    assert_string_equal(r[2].name, "old.example/");
    assert_int_equal(r[2].ntargets, 0);
    assert_int_equal(r[3].redirect_status, 308);
    config_unref(&c);
}

/* One route for GET and one for POST may well have the same host and path. */
static void only_given_names_are_unique(void **state)
{
    struct config *c = parse_ok("routes:\n"
                                "  - {path: /a, methods: [GET], service: a}\n"
                                "  - {path: /a, methods: [POST], service: b}\n");

    (void)state;
    assert_int_equal(c->nroutes, 2);
    config_unref(&c);
}

#define ROUTE(keys) "routes:\n  - {" keys "}\n"

static void mistakes_are_named(void **state)
{
    static const struct refusal rows[] = {
        {ROUTE("path: /a"), "t.yaml:2: routes[0]: a route needs exactly one of service, split, "},
        {ROUTE("service: a, redirect: {to: /}"), "exactly one of"},
        {ROUTE("service: a, split: [{service: b}]"), "exactly one of"},
        {ROUTE("service: a, pth: /"), "routes[0].pth: unknown key; did you mean path?"},
        {ROUTE("service: \"a b\""), "routes[0].service: \"a b\" holds a character"},
        {ROUTE("service: a, path: a"), "routes[0].path: \"a\" must start with a slash"},
        {ROUTE("service: a, path: /a/../b"), "\"..\" segment"},
        {ROUTE("service: a, path: //"), "empty segment"},
        {ROUTE("service: a, path: /%zz"), "bad percent-encoding"},
        {ROUTE("service: a, path: \"/a?b\""), "without query or fragment"},
        {ROUTE("service: a, path: \"/{a}/{a}\""), "same parameter twice"},
        {ROUTE("service: a, path: \"/{a}\", match: prefix"), "a path with match: pattern"},
        {ROUTE("service: a, match: regex"),
         "expected one of `prefix`, `exact`, `pattern`, `plain_prefix`"},
        {ROUTE("service: a, host: \"a.*/\""), "routes[0].host: \"a.*/\" is not a host name"},
        {ROUTE("service: a, match: glob, path: \"/a*b c\""), "\"/a*b c\""},
        {ROUTE("service: a, methods: [get]"), "methods[0]: expected a method in upper case"},
        {ROUTE("service: a, methods: GET"), "expected a list of methods"},
        {ROUTE("service: a, methods: []"), "matches nothing"},
        {ROUTE("service: a, headers: [{value: b}]"), "a condition needs a name"},
        {ROUTE("service: a, headers: [{name: b}]"), "exactly one of value, prefix, regex and present"},
        {ROUTE("service: a, headers: [{name: b, value: c, prefix: d}]"), "exactly one of"},
        {ROUTE("service: a, headers: [{name: \"b:\", value: c}]"), "is not a header name"},
        {ROUTE("service: a, query: [b]"), "query[0]: expected a map"},
        {ROUTE("service: a, priority: high"), "expected a whole number"},
        {ROUTE("service: a, priority: --1"), "expected a whole number"},
        {ROUTE("split: []"), "weights must not all be 0"},
        {ROUTE("split: [{service: a, weight: 0}]"), "weights must not all be 0"},
        {ROUTE("split: [{service: a}, {service: a}]"), "a is there twice"},
        {ROUTE("split: [{weight: 1}]"), "a target needs a service"},
        {ROUTE("redirect: {to: /x}, sticky: {cookie: b}"), "sticky needs a split or a service"},
        {ROUTE("split: [{service: a}], sticky: {query: b}"), "expected cookie: NAME or header"},
        {ROUTE("split: [{service: a}], sticky: cookie"), "expected cookie: NAME or header"},
        {ROUTE("service: a, strip_prefix: true, strip: /"), "exclude each other"},
        {ROUTE("service: a, path: \"/{a}\", strip_prefix: true"), "needs a literal path"},
        {ROUTE("service: a, path: /a, strip: /b"), "never is the beginning"},
        {ROUTE("service: a, rewrite: /b, prepend: /c"), "rewrite makes the whole path"},
        {ROUTE("service: a, rewrite: \"/{b}\""), "a {parameter} that the path does not have"},
        {ROUTE("service: a, rewrite: /a//b"), "empty segment"},
        {ROUTE("service: a, rewrite: \"/a\\r\\nb\""), "a character that a path cannot have"},
        {ROUTE("service: a, prepend: b"), "must start with a slash"},
        {ROUTE("service: a, set_host: \"a b\""), "is not a host name"},
        {ROUTE("redirect: {status: 302}"), "a redirect needs a place to go"},
        {ROUTE("redirect: ~"), "a redirect needs a place to go"},
        {ROUTE("redirect: {status: 200, to: /}"), "expected 301, 302, 303, 307 or 308"},
        {ROUTE("redirect: {to: \"/a\\nb\"}"), "a character that a URL cannot have"},
        {ROUTE("redirect: {to: \"/{a}\"}"), "a {parameter} that the path does not have"},
        {ROUTE("service: a, request_headers: {set: {\"x y\": b}}"), "is not a header name"},
        {ROUTE("service: a, request_headers: {set: {Host: b}}"), "the route key set_host does it"},
        {ROUTE("service: a, request_headers: {remove: [Content-Length]}"), "may not be changed"},
        {ROUTE("service: a, response_headers: {add: {Connection: b}}"), "may not be changed"},
        {ROUTE("service: a, response_headers: {set: {x: \"a\\r\\nb\"}}"), "control character"},
        {ROUTE("service: a, response_headers: {set: {x: a, X: b}}"), "\"X\" is there twice"},
        {ROUTE("service: a, response_headers: {remove: x}"), "expected a list of header names"},
        {ROUTE("service: a, response_headers: [x]"), "expected keys and values"},
        {ROUTE("service: a, timeout: 1"), "expected a duration"},
        {ROUTE("service: a, max_body: big"), "or unlimited, found \"big\""},
        {ROUTE("service: a, name: n") "  - {service: b, name: n}\n",
         "t.yaml:3: routes[1].name: \"n\" is also the name of the route at t.yaml:2"},
        {"routes: {a: 1}", "routes: expected a list of routes, found a map"},
        {"routes: [a]", "routes[0]: expected a map"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_route_has_defaults), cmocka_unit_test(every_key_arrives),
        cmocka_unit_test(splits_and_redirects),       cmocka_unit_test(only_given_names_are_unique),
        cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
