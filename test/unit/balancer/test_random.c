/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

static struct service s;

static void draws_evenly_and_in_no_order(void **state)
{
    unsigned repeats = 0, before = 0;

    (void)state;
    service_init(&s, BALANCE_RANDOM, 5);
    service_build(&s);
    spread(&s, 20000);
    for (unsigned i = 0; i < 5; i++)
        assert_near(s.picked[i], 4000, 0.1);
    for (unsigned k = 0; k < 5000; k++) {
        unsigned i = pick(&s);
        repeats += i == before;
        before = i;
    }
    assert_near(repeats, 1000, 0.15);
    service_release(&s);
}

static void draws_by_weight(void **state)
{
    (void)state;
    service_init(&s, BALANCE_RANDOM, 3);
    s.targets[0].weight = 4000000000u;
    s.targets[1].weight = 2000000000u;
    s.targets[2].weight = 2000000000u;
    service_build(&s);
    spread(&s, 20000);
    assert_near(s.picked[0], 10000, 0.05);
    assert_near(s.picked[1], 5000, 0.1);
    assert_near(s.picked[2], 5000, 0.1);
    service_release(&s);
}

static void finds_the_only_one_left(void **state)
{
    (void)state;
    service_init(&s, BALANCE_RANDOM, MANY);
    for (unsigned i = 1; i < MANY; i++)
        eject(&s, i);
    service_build(&s);
    spread(&s, 100);
    assert_int_equal(s.picked[0], 100);
    service_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_evenly_and_in_no_order),
        cmocka_unit_test(draws_by_weight),
        cmocka_unit_test(finds_the_only_one_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
