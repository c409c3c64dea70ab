/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static const char *const variables[] = {
    "CONSUL_HTTP_ADDR",   "CONSUL_HTTP_TOKEN", "CONSUL_HTTP_TOKEN_FILE", "CONSUL_CACERT",
    "CONSUL_CLIENT_CERT", "CONSUL_CLIENT_KEY", "CONSUL_HTTP_SSL"};

static int clear_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        unsetenv(variables[i]);
    return 0;
}

static void defaults_are_as_documented(void **state)
{
    struct config *c = parse_ok("# nothing\n");

    (void)state;
    assert_int_equal(c->workers, 0);
    assert_int_equal(c->nlisteners, 1);
    assert_string_equal(c->listeners[0].address, "0.0.0.0:8080");
    assert_string_equal(c->listeners[0].host, "0.0.0.0");
    assert_int_equal(c->listeners[0].port, 8080);
    assert_string_equal(c->admin.address, "127.0.0.1:9901");
    assert_int_equal(c->admin.port, 9901);
    assert_false(c->consul.enabled);
    assert_int_equal(c->limits.max_request_line, 8192);
    assert_int_equal(c->limits.max_header_bytes, 32768);
    assert_int_equal(c->limits.max_headers, 100);
    assert_int_equal(c->limits.max_body, 10 << 20);
    assert_int_equal(c->limits.header_timeout_ms, 10000);
    assert_int_equal(c->limits.body_timeout_ms, 30000);
    assert_int_equal(c->limits.write_timeout_ms, 30000);
    assert_int_equal(c->limits.keepalive_timeout_ms, 75000);
    assert_int_equal(c->limits.keepalive_requests, 0);
    assert_int_equal(c->limits.max_connections, 20000);
    assert_int_equal(c->nservices + c->nroutes + c->trusted_proxies.n, 0);
    assert_false(c->forwarded_header);
    assert_string_equal(c->via, "frontdesk");
    assert_null(c->access_log);
    assert_string_equal(c->log_level, "info");
    assert_int_equal(c->drain_timeout_ms, 30000);
    assert_int_equal(c->drain_delay_ms, 0);
    config_unref(&c);
}

static void every_key_arrives(void **state)
{
    struct config *c = parse_ok("workers: 3\n"
                                "listeners: [{address: \":81\"}, {address: \"[::1]:82\"},\n"
                                "            {address: \"localhost:83\"}]\n"
                                "admin: false\n"
                                "limits: {request_line: 4k, header_bytes: 1m, headers: 5,\n"
                                "  body: unlimited, header_timeout: 1ms, body_timeout: 2ms,\n"
                                "  write_timeout: 3ms, keepalive_timeout: 4ms,\n"
                                "  keepalive_requests: 5, connections: 6}\n"
                                "trusted_proxies: [10.0.0.0/8, \"::1\"]\n"
                                "forwarded_header: true\n"
                                "via: \"\"\n"
                                "access_log: /var/log/x.log\n"
                                "log_level: error\n"
                                "drain_timeout: 1s\n"
                                "drain_delay: 2s\n");

    (void)state;
    assert_int_equal(c->workers, 3);
    assert_int_equal(c->nlisteners, 3);
    assert_string_equal(c->listeners[0].host, "0.0.0.0");
    assert_string_equal(c->listeners[1].host, "::1");
    assert_string_equal(c->listeners[2].host, "127.0.0.1");
    assert_string_equal(c->listeners[2].address, "localhost:83");
    assert_null(c->admin.address);
    assert_int_equal(c->limits.max_request_line, 4096);
    assert_int_equal(c->limits.max_header_bytes, 1 << 20);
    assert_int_equal(c->limits.max_headers, 5);
    assert_true(c->limits.max_body == INT64_MAX);
    assert_int_equal(c->limits.header_timeout_ms, 1);
    assert_int_equal(c->limits.body_timeout_ms, 2);
    assert_int_equal(c->limits.write_timeout_ms, 3);
    assert_int_equal(c->limits.keepalive_timeout_ms, 4);
    assert_int_equal(c->limits.keepalive_requests, 5);
    assert_int_equal(c->limits.max_connections, 6);
    assert_int_equal(c->trusted_proxies.n, 2);
    assert_int_equal(c->trusted_proxies.items[1].bits, 104);
    assert_true(c->forwarded_header);
    assert_string_equal(c->via, "");
    assert_string_equal(c->access_log, "/var/log/x.log");
    assert_string_equal(c->log_level, "error");
    assert_int_equal(c->drain_timeout_ms, 1000);
    assert_int_equal(c->drain_delay_ms, 2000);
    config_unref(&c);
}

