/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/pace.h"

static const uint64_t t0 = 1000 * NS_PER_S;

static void test_burst_then_rate(void **state)
{
    struct pace p = pace_of(500, 100);
    unsigned at_once = 0;

    (void)state;
    while (pace_take(&p, t0) == 0)
        at_once++;
    assert_int_equal(at_once, 100);
    assert_int_equal(pace_take(&p, t0), NS_PER_S / 500);
    assert_int_equal(pace_take(&p, t0 + NS_PER_S / 500), 0);
    assert_int_not_equal(pace_take(&p, t0 + NS_PER_S / 500), 0);
}

/* However often one asks in between, no more than the rate come through in the long run. */
static void test_never_above_the_rate(void **state)
{
    struct pace p = pace_of(500, 100);
    unsigned taken = 0;

    (void)state;
    for (uint64_t now = t0; now < t0 + 10 * NS_PER_S; now += NS_PER_MS / 7)
        taken += pace_take(&p, now) == 0;
    assert_in_range(taken, 5090, 5101);
}

/* Who waits as long as was said is let through then. */
static void test_the_wait_is_enough(void **state)
{
    struct pace p = pace_of(10, 1);
    uint64_t now = t0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        uint64_t wait = pace_take(&p, now);

        if (wait == 0)
            continue;
        now += wait;
        assert_int_equal(pace_take(&p, now), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_rate),
        cmocka_unit_test(test_never_above_the_rate),
        cmocka_unit_test(test_the_wait_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
