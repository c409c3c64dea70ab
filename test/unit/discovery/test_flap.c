/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/flap.h"

static const uint64_t t0 = 1000 * NS_PER_S;
enum { DAMPING_MS = 3000 };

/* Falls n times, `gap_s` apart, recovering a second after each. Returns the last recovery. */
static uint64_t fall(struct flap *f, unsigned n, uint64_t gap_s)
{
    uint64_t now = t0;

    for (unsigned i = 0; i < n; i++) {
        now = t0 + i * gap_s * NS_PER_S;
        flap_fell(f, now);
        now += NS_PER_S;
        flap_recovered(f, now);
    }
    return now;
}

static void damped_after_four_falls_within_a_minute(void **state)
{
    static const struct {
        const char *name;
        unsigned falls;
        uint64_t gap_s;
        bool damped;
    } rows[] = {
        {"never", 0, 1, false},       {"once", 1, 1, false},
        {"three times", 3, 2, false}, {"four times", 4, 2, true},
        {"often", 50, 2, true},       {"every 19 s", 4, 19, true},
        {"every 20 s", 4, 20, false}, {"every half minute", 20, 30, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct flap f = {0};
        uint64_t well = fall(&f, rows[i].falls, rows[i].gap_s);
        uint64_t until = flap_until(&f, DAMPING_MS, well);

        if ((until != 0) != rows[i].damped)
            fail_msg("%s", rows[i].name);
        if (rows[i].damped)
            assert_int_equal(until, well + 3 * NS_PER_S);
    }
}

static void comes_back_after_its_time(void **state)
{
    struct flap f = {0};
    uint64_t well = fall(&f, 4, 2);

    (void)state;
    assert_int_not_equal(flap_until(&f, DAMPING_MS, well + 3 * NS_PER_S - 1), 0);
    assert_int_equal(flap_until(&f, DAMPING_MS, well + 3 * NS_PER_S), 0);
    assert_int_equal(flap_until(&f, 0, well), 0); /* no damping */
}

static void a_new_fall_begins_anew(void **state)
{
    struct flap f = {0};
    uint64_t well = fall(&f, 4, 2);

    (void)state;
    flap_fell(&f, well + NS_PER_S);
    assert_int_equal(flap_until(&f, DAMPING_MS, well + NS_PER_S), 0); /* it is not well */
    flap_recovered(&f, well + 2 * NS_PER_S);
    assert_int_equal(flap_until(&f, DAMPING_MS, well + 3 * NS_PER_S), well + 5 * NS_PER_S);
}

static void forgotten_after_a_minute(void **state)
{
    struct flap f = {0};

    (void)state;
    assert_true(flap_over(&f, DAMPING_MS, t0));
    fall(&f, 1, 1);
    assert_false(flap_over(&f, DAMPING_MS, t0 + 59 * NS_PER_S));
    assert_true(flap_over(&f, DAMPING_MS, t0 + 60 * NS_PER_S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damped_after_four_falls_within_a_minute),
        cmocka_unit_test(comes_back_after_its_time),
        cmocka_unit_test(a_new_fall_begins_anew),
        cmocka_unit_test(forgotten_after_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
