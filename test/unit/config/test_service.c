/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static void defaults_are_as_documented(void **state)
{
    struct config *c = parse_ok("");
    const struct service_conf *s = config_service(c, "any");

    (void)state;
    assert_ptr_equal(s, &c->defaults);
    assert_string_equal(s->balance.policy, "least_request");
    assert_int_equal(s->balance.hash_source, HASH_NONE);
    assert_int_equal(s->balance.slow_start_ms, 0);
    assert_int_equal(s->balance.panic_percent, 0);
    assert_null(s->balance.prefer_meta);
    assert_int_equal(s->balance.prefer_min_percent, 50);
    assert_int_equal(s->retries.attempts, 2);
    assert_int_equal(s->retries.reasons,
                     1u << REASON_CONNECT_FAILED | 1u << REASON_CONNECT_TIMEOUT |
                         1u << REASON_UPSTREAM_TLS | 1u << REASON_UPSTREAM_RESET |
                         1u << REASON_UPSTREAM_TIMEOUT | 1u << REASON_UPSTREAM_INVALID |
                         1u << REASON_UPSTREAM_STATUS);
    assert_int_equal(s->retries.statuses[0], 502);
    assert_int_equal(s->retries.statuses[1], 503);
    assert_int_equal(s->retries.statuses[2], 504);
    assert_int_equal(s->retries.statuses[3], 0);
    assert_false(s->retries.non_idempotent);
    assert_int_equal(s->retries.budget_percent, 20);
    assert_int_equal(s->retries.budget_min_per_s, 10);
    assert_true(s->breaker.enabled);
    assert_int_equal(s->breaker.failure_rate, 50);
    assert_int_equal(s->breaker.minimum_requests, 20);
    assert_int_equal(s->breaker.window_ms, 10000);
    assert_int_equal(s->breaker.open_for_ms, 5000);
    assert_int_equal(s->breaker.max_open_ms, 60000);
    assert_int_equal(s->breaker.half_open_requests, 3);
    assert_int_equal(s->breaker.failure_statuses[0], 500);
    assert_int_equal(s->breaker.failure_statuses[3], 504);
    assert_int_equal(s->breaker.failure_statuses[4], 0);
    assert_true(s->outlier.enabled);
    assert_int_equal(s->outlier.consecutive_failures, 5);
    assert_int_equal(s->outlier.max_ejection_ms, 300000);
    assert_int_equal(s->outlier.max_ejected, 50);
    assert_int_equal(s->max_requests, 0);
    assert_int_equal(s->queue_timeout_ms, 1000);
    assert_int_equal(s->timeout_ms, 0);
    assert_int_equal(s->connect_timeout_ms, 1000);
    assert_int_equal(s->first_byte_timeout_ms, 15000);
    assert_int_equal(s->idle_timeout_ms, 60000);
    assert_int_equal(s->keepalive, 128);
    assert_int_equal(s->keepalive_timeout_ms, 60000);
    assert_true(s->preserve_host);
    config_unref(&c);
    assert_null(c);
}

