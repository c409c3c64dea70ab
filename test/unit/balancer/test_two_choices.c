/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balancer/pool.h"
#include "fixture.h"

static struct service s;

/* The id of a target is its cost here, and the cost function counts its calls. */
static unsigned asked;

static double cost_by_id(const struct balance_target *t, uint64_t now_ns)
{
    assert_int_equal(now_ns, T0);
    asked++;
    return (double)t->id_hash;
}

static void start(unsigned n)
{
    service_init(&s, BALANCE_LEAST_REQUEST, n);
    for (unsigned i = 0; i < n; i++)
        s.targets[i].id_hash = i;
    service_build(&s);
}

static int choose(void)
{
    const struct view v = {.b = s.balancer, .q = &s.query};

    asked = 0;
    return two_choices_pick(&s.balancer->usable, &v, cost_by_id);
}

static void one_needs_no_comparison(void **state)
{
    (void)state;
    start(1);
    assert_int_equal(choose(), 0);
    assert_int_equal(asked, 0);
    service_release(&s);
}

static void three_are_compared_as_a_whole(void **state)
{
    (void)state;
    start(3);
    for (unsigned k = 0; k < 100; k++)
        assert_int_equal(choose(), 0);
    eject(&s, 0);
    for (unsigned k = 0; k < 100; k++)
        assert_int_equal(choose(), 1);
    service_release(&s);
}

static void of_many_two_are_compared(void **state)
{
    unsigned picked[10] = {0};

    (void)state;
    start(10);
    for (unsigned k = 0; k < 9000; k++) {
        picked[choose()]++;
        assert_in_range(asked, 2, 2);
    }
    /* i wins against those that cost more: 9 - i of 9 opponents, as either of the two. */
    for (unsigned i = 0; i < 9; i++)
        assert_near(picked[i], 200.0 * (9 - i), 0.25);
    assert_int_equal(picked[9], 0);
    service_release(&s);
}

static void with_no_second_the_first_wins(void **state)
{
    (void)state;
    start(10);
    for (unsigned i = 1; i < 10; i++)
        eject(&s, i);
    for (unsigned k = 0; k < 10; k++) {
        s.cursor = 0;
        assert_int_equal(choose(), 0);
    }
    eject(&s, 0);
    assert_int_equal(choose(), POOL_NONE);
    service_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_needs_no_comparison),
        cmocka_unit_test(three_are_compared_as_a_whole),
        cmocka_unit_test(of_many_two_are_compared),
        cmocka_unit_test(with_no_second_the_first_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
