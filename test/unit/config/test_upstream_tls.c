/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void plain_by_default(void **state)
{
    struct config *c = parse_ok("services: {a: {timeout: 1s}}\n");
    const struct service_conf *a = config_service(c, "a");
    struct transport t = transport_of(a, CATALOG_SILENT, false);

    (void)state;
    assert_int_equal(t.http, TRANSPORT_HTTP1);
    assert_false(t.tls);
    assert_true(a->tls.verify);
    assert_false(a->tls.tls13);
    assert_false(a->tls.given);
    assert_int_equal(a->send_proxy_protocol, SEND_PROXY_OFF);
    config_unref(&c);
}

static void what_is_spoken(void **state)
{
    static const struct {
        const char *entry;
        enum catalog_protocol said;
        bool skip;
        enum transport_http http;
        bool tls, verify;
    } rows[] = {
        {"{}", CATALOG_HTTP, false, TRANSPORT_HTTP1, false, true},
        {"{}", CATALOG_HTTPS, false, TRANSPORT_HTTP1, true, true},
        {"{}", CATALOG_HTTPS, true, TRANSPORT_HTTP1, true, false},
        {"{}", CATALOG_H2, false, TRANSPORT_H2, true, true},
        {"{}", CATALOG_H2C, false, TRANSPORT_H2, false, true},
        {"{tls: true}", CATALOG_SILENT, false, TRANSPORT_HTTP1, true, true},
        {"{tls: {}}", CATALOG_SILENT, false, TRANSPORT_HTTP1, true, true},
        {"{tls: {ca: x.pem}}", CATALOG_HTTPS, true, TRANSPORT_HTTP1, true, true},
        {"{tls: {verify: false}}", CATALOG_SILENT, false, TRANSPORT_HTTP1, true, false},
        {"{tls: {enabled: false, ca: x.pem}}", CATALOG_HTTPS, true, TRANSPORT_HTTP1, true, true},
        {"{tls: {enabled: false, ca: x.pem}}", CATALOG_SILENT, false, TRANSPORT_HTTP1, false, true},
        /* Never in the clear where TLS was asked for. */
        {"{tls: true}", CATALOG_HTTP, false, TRANSPORT_HTTP1, true, true},
        {"{tls: true}", CATALOG_H2C, false, TRANSPORT_H2, true, true},
        {"{protocol: http1}", CATALOG_H2, false, TRANSPORT_HTTP1, false, true},
        {"{protocol: http1, tls: true}", CATALOG_H2, false, TRANSPORT_HTTP1, true, true},
        {"{protocol: h2}", CATALOG_HTTP, false, TRANSPORT_H2, true, true},
        {"{protocol: h2, tls: {verify: false}}", CATALOG_HTTP, false, TRANSPORT_H2, true, false},
        {"{protocol: h2c}", CATALOG_H2, false, TRANSPORT_H2, false, true},
        {"{protocol: auto}", CATALOG_SILENT, false, TRANSPORT_EITHER, true, true},
        {"{send_proxy_protocol: v2}", CATALOG_H2C, false, TRANSPORT_HTTP1, false, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[200];
        struct config *c;
        struct transport t;

        snprintf(text, sizeof text, "services: {a: %s}\n", rows[i].entry);
        c = parse_ok(text);
        t = transport_of(config_service(c, "a"), rows[i].said, rows[i].skip);
        if (t.http != rows[i].http || t.tls != rows[i].tls || t.verify != rows[i].verify)
            fail_msg("row %zu: %s gave %s, tls %d, verify %d", i, rows[i].entry,
                     transport_http_name(t.http), t.tls, t.verify);
        config_unref(&c);
    }
}

static void settings_are_inherited(void **state)
{
    struct config *c =
        parse_ok("defaults: {tls: {enabled: false, ca: ca.pem, server_name: '{service}.x', "
                 "min_version: 1.3}}\n"
                 "services:\n"
                 "  a: {tls: true}\n"
                 "  b: {tls: {cert: c.pem, key: k.pem}}\n"
                 "  c: {tls: {enabled: false}}\n"
                 "  d: {protocol: h2}\n");
    const struct service_conf *a = config_service(c, "a"), *b = config_service(c, "b");

    (void)state;
    assert_false(config_service(c, "other")->tls.enabled);
    assert_true(a->tls.enabled && a->tls.tls13);
    assert_string_equal(a->tls.ca, "ca.pem");
    assert_true(b->tls.enabled);
    assert_string_equal(b->tls.server_name, "{service}.x");
    assert_string_equal(b->tls.key, "k.pem");
    assert_false(config_service(c, "c")->tls.enabled);
    assert_true(transport_of(config_service(c, "d"), CATALOG_SILENT, true).verify);
    config_unref(&c);
}

static void grpc_statuses(void **state)
{
    struct config *c =
        parse_ok("services:\n"
                 "  a: {}\n"
                 "  b: {breaker: {failure_grpc_statuses: [2, unavailable, DATA_LOSS]},\n"
                 "      retries: {on: [connect_failed, grpc:14, grpc:aborted]}}\n"
                 "  c: {breaker: {failure_grpc_statuses: []}}\n");

    (void)state;
    assert_int_equal(config_service(c, "a")->breaker.failure_grpc_statuses,
                     1u << 4 | 1u << 13 | 1u << 14 | 1u << 15);
    assert_int_equal(config_service(c, "a")->retries.grpc_statuses, 0);
    assert_int_equal(config_service(c, "b")->breaker.failure_grpc_statuses,
                     1u << 2 | 1u << 14 | 1u << 15);
    assert_int_equal(config_service(c, "b")->retries.grpc_statuses, 1u << 14 | 1u << 10);
    assert_int_equal(config_service(c, "c")->breaker.failure_grpc_statuses, 0);
    config_unref(&c);
}

static void mistakes_are_named(void **state)
{
    static const struct refusal rows[] = {
        {"services:\n  a:\n    tls: {cert: x.pem}\n", "t.yaml:3"},
        {"services: {a: {tls: {key: x.pem}}}\n", "cert and key belong together"},
        {"services: {a: {tls: yes}}\n", "true, false, or a map"},
        {"services: {a: {tls: {verfy: false}}}\n", "did you mean verify"},
        {"services: {a: {tls: {min_version: 1.1}}}\n", "1.2"},
        {"services: {a: {tls: {server_name: 'a b'}}}\n", "not a host name"},
        {"services: {a: {tls: {server_name: 'x:443'}}}\n", "not a host name"},
        {"services: {a: {tls: {server_name: '*.x'}}}\n", "not a host name"},
        {"services: {a: {tls: {server_name: '{service}.{dc}'}}}\n", "not a host name"},
        {"services: {a: {tls: {server_name: ''}}}\n", "not a host name"},
        {"services: {a: {protocol: h3}}\n", "h2c"},
        {"services: {a: {protocol: h2c, tls: true}}\n", "without TLS"},
        {"services: {a: {protocol: h2, tls: false}}\n", "goes over TLS"},
        {"services: {a: {protocol: auto, tls: false}}\n", "goes over TLS"},
        {"services: {a: {protocol: h2c, send_proxy_protocol: v1}}\n", "many clients"},
        {"services: {a: {protocol: h2, send_proxy_protocol: v2}}\n", "many clients"},
        {"services: {a: {send_proxy_protocol: v3}}\n", "v1"},
        {"services: {a: {breaker: {failure_grpc_statuses: [17]}}}\n", "status of gRPC"},
        {"services: {a: {breaker: {failure_grpc_statuses: [0]}}}\n", "status of gRPC"},
        {"services: {a: {breaker: {failure_grpc_statuses: [gone]}}}\n", "status of gRPC"},
        {"services: {a: {breaker: {failure_grpc_statuses: 14}}}\n", "a list of gRPC statuses"},
        {"services: {a: {retries: {on: [grpc:ok]}}}\n", "status of gRPC"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_by_default),       cmocka_unit_test(what_is_spoken),
        cmocka_unit_test(settings_are_inherited), cmocka_unit_test(grpc_statuses),
        cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
