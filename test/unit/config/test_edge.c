/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void addresses_arrive(void **state)
{
    struct config *c = parse_ok("allow_from: [10.0.0.0/8]\n"
                                "deny_from: [10.1.0.0/16, 10.1.2.3]\n"
                                "listeners: [{address: \":81\", allow_from: [\"::1\"], "
                                "deny_from: [\"fd00::/8\"]}]\n"
                                "routes: [{service: a, allow_from: [192.0.2.1], deny_from: []}]\n");

    (void)state;
    assert_int_equal(c->addresses.allow.n, 1);
    assert_int_equal(c->addresses.deny.n, 1);
    assert_int_equal(c->addresses.deny.items[0].bits, 112);
    assert_int_equal(c->listeners[0].addresses.allow.n, 1);
    assert_int_equal(c->listeners[0].addresses.deny.items[0].bits, 8);
    assert_int_equal(c->routes[0].edge.addresses.allow.items[0].bits, 128);
    assert_int_equal(c->routes[0].edge.addresses.deny.n, 0);
    config_unref(&c);
}

static void proxy_protocol_arrives(void **state)
{
    struct config *c = parse_ok("listeners:\n"
                                "  - {address: \":81\", proxy_protocol: {from: [10.0.0.0/8]}}\n"
                                "  - {address: \":82\", proxy_protocol: {from: [\"::1\"], "
                                "version: v2, max_bytes: 52}}\n"
                                "  - {address: \":83\"}\n");

    (void)state;
    assert_int_equal(c->listeners[0].proxy_protocol->versions,
                     PROXY_PROTOCOL_V1 | PROXY_PROTOCOL_V2);
    assert_int_equal(c->listeners[0].proxy_protocol->max_bytes, 2048);
    assert_int_equal(c->listeners[0].proxy_protocol->from.n, 1);
    assert_int_equal(c->listeners[1].proxy_protocol->versions, PROXY_PROTOCOL_V2);
    assert_int_equal(c->listeners[1].proxy_protocol->max_bytes, 52);
    assert_null(c->listeners[2].proxy_protocol);
    config_unref(&c);
}

static void content_rules_arrive(void **state)
{
    struct config *c = parse_ok("routes:\n"
                                "  - {path: /a, service: a, content_types: [application/json, "
                                "\"image/*\", \"application/*+json\"], max_query: 1k}\n"
                                "  - {path: /b, service: a, content_types: [\"*/*\"]}\n"
                                "  - {path: /c, service: a}\n");

    (void)state;
    assert_string_equal(c->routes[0].edge.content_types[2], "application/*+json");
    assert_null(c->routes[0].edge.content_types[3]);
    assert_string_equal(c->routes[0].edge.accept, "application/json, image/*, application/*+json");
    assert_int_equal(c->routes[0].edge.max_query, 1024);
    assert_string_equal(c->routes[1].edge.accept, "*/*");
    assert_null(c->routes[2].edge.content_types);
    assert_int_equal(c->routes[2].edge.max_query, 0);
    config_unref(&c);
}

/* "Name: value|Name: value|-Removed|!" with ! for override. */
static const char *show(const struct security_headers_conf *s)
{
    static char text[1024];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < s->n; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s: %s|", s->fields[i].name,
                              s->fields[i].value);
    for (size_t i = 0; s->remove[i]; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "-%s|", s->remove[i]);
    snprintf(text + n, sizeof text - n, "%s", s->override ? "!" : "");
    return text;
}

#define STRICT                                                                                     \
    "X-Content-Type-Options: nosniff|X-Frame-Options: DENY|"                                       \
    "Referrer-Policy: strict-origin-when-cross-origin|"                                            \
    "Permissions-Policy: camera=(), geolocation=(), microphone=()|"                                \
    "Cross-Origin-Opener-Policy: same-origin|Cross-Origin-Resource-Policy: same-origin|"           \
    "-Server|-X-Powered-By|"

