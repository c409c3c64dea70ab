/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void servers_and_bounds(void **state)
{
    struct config *c = parse_ok("resolver: {nameservers: [10.0.0.2, \"127.0.0.1:8600\", \"::1\", "
                                "\"[::1]:5353\"], timeout: 500ms, attempts: 3, max_ttl: 1m}");

    (void)state;
    assert_int_equal(c->resolver.nservers, 4);
    assert_string_equal(c->resolver.servers[1], "127.0.0.1:8600");
    assert_string_equal(c->resolver.servers[3], "[::1]:5353");
    assert_int_equal(c->resolver.timeout_ms, 500);
    assert_int_equal(c->resolver.attempts, 3);
    assert_int_equal(c->resolver.min_ttl_ms, 5000);
    assert_int_equal(c->resolver.max_ttl_ms, 60000);
    config_unref(&c);
    c = parse_ok("{}");
    assert_int_equal(c->resolver.nservers, 0);
    assert_int_equal(c->resolver.timeout_ms, 2000);
    assert_int_equal(c->resolver.attempts, 2);
    assert_int_equal(c->resolver.max_ttl_ms, 3600000);
    config_unref(&c);
}

static void what_is_refused(void **state)
{
    static const struct refusal rows[] = {
        {"resolver: {nameservers: [dns.example]}", "nameservers[0]: expected an IP address"},
        {"resolver: {nameservers: [\"10.0.0.2:0\"]}", "expected an IP address"},
        {"resolver: {nameservers: [\":53\"]}", "expected an IP address"},
        {"resolver: {attempts: 0}", "attempts"},
        {"resolver: {min_ttl: 2m, max_ttl: 1m}", "min_ttl is longer than max_ttl"},
        {"resolver: {search: [a]}", "unknown key"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_and_bounds),
        cmocka_unit_test(what_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
