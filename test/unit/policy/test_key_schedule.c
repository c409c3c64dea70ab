/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "policy/key_schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { S = 1000, M = 60 * S };

static const struct issuer_keys_conf conf = {.refresh_ms = 10 * M,
                                             .unknown_key_interval_ms = 10 * S};

/* How long after an answer the next fetch is due, in ms. */
static uint64_t after(bool good, unsigned failures, uint64_t max_age_s, double chance,
                      uint64_t refresh_ms)
{
    struct issuer_keys_conf c = conf;
    struct key_schedule s = {.failures = failures};

    c.refresh_ms = refresh_ms;
    key_schedule_end(&s, &c, good, max_age_s, chance, NS_PER_S);
    return (s.next_ns - NS_PER_S) / NS_PER_MS;
}

static void comes_again(void **state)
{
    static const struct {
        const char *name;
        bool good;
        unsigned failures;
        uint64_t max_age_s;
        double chance;
        uint64_t refresh_ms, want_ms;
    } rows[] = {
        {"by itself", true, 0, 0, 0.5, 10 * M, 10 * M},
        {"a tenth sooner", true, 0, 0, 0, 10 * M, 9 * M},
        {"a tenth later", true, 0, 0, 1, 10 * M, 11 * M},
        {"the answer says sooner", true, 0, 120, 0.5, 10 * M, 2 * M},
        {"the answer says much sooner", true, 0, 1, 0.5, 10 * M, 30 * S},
        {"the answer says later", true, 0, 86400, 0.5, 10 * M, 10 * M},
        {"the answer says never", true, 0, UINT64_MAX, 0.5, 10 * M, 10 * M},
        {"configured below the least of answers", true, 0, 1, 0.5, 5 * S, 5 * S},
        {"first failure", false, 0, 0, 0.5, 10 * M, 1 * S},
        {"second failure", false, 1, 0, 0.5, 10 * M, 2 * S},
        {"fifth failure", false, 4, 0, 0.5, 10 * M, 16 * S},
        {"many failures", false, 1000000, 0, 0.5, 10 * M, 5 * M},
        {"many failures, refreshed often", false, 1000, 0, 0.5, 3 * S, 3 * S},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t got = after(rows[i].good, rows[i].failures, rows[i].max_age_s, rows[i].chance,
                             rows[i].refresh_ms);

        if (got + 1 < rows[i].want_ms || got > rows[i].want_ms)
            fail_msg("%s: %lu ms", rows[i].name, (unsigned long)got);
    }
}

static void tokens_cause_one_in_a_while(void **state)
{
    struct key_schedule s = {.next_ns = 0};
    uint64_t now = 100 * NS_PER_S;

    (void)state;
    assert_true(key_schedule_due(&s, now));
    assert_true(key_schedule_may_ask(&s, now));
    assert_int_equal(key_schedule_wait_ms(&s, now), 0);
    key_schedule_begin(&s, &conf, now);
    key_schedule_end(&s, &conf, true, 0, 0.5, now + NS_PER_S);
    assert_false(key_schedule_may_ask(&s, now + 9 * NS_PER_S));
    assert_false(key_schedule_due(&s, now + 9 * NS_PER_S));
    assert_int_equal(key_schedule_wait_ms(&s, now + 9 * NS_PER_S), 1001);
    assert_true(key_schedule_may_ask(&s, now + 10 * NS_PER_S));
    /* Then the next thing to come is the refresh itself. */
    assert_int_equal(key_schedule_wait_ms(&s, now + 11 * NS_PER_S), 590 * S + 1);
    assert_true(key_schedule_due(&s, now + 601 * NS_PER_S));
    /* One failure after another begins anew with a success. */
    key_schedule_end(&s, &conf, false, 0, 0.5, now);
    key_schedule_end(&s, &conf, false, 0, 0.5, now);
    assert_int_equal(s.failures, 2);
    key_schedule_end(&s, &conf, true, 0, 0.5, now);
    assert_int_equal(s.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_again),
        cmocka_unit_test(tokens_cause_one_in_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
