/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/slots.h"

static struct slots s;
static uint64_t now;

static int begin(void **state)
{
    (void)state;
    now = 1000 * NS_PER_S;
    s = (struct slots){.n = SLOTS_MAX};
    return 0;
}

static void a_limit_takes_a_quarter_once_a_second(void **state)
{
    (void)state;
    assert_true(slots_fewer(&s, now));
    assert_int_equal(s.n, 75);
    assert_false(slots_fewer(&s, now + NS_PER_S - 1));
    assert_true(slots_fewer(&s, now + NS_PER_S));
    assert_int_equal(s.n, 57);
    for (int i = 0; i < 100; i++)
        (void)slots_fewer(&s, now += 2 * NS_PER_S);
    assert_in_range(s.n, SLOTS_MIN, SLOTS_MIN + 2);
}

static void calm_gives_them_back_step_by_step(void **state)
{
    uint64_t calm = SLOTS_MORE_MS * NS_PER_MS;

    (void)state;
    assert_false(slots_more(&s, now));
    for (int i = 0; i < 100; i++)
        (void)slots_fewer(&s, now += 2 * NS_PER_S);
    assert_false(slots_more(&s, now + calm - 1));
    assert_true(slots_more(&s, now += calm));
    assert_false(slots_more(&s, now + calm - 1));
    assert_true(slots_fewer(&s, now + NS_PER_S));
    for (int i = 0; i < 20; i++)
        (void)slots_more(&s, now += calm + NS_PER_S);
    assert_int_equal(s.n, SLOTS_MAX);
    assert_false(slots_more(&s, now + calm));
}

static void closed_at_once_counts_when_it_is_often(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_false(slots_shut_out(&s, 80, 60000, now += 20 * NS_PER_S));
    now += 20 * NS_PER_S;
    assert_false(slots_shut_out(&s, 80, 60000, now));
    assert_false(slots_shut_out(&s, 80, 60000, now + NS_PER_S));
    assert_true(slots_shut_out(&s, 80, 60000, now + 2 * NS_PER_S));
    assert_int_equal(s.n, 40);
    for (int i = 3; i < 60; i++)
        assert_false(slots_shut_out(&s, 40, 60000, now + (uint64_t)i * NS_PER_S));
    for (int i = 62; i < 70; i++)
        (void)slots_shut_out(&s, 40, 60000, now + (uint64_t)i * NS_PER_S);
    assert_int_equal(s.n, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_limit_takes_a_quarter_once_a_second, begin),
        cmocka_unit_test_setup(calm_gives_them_back_step_by_step, begin),
        cmocka_unit_test_setup(closed_at_once_counts_when_it_is_often, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