static void security_headers_arrive(void **state)
{
    static const struct {
        const char *all, *route, *shown; /* route NULL = says nothing */
    } rows[] = {
        {"strict", NULL, STRICT},
        {"none", NULL, ""},
        {"{frame_options: SAMEORIGIN}", NULL, "X-Frame-Options: SAMEORIGIN|"},
        {"strict", "none", ""},
        {"none", "strict", STRICT},
        {"{frame_options: DENY, override: true, remove: [Via2]}", "{}",
         "X-Frame-Options: DENY|-Via2|!"},
        {"{frame_options: DENY, override: true}", "{frame_options: off, referrer_policy: origin}",
         "Referrer-Policy: origin|!"},
        {"{frame_options: DENY, override: true}", "{override: false, remove: [Server]}",
         "X-Frame-Options: DENY|-Server|"},
        {"strict", "{preset: none, content_security_policy: \"default-src 'self'\"}",
         "Content-Security-Policy: default-src 'self'|"},
        {"none",
         "{preset: strict, frame_options: off, referrer_policy: off, remove: [], "
         "permissions_policy: off, opener_policy: off, resource_policy: off}",
         "X-Content-Type-Options: nosniff|"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        struct config *c;
        const struct security_headers_conf *s;

        snprintf(text, sizeof text, "routes: [{service: a%s%s}]\nsecurity_headers: %s\n",
                 rows[i].route ? ", security_headers: " : "", rows[i].route ? rows[i].route : "",
                 rows[i].all);
        c = parse_ok(text);
        s = rows[i].route ? c->routes[0].edge.security : c->security_headers;
        assert_true(rows[i].route || !c->routes[0].edge.security);
        assert_string_equal(show(s), rows[i].shown);
        config_unref(&c);
    }
}

static void nothing_is_the_default(void **state)
{
    struct config *c = parse_ok("routes: [{service: a}]");

    (void)state;
    assert_null(c->security_headers);
    assert_null(c->routes[0].edge.security);
    assert_int_equal(c->addresses.allow.n + c->addresses.deny.n + c->ncors, 0);
    config_unref(&c);
}

#define PROXY(p) "listeners: [{address: \":81\", proxy_protocol: " p "}]"
#define TYPES(t) "routes: [{service: a, content_types: [\"" t "\"]}]"

static void mistakes_are_named(void **state)
{
    static const struct refusal rows[] = {
        {"deny_from: 10.0.0.0/8", "deny_from: expected a list of addresses and networks"},
        {"allow_from: [10.0.0.1/8]", "allow_from[0]: \"10.0.0.1/8\" has address bits set"},
        {"routes: [{service: a, deny_from: [x]}]", "is not an IP address or network"},
        {PROXY("true"), "expected a map such as { from: [10.0.0.0/8] }"},
        {PROXY("{}"), "says whom to believe"},
        {PROXY("{from: []}"), "says whom to believe"},
        {PROXY("{from: [10.0.0.0/8], version: v3}"), "expected one of `any`, `v1`, `v2`"},
        {PROXY("{from: [10.0.0.0/8], max_bytes: 51}"), "expected 52 to 16k"},
        {"routes: [{service: a, content_types: []}]", "lets no body in"},
        {TYPES("json"), "is not a media type"},
        {TYPES("application/"), "is not a media type"},
        {TYPES("/json"), "is not a media type"},
        {TYPES("*/json"), "is not a media type"},
        {TYPES("application/j*"), "is not a media type"},
        {TYPES("application/*json"), "is not a media type"},
        {TYPES("application/*+*"), "is not a media type"},
        {TYPES("application/json; charset=utf-8"), "is not a media type"},
        {"security_headers: lax", "expected none or strict"},
        {"security_headers: {preset: lax}", "expected none or strict"},
        {"security_headers: {frame_option: DENY}", "did you mean frame_options?"},
        {"security_headers: {frame_options: \"\"}", "is empty"},
        {"security_headers: {frame_options: \"a\\nb\"}", "frame_options"},
        {"security_headers: {remove: [Content-Length]}", "Content-Length"},
        {"security_headers: []", "expected none or strict"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_arrive),       cmocka_unit_test(proxy_protocol_arrives),
        cmocka_unit_test(content_rules_arrive),   cmocka_unit_test(security_headers_arrive),
        cmocka_unit_test(nothing_is_the_default), cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
