/* SPDX-License-Identifier: Apache-2.0 */
#include "base/instance_load.h"
#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MS(n) ((n)*NS_PER_MS)

/* The time constant is 10 s. Each row: a first sample of 100 ms at 1 s, then a second one. */
static void second_sample(void **state)
{
    static const struct {
        const char *name;
        uint64_t at_ms, sample_ms, lowest_ms, highest_ms;
    } rows[] = {
        {"a higher one replaces it at once", 1001, 500, 500, 500},
        {"the same", 1001, 100, 100, 100},
        {"a lower one at the same moment says nothing", 1000, 1, 100, 100},
        {"after a tenth of the time constant", 2000, 0, 90, 91},
        {"after the time constant: half of the way", 11000, 20, 60, 60},
        {"after nine of them: nine tenths", 91000, 0, 10, 10},
        {"after an age", 1000000000, 20, 20, 21},
        {"the clock of another worker is behind", 999, 1, 100, 100},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct instance_load l = {0};
        uint64_t got;

        instance_load_sample(&l, MS(1000), MS(100), MS(10000));
        assert_int_equal(l.ewma_ns, MS(100));
        instance_load_sample(&l, MS(rows[i].at_ms), MS(rows[i].sample_ms), MS(10000));
        got = l.ewma_ns;
        if (got < MS(rows[i].lowest_ms) || got > MS(rows[i].highest_ms))
            fail_msg("%s: %llu ns", rows[i].name, (unsigned long long)got);
        assert_int_equal(l.ewma_at_ns, MS(rows[i].at_ms));
    }
}

/* 0 means "no sample yet", so no sample may bring the average there. */
static void never_falls_back_to_unknown(void **state)
{
    struct instance_load l = {0};

    (void)state;
    instance_load_sample(&l, MS(1), 0, MS(10));
    assert_true(l.ewma_ns > 0);
    instance_load_sample(&l, UINT64_MAX / 2, 0, MS(10));
    assert_true(l.ewma_ns > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_sample),
        cmocka_unit_test(never_falls_back_to_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
