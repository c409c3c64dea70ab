/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "circuit/window.h"
#include "threads.h"

#define LENGTH (10 * NS_PER_S)

static void assert_counts(const struct window *w, uint64_t now_ns, uint32_t total, uint32_t failed,
                          uint32_t slow)
{
    struct window_counts n = window_sum(w, now_ns);

    assert_int_equal(n.total, total);
    assert_int_equal(n.failed, failed);
    assert_int_equal(n.slow, slow);
}

static void counts_outcomes(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, LENGTH);
    assert_counts(&w, 0, 0, 0, 0);
    window_add(&w, 0, 0, 0);
    window_add(&w, 1, 1, 0);
    window_add(&w, 2, 0, 1);
    window_add(&w, 3, 7, 7); /* any value but 0 is one */
    assert_counts(&w, 3, 4, 2, 2);
}

static void forgets_slice_by_slice(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, LENGTH);
    for (unsigned s = 0; s < 10; s++)
        window_add(&w, (100 + s) * NS_PER_S, 1, 0);
    assert_counts(&w, 109 * NS_PER_S, 10, 10, 0);
    assert_counts(&w, 110 * NS_PER_S - 1, 10, 10, 0);
    assert_counts(&w, 110 * NS_PER_S, 9, 9, 0);
    assert_counts(&w, 118 * NS_PER_S, 1, 1, 0);
    assert_counts(&w, 119 * NS_PER_S, 0, 0, 0);
}

static void reuses_old_slices(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, LENGTH);
    for (unsigned i = 0; i < 5; i++)
        window_add(&w, 100 * NS_PER_S, 1, 1);
    window_add(&w, 110 * NS_PER_S, 0, 0);
    assert_counts(&w, 110 * NS_PER_S, 1, 0, 0);
    window_add(&w, 5000 * NS_PER_S, 1, 0);
    assert_counts(&w, 5000 * NS_PER_S, 1, 1, 0);
}

static void sees_counts_of_a_clock_slightly_ahead(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, LENGTH);
    window_add(&w, 101 * NS_PER_S, 1, 0);
    assert_counts(&w, 101 * NS_PER_S - 1, 1, 1, 0);
    assert_counts(&w, 99 * NS_PER_S, 0, 0, 0);
}

static void clear_forgets_all(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, LENGTH);
    window_add(&w, 5, 1, 1);
    window_clear(&w);
    assert_counts(&w, 5, 0, 0, 0);
    window_add(&w, 6, 1, 0);
    assert_counts(&w, 6, 1, 1, 0);
}

static void resize_works_in_both_directions(void **state)
{
    static const uint64_t lengths[] = {NS_PER_S, 60 * NS_PER_S, LENGTH, 3, 0};
    uint64_t now = 1000 * NS_PER_S;
    struct window w;

    (void)state;
    window_init(&w, LENGTH);
    for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
        window_add(&w, now, 1, 0);
        window_resize(&w, lengths[i]);
        assert_counts(&w, now, 0, 0, 0);
        window_add(&w, now, 0, 1);
        assert_counts(&w, now, 1, 0, 1);
        if (lengths[i] >= WINDOW_SLICES)
            assert_int_equal(window_length(&w), lengths[i]);
    }
}

enum { ADDS = 20000 };

static void *add_many(void *arg)
{
    for (unsigned i = 0; i < ADDS; i++)
        window_add(arg, 7 * NS_PER_S, i % 2, i % 4 == 0);
    return NULL;
}

static void loses_nothing_between_threads(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, LENGTH);
    window_add(&w, 7 * NS_PER_S, 0, 0);
    in_threads(add_many, &w);
    assert_counts(&w, 7 * NS_PER_S, THREADS * ADDS + 1, THREADS * ADDS / 2, THREADS * ADDS / 4);
}

static void *add_while_time_runs(void *arg)
{
    struct window *w = arg;

    for (uint64_t i = 0; i < ADDS; i++) {
        window_add(w, i * NS_PER_MS, i % 2, 0);
        struct window_counts n = window_sum(w, i * NS_PER_MS);
        assert_true(n.failed <= n.total);
        assert_true(n.total <= THREADS * ADDS);
    }
    return NULL;
}

static void survives_threads_at_slice_borders(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, 100 * NS_PER_MS);
    in_threads(add_while_time_runs, &w);
    assert_counts(&w, 100 * NS_PER_S, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_outcomes),
        cmocka_unit_test(forgets_slice_by_slice),
        cmocka_unit_test(reuses_old_slices),
        cmocka_unit_test(sees_counts_of_a_clock_slightly_ahead),
        cmocka_unit_test(clear_forgets_all),
        cmocka_unit_test(resize_works_in_both_directions),
        cmocka_unit_test(loses_nothing_between_threads),
        cmocka_unit_test(survives_threads_at_slice_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