static void every_key_arrives(void **state)
{
    struct config *c = parse_ok(
        "services:\n"
        "  z: {}\n"
        "  a:\n"
        "    instances: [\"10.0.0.5:80\", {address: \"[fd00::1]:81\", weight: 0, zone: b}]\n"
        "    balance: {policy: consistent_hash, hash: {header: x-user}, slow_start: 1m,\n"
        "              panic_threshold: 30%, prefer: {node_meta: zone, value: b, minimum: 70}}\n"
        "    retries: {attempts: 3, on: [upstream_reset, 503, \"429\"], non_idempotent: true,\n"
        "              budget_percent: 5, budget_min_per_second: 1}\n"
        "    breaker: {enabled: false, failure_rate: 1, slow_rate: 2, slow_after: 3ms,\n"
        "              minimum_requests: 4, window: 5s, open_for: 6s, max_open_for: 7s,\n"
        "              half_open_requests: 8, failure_statuses: [500, 429]}\n"
        "    outlier: {enabled: false, consecutive_failures: 1, failure_rate: 2,\n"
        "              minimum_requests: 3, window: 4s, base_ejection: 5s, max_ejection: 6s,\n"
        "              max_ejected: 7}\n"
        "    concurrency: {requests: 1, requests_per_instance: 2, queue: 3, queue_timeout: 4s}\n"
        "    timeout: 0\n"
        "    connect_timeout: 1ms\n"
        "    first_byte_timeout: 2ms\n"
        "    idle_timeout: 3ms\n"
        "    keepalive: {connections: 4, timeout: 5ms}\n"
        "    host: instance\n");
    const struct service_conf *s = config_service(c, "a");

    (void)state;
    assert_string_equal(s->name, "a");
    assert_string_equal(config_service(c, "z")->name, "z");
    assert_int_equal(s->ninstances, 2);
    assert_string_equal(s->instances[0].host, "10.0.0.5");
    assert_int_equal(s->instances[0].port, 80);
    assert_int_equal(s->instances[0].weight, 1);
    assert_string_equal(s->instances[0].zone, "");
    assert_string_equal(s->instances[1].host, "fd00::1");
    assert_int_equal(s->instances[1].weight, 0);
    assert_string_equal(s->instances[1].zone, "b");
    assert_string_equal(s->balance.policy, "consistent_hash");
    assert_int_equal(s->balance.hash_source, HASH_HEADER);
    assert_string_equal(s->balance.hash_name, "x-user");
    assert_int_equal(s->balance.slow_start_ms, 60000);
    assert_int_equal(s->balance.panic_percent, 30);
    assert_string_equal(s->balance.prefer_meta, "zone");
    assert_string_equal(s->balance.prefer_value, "b");
    assert_int_equal(s->balance.prefer_min_percent, 70);
    assert_int_equal(s->retries.attempts, 3);
    assert_int_equal(s->retries.reasons,
                     1u << REASON_UPSTREAM_RESET | 1u << REASON_UPSTREAM_STATUS);
    assert_int_equal(s->retries.statuses[0], 503);
    assert_int_equal(s->retries.statuses[1], 429);
    assert_int_equal(s->retries.statuses[2], 0);
    assert_true(s->retries.non_idempotent);
    assert_int_equal(s->retries.budget_percent, 5);
    assert_int_equal(s->retries.budget_min_per_s, 1);
    assert_false(s->breaker.enabled);
    assert_int_equal(s->breaker.failure_rate, 1);
    assert_int_equal(s->breaker.slow_rate, 2);
    assert_int_equal(s->breaker.slow_ms, 3);
    assert_int_equal(s->breaker.minimum_requests, 4);
    assert_int_equal(s->breaker.window_ms, 5000);
    assert_int_equal(s->breaker.open_for_ms, 6000);
    assert_int_equal(s->breaker.max_open_ms, 7000);
    assert_int_equal(s->breaker.half_open_requests, 8);
    assert_int_equal(s->breaker.failure_statuses[1], 429);
    assert_int_equal(s->breaker.failure_statuses[2], 0);
    assert_false(s->outlier.enabled);
    assert_int_equal(s->outlier.consecutive_failures, 1);
    assert_int_equal(s->outlier.failure_rate, 2);
    assert_int_equal(s->outlier.minimum_requests, 3);
    assert_int_equal(s->outlier.window_ms, 4000);
    assert_int_equal(s->outlier.base_ejection_ms, 5000);
    assert_int_equal(s->outlier.max_ejection_ms, 6000);
    assert_int_equal(s->outlier.max_ejected, 7);
    assert_int_equal(s->max_requests, 1);
    assert_int_equal(s->max_requests_per_instance, 2);
    assert_int_equal(s->queue, 3);
    assert_int_equal(s->queue_timeout_ms, 4000);
    assert_int_equal(s->timeout_ms, 0);
    assert_int_equal(s->connect_timeout_ms, 1);
    assert_int_equal(s->first_byte_timeout_ms, 2);
    assert_int_equal(s->idle_timeout_ms, 3);
    assert_int_equal(s->keepalive, 4);
    assert_int_equal(s->keepalive_timeout_ms, 5);
    assert_false(s->preserve_host);
    config_unref(&c);
}

