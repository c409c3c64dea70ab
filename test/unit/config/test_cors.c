/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void everything_arrives(void **state)
{
    struct config *c = parse_ok("cors:\n"
                                "  shop:\n"
                                "    allow_origins: [\"HTTPS://Shop.Example:443\", "
                                "\"https://*.shop.example:8443\", \"http://localhost:*\", "
                                "\"http://[::1]:80\", null]\n"
                                "    allow_methods: [GET, PUT]\n"
                                "    allow_headers: [Content-Type, Authorization]\n"
                                "    expose_headers: [X-A, X-B]\n"
                                "    allow_credentials: true\n"
                                "    allow_private_network: true\n"
                                "    reject_foreign: true\n"
                                "    max_age: 90s\n"
                                "routes:\n"
                                "  - {path: /a, service: a, cors: shop}\n"
                                "  - {path: /b, service: a, cors: {allow_origins: [\"*\"]}}\n"
                                "  - {path: /c, service: a}\n");
    const struct cors_conf *p = c->routes[0].edge.cors, *own = c->routes[1].edge.cors;

    (void)state;
    assert_ptr_equal(p, config_cors(c, "shop"));
    assert_null(config_cors(c, "sho"));
    assert_string_equal(p->origins[0], "https://shop.example");
    assert_string_equal(p->origins[1], "https://*.shop.example:8443");
    assert_string_equal(p->origins[2], "http://localhost:*");
    assert_string_equal(p->origins[3], "http://[::1]");
    assert_string_equal(p->origins[4], "null");
    assert_null(p->origins[5]);
    assert_string_equal(p->allow_methods, "GET, PUT");
    assert_string_equal(p->headers[1], "Authorization");
    assert_string_equal(p->expose_headers, "X-A, X-B");
    assert_int_equal(p->max_age_ms, 90000);
    assert_true(p->credentials && p->private_network && p->reject_foreign);
    assert_false(p->any_origin || p->any_method || p->any_header);

    assert_true(own->any_origin);
    assert_string_equal(own->allow_methods, "GET, HEAD, POST");
    assert_null(own->headers[0]);
    assert_null(own->expose_headers);
    assert_int_equal(own->max_age_ms, 600000);
    assert_false(own->credentials || own->private_network || own->reject_foreign);
    assert_null(c->routes[2].edge.cors);
    config_unref(&c);
}

#define ORIGIN(o) "cors: {a: {allow_origins: [\"" o "\"]}}"

static void mistakes_are_named(void **state)
{
    static const struct refusal rows[] = {
        {"cors: {a: {}}", "t.yaml:1: cors.a: a policy needs allow_origins"},
        {"cors: {a: {allow_origins: []}}", "allows nothing"},
        {"cors: {a: {allow_origins: x}}", "expected a list of origins"},
        {"cors: {a: {allow_origins: [~]}}", "expected an origin"},
        {"cors: []", "expected policies by name"},
        {"cors: {a: {allow_origins: [\"*\"], allow_credentials: true}}", "every page"},
        {"cors: {a: {allow_origins: [\"https://a.example\"], expose_headers: [\"*\"], "
         "allow_credentials: true}}",
         "name the headers"},
        {ORIGIN("https://shop.example/"), "has a slash behind its host"},
        {ORIGIN("https://shop.example/a"), "has a slash behind its host"},
        {ORIGIN("shop.example"), "is no origin"},
        {ORIGIN("://shop.example"), "is no origin"},
        {ORIGIN("https://"), "has no host"},
        {ORIGIN("https://user@shop.example"), "has no host as browsers send it"},
        {ORIGIN("https://shop..example"), "has no host as browsers send it"},
        {ORIGIN("https://shop.example."), "has no host as browsers send it"},
        {ORIGIN("https://[::g]"), "has no host"},
        {ORIGIN("https://shop.example:0"), "has no port that exists"},
        {ORIGIN("https://shop.example:65536"), "has no port that exists"},
        {ORIGIN("https://shop.example:"), "has no port that exists"},
        {ORIGIN("https://*"), "has a star"},
        {ORIGIN("https://*.example"), "has a star"},
        {ORIGIN("https://***.shop.example"), "has a star"},
        {ORIGIN("https://*shop.example"), "has a star"},
        {ORIGIN("https://shop.*.example"), "has no host as browsers send it"},
        {ORIGIN("*.shop.example"), "is no origin"},
        {"cors: {a: {allow_origins: [\"*\"], allow_methods: [put]}}", "a method in upper case"},
        {"cors: {a: {allow_origins: [\"*\"], allow_headers: [\"a b\"]}}", "is not a header name"},
        {"cors: {a: {allow_origins: [\"*\"], allow_origin: []}}", "did you mean allow_origins?"},
        {"routes: [{service: a, cors: shop}]", "there is no policy \"shop\" in cors"},
        {"cors: {shop: {allow_origins: [\"*\"]}}\nroutes: [{service: a, cors: shap}]",
         "did you mean shop?"},
        {"routes: [{service: a, cors: []}]", "expected a map such as"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_arrives),
        cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