static void an_empty_consul_section_is_enough(void **state)
{
    static const char *const texts[] = {"consul: {}", "consul:"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct config *c = parse_ok(texts[i]);

        assert_true(c->consul.enabled);
        assert_string_equal(c->consul.address, "http://127.0.0.1:8500");
        assert_null(c->consul.token_file);
        assert_null(c->consul.token);
        assert_int_equal(c->consul.expose, EXPOSE_TAGGED);
        assert_string_equal(c->consul.tag_prefix, "frontdesk.");
        assert_string_equal(c->consul.fabio_prefix, "urlprefix-");
        assert_true(c->consul.stale);
        assert_int_equal(c->consul.wait_ms, 60000);
        assert_int_equal(c->consul.keep_routes_ms, 60000);
        assert_int_equal(c->consul.shrink_confirm_ms, 2000);
        assert_int_equal(c->consul.shrink_percent, 50);
        assert_int_equal(c->consul.shrink_services_percent, 20);
        assert_int_equal(c->consul.flap_damping_ms, 3000);
        assert_int_equal(c->consul.agent_restart_hold_ms, 15000);
        config_unref(&c);
    }
}

static void consul_addresses_get_a_scheme(void **state)
{
    static const struct {
        const char *file, *env, *ssl, *address;
    } rows[] = {
        {"{}", "10.0.0.1:8500", NULL, "http://10.0.0.1:8500"},
        {"{}", "https://c:8501/", NULL, "https://c:8501"},
        {"{}", "unix:///run/consul.sock", NULL, "unix:///run/consul.sock"},
        {"{}", "10.0.0.1:8500", "true", "https://10.0.0.1:8500"},
        {"{}", "", "1", "https://127.0.0.1:8500"},
        {"{}", "", "false", "http://127.0.0.1:8500"},
        {"{address: \"a:1\"}", "b:2", NULL, "http://a:1"},
        {"{address: \"http://a:1\"}", "b:2", "true", "http://a:1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[100];
        struct config *c;

        setenv("CONSUL_HTTP_ADDR", rows[i].env, 1);
        setenv("CONSUL_HTTP_SSL", rows[i].ssl ? rows[i].ssl : "", 1);
        snprintf(text, sizeof text, "consul: %s", rows[i].file);
        c = parse_ok(text);
        assert_string_equal(c->consul.address, rows[i].address);
        config_unref(&c);
    }
}

static void the_environment_fills_in(void **state)
{
    struct config *c;

    (void)state;
    setenv("CONSUL_HTTP_TOKEN", "s3cret", 1);
    setenv("CONSUL_CACERT", "/ca", 1);
    setenv("CONSUL_CLIENT_CERT", "/cert", 1);
    setenv("CONSUL_CLIENT_KEY", "/key", 1);
    c = parse_ok("consul: {ca_file: /mine}");
    assert_string_equal(c->consul.token, "s3cret");
    assert_string_equal(c->consul.ca_file, "/mine");
    assert_string_equal(c->consul.cert_file, "/cert");
    assert_string_equal(c->consul.key_file, "/key");
    config_unref(&c);

    setenv("CONSUL_HTTP_TOKEN_FILE", "/token", 1);
    c = parse_ok("consul: {}");
    assert_string_equal(c->consul.token_file, "/token");
    assert_null(c->consul.token);
    config_unref(&c);

    c = parse_ok("consul: {token_file: /mine}");
    assert_string_equal(c->consul.token_file, "/mine");
    config_unref(&c);

    c = parse_ok("workers: 1");
    assert_false(c->consul.enabled);
    assert_null(c->consul.token);
    config_unref(&c);
}

static void no_message_shows_a_secret(void **state)
{
    static const char *const texts[] = {"consul: {address: \"http://user:s3cret@c:1\"}",
                                        "consul: {token: s3cret}", "consul: {}"};

    (void)state;
    setenv("CONSUL_HTTP_TOKEN", "s3cret\nx", 1);
    setenv("CONSUL_HTTP_ADDR", "http://s3cret@c:1", 1);
    for (size_t i = 0; i < ARRAY_LEN(texts) + 1; i++) {
        const char *text = texts[i < ARRAY_LEN(texts) ? i : i - 1];
        struct err e = {""};

        if (i == ARRAY_LEN(texts))
            unsetenv("CONSUL_HTTP_ADDR");
        assert_null(config_parse("t.yaml", text, strlen(text), &e));
        assert_string_not_equal(e.text, "");
        assert_null(strstr(e.text, "s3cret"));
    }
}

static void mistakes_are_named(void **state)
{
    static const struct refusal rows[] = {
        {"listener: []", "t.yaml:1: listener: unknown key; did you mean listeners?"},
        {"workers: -1", "workers: expected a whole number, found \"-1\""},
        {"workers: 257", "workers: expected 0 to 256, found \"257\""},
        {"listeners: [{address: \"web:80\"}]", "listeners[0].address: expected an IP address"},
        {"listeners: [{address: \"0.0.0.0:0\"}]", "expected an IP address and port"},
        {"listeners: [\":80\"]", "expected a map such as { address: 0.0.0.0:8080 }"},
        {"listeners: [{}]", "a listener needs an address"},
        {"listeners: [{address: \":80\"}, {address: \"0.0.0.0:80\"}]", "is there twice"},
        {"listeners:\n  - address: \":443\"\n    tls: {certificates: []}",
         "t.yaml:3: listeners[0].tls: tls needs certificates"},
        {"admin: true", "or false, found \"true\""},
        {"admin: {adress: \":1\"}", "did you mean address?"},
        {"consul: true", "consul: expected keys and values"},
        {"consul: {address: \"ftp://c\"}", "consul.address: the value is not an address"},
        {"consul: {address: \"http://\"}", "is not an address"},
        {"consul: {token: x}", "consul.token: unknown key"},
        {"consul: {expose: some}", "one of `none`, `tagged`, `all`, found \"some\""},
        {"consul: {cert_file: /a}", "cert_file and key_file belong together"},
        {"consul: {tag_prefix: \"\"}", "tag_prefix must not be empty"},
        {"consul: {config_prefix: /a}", "not begin with /"},
        {"consul: {config_prefix: a//b}", "no prefix of keys"},
        {"consul: {config_prefix: a/../b/}", "a step . or .."},
        {"consul: {config_prefix: .}", "a step . or .."},
        {"consul: {traefik_entry_points: \",\"}", "names no entry point"},
        {"consul: {token_file: \"\"}", "is not a file name"},
        {"consul: {wait: 20m}", "expected 1s to 10m"},
        {"limits: {body: -5}", "limits.body: expected a size such as"},
        {"limits: {request_line: 2g}", "expected 64 to 1m, found \"2g\""},
        {"limits: {header_timeout: 0}", "expected 1ms to 1h"},
        {"limits: []", "limits: expected keys and values, found a list"},
        {"trusted_proxies: 10.0.0.0/8", "expected a list of addresses"},
        {"trusted_proxies: [10.0.0.1/8]",
         "trusted_proxies[0]: \"10.0.0.1/8\" has address bits set"},
        {"trusted_proxies: [[]]", "expected an IP address or network"},
        {"via: \"a b\"", "is not one word"},
        {"access_log: log.txt", "expected stdout, off, or the absolute path"},
        {"access_log: {}", "found a map"},
        {"log_level: loud", "one of `debug`, `info`, `warn`, `error`"},
        {"drain_timeout: -1s", "expected a duration"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

#define CASE(fn) cmocka_unit_test_setup(fn, clear_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(defaults_are_as_documented),
        CASE(every_key_arrives),
        CASE(an_empty_consul_section_is_enough),
        CASE(consul_addresses_get_a_scheme),
        CASE(the_environment_fills_in),
        CASE(no_message_shows_a_secret),
        CASE(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