/* `defaults` counts wherever it stands, and single keys of a map can be changed. */
static void entries_inherit_from_defaults(void **state)
{
    struct config *c = parse_ok("services:\n"
                                "  a: {breaker: {open_for: 1s}, retries: {on: []}}\n"
                                "  b: {balance: random}\n"
                                "  c:\n"
                                "defaults:\n"
                                "  timeout: 7s\n"
                                "  breaker: {failure_rate: 10, failure_statuses: [503]}\n"
                                "  balance: {policy: consistent_hash, hash: client_address}\n");
    const struct service_conf *a = config_service(c, "a"), *b = config_service(c, "b");

    (void)state;
    assert_int_equal(a->timeout_ms, 7000);
    assert_int_equal(a->breaker.failure_rate, 10);
    assert_int_equal(a->breaker.failure_statuses[0], 503);
    assert_int_equal(a->breaker.failure_statuses[1], 0);
    assert_int_equal(a->breaker.open_for_ms, 1000);
    assert_int_equal(a->retries.reasons, 0);
    assert_int_equal(a->retries.statuses[0], 0);
    assert_string_equal(a->balance.policy, "consistent_hash");
    assert_int_equal(a->balance.hash_source, HASH_CLIENT_ADDRESS);
    assert_string_equal(b->balance.policy, "random");
    assert_int_equal(config_service(c, "c")->timeout_ms, 7000);
    assert_int_equal(config_service(c, "none")->timeout_ms, 7000);
    config_unref(&c);
}

#define SERVICE(keys) "services:\n  orders:\n    " keys "\n"

