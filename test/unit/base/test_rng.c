/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The published first outputs of splitmix64 for the seed 1234567. */
static void sequence_is_splitmix64(void **state)
{
    static const uint64_t wanted[] = {6457827717110365317ull, 3203168211198807973ull,
                                      9817491932198370423ull, 4593380528125082431ull,
                                      16408922859458223821ull};
    struct rng r = {1234567};

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rng_next(&r), wanted[i]);
}

static void below_stays_below_and_is_even(void **state)
{
    static const uint32_t bounds[] = {1, 2, 3, 10, 16};
    struct rng r = {42};

    (void)state;
    for (int b = 0; b < 5; b++) {
        uint32_t n = bounds[b], seen[16] = {0};

        for (uint32_t i = 0; i < 2000 * n; i++) {
            uint32_t v = rng_below(&r, n);

            assert_true(v < n);
            seen[v]++;
        }
        for (uint32_t v = 0; v < n; v++)
            assert_in_range(seen[v], 1750, 2250);
    }
    for (int i = 0; i < 1000; i++)
        assert_true(rng_below(&r, UINT32_MAX) < UINT32_MAX);
}

static void doubles_are_in_the_unit_interval(void **state)
{
    struct rng r = {7};
    double sum = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        double v = rng_double(&r);

        assert_true(v >= 0 && v < 1);
        sum += v;
    }
    assert_true(sum > 4800 && sum < 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence_is_splitmix64),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(doubles_are_in_the_unit_interval),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
