/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/rng.h"
#include "circuit/quantile.h"
#include "threads.h"

#include <stdlib.h>
#include <string.h>

#define UNIT  65536ull
#define LATER (200 * NS_PER_MS) /* the kept estimate is too old by then */

static struct quantile q;

static int empty(void **state)
{
    (void)state;
    memset(&q, 0, sizeof q);
    return 0;
}

static void add_times(uint64_t now_ns, uint64_t took_ns, unsigned times)
{
    while (times-- > 0)
        quantile_add(&q, now_ns, took_ns);
}

static void few_samples_say_nothing(void **state)
{
    uint64_t now = 1000 * NS_PER_S;

    (void)state;
    assert_int_equal(quantile_read(&q, now, 95), 0);
    add_times(now, 5 * NS_PER_MS, QUANTILE_MIN_SAMPLES - 1);
    assert_int_equal(quantile_read(&q, now + LATER, 95), 0);
    add_times(now, 5 * NS_PER_MS, 1);
    assert_in_range(quantile_read(&q, now + 2 * LATER, 95), 5 * NS_PER_MS, 6 * NS_PER_MS);
}

static void slow_ones_beyond_the_share_do_not_count(void **state)
{
    uint64_t now = 1000 * NS_PER_S;

    (void)state;
    add_times(now, 3 * NS_PER_MS, 950);
    add_times(now, 200 * NS_PER_MS, 50);
    assert_in_range(quantile_read(&q, now, 95), 3 * NS_PER_MS, 4 * NS_PER_MS);
    add_times(now, 200 * NS_PER_MS, 3);
    assert_in_range(quantile_read(&q, now + LATER, 95), 200 * NS_PER_MS, 213 * NS_PER_MS);
    assert_in_range(quantile_read(&q, now + 2 * LATER, 90), 3 * NS_PER_MS, 4 * NS_PER_MS);
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Many shapes: the estimate is never below the sample of that rank, and above it by at most one
 * part in sixteen or one unit. */
static void agrees_with_sorted_samples(void **state)
{
    enum { ROUNDS = 300, MOST = 2000 };
    static uint64_t samples[MOST];
    struct rng rng = {4711};

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned n = QUANTILE_MIN_SAMPLES + rng_below(&rng, MOST - QUANTILE_MIN_SAMPLES);
        unsigned percent = 1 + rng_below(&rng, 99), octaves = 1 + rng_below(&rng, 35);
        uint64_t exact, estimate, now = (1000 + round) * NS_PER_S;

        memset(&q, 0, sizeof q);
        for (unsigned i = 0; i < n; i++) {
            samples[i] = rng_next(&rng) >> (28 + rng_below(&rng, octaves)); /* up to 69 s */
            quantile_add(&q, now, samples[i]);
        }
        qsort(samples, n, sizeof samples[0], by_size);
        exact = samples[(n * percent + 99) / 100 - 1];
        estimate = quantile_read(&q, now, percent);
        if (estimate < exact || estimate > exact + exact / 16 + UNIT)
            fail_msg("p%u of %u samples: %llu, not %llu", percent, n, (unsigned long long)estimate,
                     (unsigned long long)exact);
    }
}

static void every_length_has_a_place(void **state)
{
    (void)state;
    add_times(0, 0, 100);
    assert_int_equal(quantile_read(&q, 0, 50), UNIT);
    add_times(0, UINT64_MAX, 300);
    assert_int_equal(quantile_read(&q, LATER, 50), UNIT << 20);
}

static void remembers_the_half_minute_before(void **state)
{
    uint64_t now = 3000 * NS_PER_S; /* a half minute begins here */

    (void)state;
    add_times(now, 10 * NS_PER_MS, 100);
    assert_in_range(quantile_read(&q, now + 59 * NS_PER_S, 95), 10 * NS_PER_MS, 11 * NS_PER_MS);
    assert_int_equal(quantile_read(&q, now + 60 * NS_PER_S, 95), 0);
    add_times(now + 60 * NS_PER_S, 40 * NS_PER_MS, 100);
    assert_in_range(quantile_read(&q, now + 61 * NS_PER_S, 1), 40 * NS_PER_MS, 43 * NS_PER_MS);
}

static void a_late_clock_does_not_clear_newer_samples(void **state)
{
    uint64_t now = 3000 * NS_PER_S;

    (void)state;
    add_times(now, 10 * NS_PER_MS, 100);
    add_times(now - 60 * NS_PER_S, NS_PER_MS, 100);
    assert_in_range(quantile_read(&q, now - 1, 95), 10 * NS_PER_MS, 11 * NS_PER_MS);
}

static void is_made_anew_at_most_ten_times_a_second(void **state)
{
    uint64_t now = 1000 * NS_PER_S, first;

    (void)state;
    add_times(now, 10 * NS_PER_MS, 100);
    first = quantile_read(&q, now, 95);
    add_times(now, 90 * NS_PER_MS, 1000);
    assert_int_equal(quantile_read(&q, now + 99 * NS_PER_MS, 95), first);
    assert_true(quantile_read(&q, now + 100 * NS_PER_MS, 95) > first);
}

enum { ADDS = 20000 };

static void *add_many(void *arg)
{
    for (uint64_t i = 0; i < ADDS; i++) {
        quantile_add(arg, 3000 * NS_PER_S + i * NS_PER_MS, (1 + i % 100) * NS_PER_MS);
        uint64_t v = quantile_read(arg, 3000 * NS_PER_S + i * NS_PER_MS, 95);
        if (v != 0 && i >= 100)
            assert_in_range(v, 90 * NS_PER_MS, 107 * NS_PER_MS);
    }
    return NULL;
}

static void loses_nothing_between_threads(void **state)
{
    uint64_t total = 0;

    (void)state;
    /* Before the threads begin the half is open, and the estimate is that of the whole: how far
     * each of them has come does not matter then. */
    (void)add_many(&q);
    in_threads(add_many, &q);
    for (unsigned i = 0; i < QUANTILE_CELLS; i++)
        total += q.halves[0].cells[i] + q.halves[1].cells[i];
    assert_int_equal(total, (THREADS + 1) * ADDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(few_samples_say_nothing, empty),
        cmocka_unit_test_setup(slow_ones_beyond_the_share_do_not_count, empty),
        cmocka_unit_test_setup(agrees_with_sorted_samples, empty),
        cmocka_unit_test_setup(every_length_has_a_place, empty),
        cmocka_unit_test_setup(remembers_the_half_minute_before, empty),
        cmocka_unit_test_setup(a_late_clock_does_not_clear_newer_samples, empty),
        cmocka_unit_test_setup(is_made_anew_at_most_ten_times_a_second, empty),
        cmocka_unit_test_setup(loses_nothing_between_threads, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