static void mistakes_are_named(void **state)
{
    static const struct refusal rows[] = {
        {SERVICE("breaker:\n      failure_rat: 50"),
         "t.yaml:4: services.orders.breaker.failure_rat: unknown key; did you mean failure_rate?"},
        {SERVICE("timeout: soon"), "t.yaml:3: services.orders.timeout: expected a duration such as "
                                   "250ms, 3s, 1m or 2h, found \"soon\""},
        {SERVICE("timeout: 25h"), "expected 0 to 24h, found \"25h\""},
        {SERVICE("timeout:"), "found nothing"},
        {SERVICE("timeout: [1s]"), "found a list"},
        {SERVICE("connect_timeout: 0"), "expected 1ms to 1h"},
        {SERVICE("<<: {timeout: 1s}"), "services.orders.<<: unknown key"},
        {SERVICE("balance: roundrobin"),
         "services.orders.balance: expected one of `round_robin`, "},
        {SERVICE("balance: {policy: x}"), "services.orders.balance.policy: expected one of"},
        {SERVICE("balance: {hash: header}"), "expected client_address or one of"},
        {SERVICE("balance: {hash: {header: a, cookie: b}}"), "found 2 keys"},
        {SERVICE("balance: {hash: {body: a}}"), "hash.body: unknown key"},
        {SERVICE("balance: {prefer: {node_meta: zone}}"), "belong together"},
        {"defaults: {balance: {prefer: {node_meta: rack, value: r1}}}\n" SERVICE(
             "balance: {prefer: {node_meta: zone, value: a}}"),
         "the same node_meta"},
        {SERVICE("retries: {attempts: 0}"), "expected 1 to 8, found \"0\""},
        {SERVICE("retries: {on: [connect_fail]}"), "did you mean connect_failed?"},
        {SERVICE("retries: {on: [no_route]}"), "a reason that can be retried"},
        {SERVICE("retries: {on: [upstream_status]}"), "a reason that can be retried"},
        {SERVICE("retries: {on: [200]}"), "on[0]: expected a status from 400 to 599"},
        {SERVICE("retries: {on: [[1]]}"), "expected a reason or a status"},
        {SERVICE("retries: {on: \"503\"}"), "expected a list of reasons and statuses"},
        {SERVICE("retries: {on: [500, 501, 502, 503, 504, 505, 506, 507]}"), "at most 7 statuses"},
        {SERVICE("breaker: {failure_rate: 101}"), "expected 0 to 100"},
        {SERVICE("breaker: {failure_rate: -1}"), "expected a percentage"},
        {SERVICE("breaker: {failure_rate: \"%\"}"), "expected a percentage"},
        {SERVICE("breaker: {enabled: yes}"), "expected `false`, `true`, found \"yes\""},
        {SERVICE("breaker: {slow_rate: 50}"), "breaker.slow_rate needs breaker.slow_after"},
        {SERVICE("breaker: {open_for: 2m}"), "max_open_for is shorter"},
        {SERVICE("breaker: {failure_statuses: [x]}"), "expected a status"},
        {SERVICE("breaker: fast"), "expected keys and values, found \"fast\""},
        {SERVICE("outlier: {base_ejection: 10m}"), "max_ejection is shorter"},
        {SERVICE("concurrency: {queue: 5}"), "queue needs"},
        {SERVICE("concurrency: {requests: 4294967296}"), "expected 0 to 1000000"},
        {SERVICE("concurrency: {requests: 99999999999999999999}"), "expected a whole number"},
        {SERVICE("instances: [web]"), "instances[0]: expected host:port, found \"web\""},
        {SERVICE("instances: [\":80\"]"), "expected host:port"},
        {SERVICE("instances: [{weight: 1}]"), "an instance needs an address"},
        {SERVICE("instances: [~]"), "an instance needs an address"},
        {SERVICE("instances: [\"a:1\", \"a:1\"]"), "a, port 1, is there twice"},
        {SERVICE("instances: \"a:1\""), "expected a list of instances"},
        {SERVICE("host: keep"), "expected `instance`, `preserve`"},
        {"defaults: {instances: [\"a:1\"]}", "defaults.instances: instances belong to one service"},
        {"services: [a]", "expected services by name, found a list"},
        {"services: {a: 1}", "services.a: expected keys and values"},
        {"services: {\"a b\": {}}", "holds a character that a name may not have"},
        {"services: {\"\": {}}", "must have 1 to 128 characters"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

/* Parts of a service have its settings, unless they have their own. */
static void parts_of_a_service(void **state)
{
    static const struct {
        const char *name;
        uint64_t timeout_ms;
    } rows[] = {
        {"web", 1000},
        {"web:v2", 2000},
        {"web:v3", 1000},
        {"web@dc2", 3000},
        {"web:v2@dc2", 2000},
        {"web:v3@dc2", 1000},
        {"web@dc3", 1000},
        {"web:v2+ns.team", 2000},
        {"web+peer.far", 1000},
        {"webs", 9000},
        {"api:v2", 9000},
        {":v2", 9000},
        {"@", 9000},
        {"", 9000},
    };
    struct config *c = parse_ok("defaults: {timeout: 9s}\n"
                                "services: {web: {timeout: 1s}, \"web:v2\": {timeout: 2s}, "
                                "\"web@dc2\": {timeout: 3s}}\n");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (config_service(c, rows[i].name)->timeout_ms != rows[i].timeout_ms)
            fail_msg("%s", rows[i].name);
    config_unref(&c);
}

/* What `defaults` says is no word of the service itself. */
static void what_a_service_says_itself(void **state)
{
    struct config *c =
        parse_ok("defaults: {timeout: 9s, balance: random}\n"
                 "services: {a: {timeout: 1s}, b: {balance: random, retries: {attempts: 3}, "
                 "connect_timeout: 1s}, c: {traffic_rules: false}}\n");

    (void)state;
    assert_int_equal(config_service(c, "a")->says, SERVICE_SAYS_TIMEOUT);
    assert_int_equal(config_service(c, "b")->says,
                     SERVICE_SAYS_BALANCE | SERVICE_SAYS_RETRIES | SERVICE_SAYS_CONNECT_TIMEOUT);
    assert_int_equal(config_service(c, "c")->says, 0);
    assert_int_equal(config_service(c, "d")->says, 0);
    assert_false(config_service(c, "c:v2")->traffic_rules);
    assert_true(config_service(c, "a")->traffic_rules);
    config_unref(&c);
    parse_refused(
        (struct refusal[]){{"defaults: {traffic_rules: false}\n", "belongs to one service"}}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_a_service),
        cmocka_unit_test(what_a_service_says_itself),
        cmocka_unit_test(defaults_are_as_documented),
        cmocka_unit_test(every_key_arrives),
        cmocka_unit_test(entries_inherit_from_defaults),
        cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
