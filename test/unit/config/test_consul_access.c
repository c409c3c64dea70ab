/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static const char *const variables[] = {
    "CONSUL_HTTP_ADDR",       "CONSUL_HTTP_TOKEN", "CONSUL_HTTP_TOKEN_FILE",
    "CONSUL_CACERT",          "CONSUL_CAPATH",     "CONSUL_CLIENT_CERT",
    "CONSUL_CLIENT_KEY",      "CONSUL_HTTP_SSL",   "CONSUL_HTTP_SSL_VERIFY",
    "CONSUL_TLS_SERVER_NAME", "CONSUL_NAMESPACE",  "CONSUL_PARTITION"};

static int clear_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        unsetenv(variables[i]);
    return 0;
}

static void one_address_or_several(void **state)
{
    struct config *c = parse_ok("consul: {address: [\"a:1/\", \"https://b\", \"unix:///c\"]}");

    (void)state;
    assert_string_equal(c->consul.address, "http://a:1");
    assert_int_equal(c->consul.nmore, 2);
    assert_string_equal(c->consul.more[0], "https://b");
    assert_string_equal(c->consul.more[1], "unix:///c");
    assert_int_equal(c->consul.fail_back_ms, 300000);
    config_unref(&c);

    c = parse_ok("consul: {address: [\"a:1\"], fail_back: 0}");
    assert_string_equal(c->consul.address, "http://a:1");
    assert_int_equal(c->consul.nmore, 0);
    assert_int_equal(c->consul.fail_back_ms, 0);
    config_unref(&c);

    setenv("CONSUL_HTTP_ADDR", "https://env", 1);
    setenv("CONSUL_HTTP_SSL", "1", 1);
    c = parse_ok("consul: {address: [\"a:1\", \"http://b:2\"]}");
    assert_string_equal(c->consul.address, "https://a:1");
    assert_string_equal(c->consul.more[0], "http://b:2");
    config_unref(&c);
}

static void the_environment_fills_in(void **state)
{
    struct config *c;

    (void)state;
    setenv("CONSUL_CAPATH", "/cas", 1);
    setenv("CONSUL_TLS_SERVER_NAME", "server.dc1.consul", 1);
    setenv("CONSUL_NAMESPACE", "team", 1);
    setenv("CONSUL_PARTITION", "north", 1);
    c = parse_ok("consul: {}");
    assert_string_equal(c->consul.ca_path, "/cas");
    assert_string_equal(c->consul.server_name, "server.dc1.consul");
    assert_string_equal(c->consul.ns, "team");
    assert_string_equal(c->consul.partition, "north");
    assert_true(c->consul.verify);
    config_unref(&c);

    c = parse_ok("consul: {ca_file: /ca, server_name: a, namespace: b, partition: c}");
    assert_null(c->consul.ca_path);
    assert_string_equal(c->consul.server_name, "a");
    assert_string_equal(c->consul.ns, "b");
    assert_string_equal(c->consul.partition, "c");
    config_unref(&c);
}

static void verify_is_read_as_consul_reads_it(void **state)
{
    static const struct {
        const char *env, *file;
        bool verify;
    } rows[] = {
        {"", "{}", true},
        {"true", "{}", true},
        {"1", "{}", true},
        {"T", "{}", true},
        {"false", "{}", false},
        {"0", "{}", false},
        {"FALSE", "{}", false},
        {"f", "{}", false},
        {"false", "{verify: true}", true},
        {"true", "{verify: false}", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[100];
        struct config *c;

        setenv("CONSUL_HTTP_SSL_VERIFY", rows[i].env, 1);
        snprintf(text, sizeof text, "consul: %s", rows[i].file);
        c = parse_ok(text);
        if (c->consul.verify != rows[i].verify)
            fail_msg("%s, %s", rows[i].env, rows[i].file);
        config_unref(&c);
    }
}

static void login_takes_the_place_of_a_token(void **state)
{
    struct config *c;

    (void)state;
    setenv("CONSUL_HTTP_TOKEN", "s3cret", 1);
    setenv("CONSUL_HTTP_TOKEN_FILE", "/token", 1);
    c = parse_ok("consul: {login: {method: m, jwt_file: /jwt, meta: {a: 1, b: x y}}}");
    assert_null(c->consul.token);
    assert_null(c->consul.token_file);
    assert_string_equal(c->consul.login.method, "m");
    assert_string_equal(c->consul.login.jwt_file, "/jwt");
    assert_int_equal(c->consul.login.nmeta, 2);
    assert_string_equal(c->consul.login.meta[2], "b");
    assert_string_equal(c->consul.login.meta[3], "x y");
    config_unref(&c);
}

static void mistakes_are_named(void **state)
{
    static const struct refusal rows[] = {
        {"consul: {address: []}", "the list is empty"},
        {"consul: {address: [\"a:1\", \"http://u:s3cret@b\"]}", "consul.address[1]"},
        {"consul: {address: {a: 1}}", "expected an address"},
        {"consul: {login: {method: m}}", "method and jwt_file are both needed"},
        {"consul: {login: {jwt_file: /jwt}}", "method and jwt_file are both needed"},
        {"consul: {login: {method: m, jwt_file: /jwt}, token_file: /t}", "exclude each other"},
        {"consul: {login: {method: m, jwt_file: /jwt, meta: [a]}}", "expected a map"},
        {"consul: {login: {method: m, jwt_file: /jwt, meta: {a: {b: c}}}}", "expected a text"},
        {"consul: {server_name: \"https://a\"}", "is not the name of a host"},
        {"consul: {verify: maybe}", "verify"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
    setenv("CONSUL_HTTP_SSL_VERIFY", "perhaps", 1);
    parse_refused(&(struct refusal){"consul: {}", "CONSUL_HTTP_SSL_VERIFY is neither"}, 1);
    clear_environment(NULL);
    setenv("CONSUL_TLS_SERVER_NAME", "a/b", 1);
    parse_refused(&(struct refusal){"consul: {}", "CONSUL_TLS_SERVER_NAME is not"}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_address_or_several, clear_environment),
        cmocka_unit_test_setup(the_environment_fills_in, clear_environment),
        cmocka_unit_test_setup(verify_is_read_as_consul_reads_it, clear_environment),
        cmocka_unit_test_setup(login_takes_the_place_of_a_token, clear_environment),
        cmocka_unit_test_setup(mistakes_are_named, clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
