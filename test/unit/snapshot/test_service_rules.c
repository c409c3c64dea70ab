/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/service_rules.h"

#include <stdlib.h>

static void timeouts(void **state)
{
    static const struct {
        uint64_t route, service, rule;
        unsigned says;
        uint64_t counts;
    } rows[] = {
        {0, 0, 0, 0, 0},
        {0, 5, 0, 0, 5},
        {0, 5, 7, 0, 7},
        {0, 5, 7, SERVICE_SAYS_TIMEOUT, 5},
        {0, 0, 7, SERVICE_SAYS_TIMEOUT, 0},
        {3, 5, 7, 0, 3},
        {3, 0, 0, 0, 3},
        {0, 5, 7, SERVICE_SAYS_RETRIES, 7},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_conf route = {.timeout_ms = rows[i].route};
        struct service_conf c = {.timeout_ms = rows[i].service, .says = rows[i].says};
        struct chain_route rule = {.to = {.timeout_ms = rows[i].rule}};

        if (service_rules_timeout_ms(&route, &c, &rule) != rows[i].counts)
            fail_msg("row %zu", i);
    }
    assert_int_equal(service_rules_timeout_ms(&(struct route_conf){.timeout_ms = 0},
                                              &(struct service_conf){.timeout_ms = 5}, NULL),
                     5);
}

static void tries(void **state)
{
    static const struct {
        unsigned own, retries;
        bool says, service_says;
        unsigned tries;
    } rows[] = {
        {2, 0, false, false, 2}, {1, 3, true, false, 4},   {1, 0, true, false, 2},
        {1, 3, true, true, 1},   {5, 100, true, false, 8}, {5, 7, true, false, 8},
        {5, 6, true, false, 7},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct service_conf c = {.retries.attempts = rows[i].own,
                                 .says = rows[i].service_says ? SERVICE_SAYS_RETRIES : 0};
        struct chain_route rule = {
            .to = {.retries = rows[i].retries, .says_retries = rows[i].says}};

        if (service_rules_tries(&c, &rule) != rows[i].tries)
            fail_msg("row %zu: %u", i, service_rules_tries(&c, &rule));
        assert_true(!service_rules_retries(&c, &rule) == (!rows[i].says || rows[i].service_says));
    }
    assert_int_equal(service_rules_tries(&(struct service_conf){.retries.attempts = 3}, NULL), 3);
}

static void what_is_tried_again(void **state)
{
    static const struct {
        struct chain_destination to;
        enum reason why;
        unsigned status;
        bool again;
    } rows[] = {
        {{.on_connect_failure = true}, REASON_CONNECT_FAILED, 0, true},
        {{.on_connect_failure = true}, REASON_CONNECT_TIMEOUT, 0, true},
        {{.on_connect_failure = true}, REASON_UPSTREAM_RESET, 0, false},
        {{.on_connect_failure = true}, REASON_UPSTREAM_STATUS, 503, false},
        {{.on_reset = true}, REASON_UPSTREAM_RESET, 0, true},
        {{.on_reset = true}, REASON_CONNECT_FAILED, 0, false},
        {{.statuses = {503, 429}}, REASON_UPSTREAM_STATUS, 429, true},
        {{.statuses = {503, 429}}, REASON_UPSTREAM_STATUS, 500, false},
        {{.statuses = {503}}, REASON_UPSTREAM_STATUS, 0, false},
        {{.on_gateway_error = true}, REASON_UPSTREAM_STATUS, 502, true},
        {{.on_gateway_error = true}, REASON_UPSTREAM_STATUS, 504, true},
        {{.on_gateway_error = true}, REASON_UPSTREAM_STATUS, 500, false},
        {{.on_5xx = true}, REASON_UPSTREAM_STATUS, 500, true},
        {{.on_5xx = true}, REASON_UPSTREAM_STATUS, 499, false},
        {{.on_5xx = true, .on_reset = true}, REASON_CLIENT_GONE, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (service_rules_retry_on(&rows[i].to, rows[i].why, rows[i].status) != rows[i].again)
            fail_msg("row %zu", i);
}

static void settings_of_a_resolver(void **state)
{
    struct service_conf c = {.timeout_ms = 1, .connect_timeout_ms = 2, .balance.policy = "random"};
    struct chain_resolver r = {.balance = CHAIN_HASH,
                               .hash = CHAIN_HASH_HEADER,
                               .hash_name = "X-User",
                               .timeout_ms = 3,
                               .connect_timeout_ms = 4};
    struct service_conf *own = service_rules_settings(&c, &r);

    (void)state;
    assert_string_equal(own->balance.policy, "consistent_hash");
    assert_int_equal(own->balance.hash_source, HASH_HEADER);
    assert_string_equal(own->balance.hash_name, "X-User");
    assert_int_equal(own->timeout_ms, 3);
    assert_int_equal(own->connect_timeout_ms, 4);
    free(own);
    c.says = SERVICE_SAYS_BALANCE | SERVICE_SAYS_TIMEOUT;
    own = service_rules_settings(&c, &r);
    assert_string_equal(own->balance.policy, "random");
    assert_int_equal(own->timeout_ms, 1);
    assert_int_equal(own->connect_timeout_ms, 4);
    free(own);
    c.says |= SERVICE_SAYS_CONNECT_TIMEOUT;
    assert_null(service_rules_settings(&c, &r));
    c.says = 0;
    assert_null(service_rules_settings(&c, &(struct chain_resolver){.target = 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeouts),
        cmocka_unit_test(tries),
        cmocka_unit_test(what_is_tried_again),
        cmocka_unit_test(settings_of_a_resolver),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
