/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/consul_lease.h"

static const uint64_t t0 = 1000 * NS_PER_S;
static struct consul_lease l;
static struct rng rng;

static int begin(void **state)
{
    (void)state;
    rng.state = 11;
    consul_lease_init(&l, t0);
    return 0;
}

static void first_login_is_due_at_once(void **state)
{
    (void)state;
    assert_true(consul_lease_due(&l, t0));
    consul_lease_begun(&l, t0);
    assert_false(consul_lease_due(&l, t0 + 3600 * NS_PER_S));
    assert_false(l.has);
}

static void renewed_at_about_70_percent(void **state)
{
    uint64_t low = UINT64_MAX, high = 0;

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        consul_lease_begun(&l, t0);
        consul_lease_granted(&l, 300 * NS_PER_S, t0, &rng);
        low = l.due_ns < low ? l.due_ns : low;
        high = l.due_ns > high ? l.due_ns : high;
        assert_false(consul_lease_due(&l, t0 + 300 * NS_PER_S * 64 / 100));
        assert_true(consul_lease_due(&l, t0 + 300 * NS_PER_S * 76 / 100));
    }
    assert_int_equal(low, t0 + 195 * NS_PER_S);
    assert_int_equal(high, t0 + 225 * NS_PER_S);
}

static void endless_token_is_not_renewed(void **state)
{
    (void)state;
    consul_lease_begun(&l, t0);
    consul_lease_granted(&l, 0, t0, &rng);
    assert_false(consul_lease_due(&l, UINT64_MAX - 1));
}

static void short_life_is_no_loop(void **state)
{
    (void)state;
    consul_lease_begun(&l, t0);
    consul_lease_granted(&l, 5, t0, &rng);
    assert_false(consul_lease_due(&l, t0 + 999 * NS_PER_MS));
}

static void refusals_back_off_to_a_minute(void **state)
{
    static const unsigned most_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(most_ms); i++) {
        consul_lease_begun(&l, t0);
        consul_lease_refused(&l, t0, &rng);
        assert_in_range(l.due_ns - t0, most_ms[i] / 2 * NS_PER_MS, most_ms[i] * NS_PER_MS);
    }
    consul_lease_begun(&l, t0);
    consul_lease_granted(&l, 300 * NS_PER_S, t0, &rng);
    assert_int_equal(l.failures, 0);
}

static void failed_renewal_keeps_the_token(void **state)
{
    (void)state;
    consul_lease_granted(&l, 300 * NS_PER_S, t0, &rng);
    consul_lease_begun(&l, t0 + 210 * NS_PER_S);
    consul_lease_refused(&l, t0 + 211 * NS_PER_S, &rng);
    assert_true(l.has);
}

static void doubt_is_limited(void **state)
{
    (void)state;
    assert_false(consul_lease_doubted(&l, t0));
    consul_lease_begun(&l, t0);
    consul_lease_granted(&l, 300 * NS_PER_S, t0 + NS_PER_S, &rng);
    assert_false(consul_lease_doubted(&l, t0 + 9 * NS_PER_S));
    assert_true(consul_lease_doubted(&l, t0 + 10 * NS_PER_S));
    assert_true(consul_lease_due(&l, t0 + 10 * NS_PER_S));
    consul_lease_begun(&l, t0 + 10 * NS_PER_S);
    consul_lease_refused(&l, t0 + 11 * NS_PER_S, &rng);
    assert_false(consul_lease_doubted(&l, t0 + 11 * NS_PER_S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(first_login_is_due_at_once, begin),
        cmocka_unit_test_setup(renewed_at_about_70_percent, begin),
        cmocka_unit_test_setup(endless_token_is_not_renewed, begin),
        cmocka_unit_test_setup(short_life_is_no_loop, begin),
        cmocka_unit_test_setup(refusals_back_off_to_a_minute, begin),
        cmocka_unit_test_setup(failed_renewal_keeps_the_token, begin),
        cmocka_unit_test_setup(doubt_is_limited, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
