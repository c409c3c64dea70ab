/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/series.h"
#include "base/macros.h"

static struct service_stats stats[2][2];
static struct service_state states[] = {
    {.slot = 0, .name = "web", .nworkers = 2, .stats = stats[0]},
    {.slot = 1, .name = "idle", .nworkers = 2, .stats = stats[1]},
};
static struct service_view views[] = {{.state = &states[0]}, {.state = &states[1]}};
static struct service_view *by_slot[] = {&views[0], &views[1]};
static struct snapshot snapshot = {.nslots = 2, .services = by_slot};

static int begin(void **state)
{
    (void)state;
    memset(stats, 0, sizeof stats);
    by_slot[0] = &views[0];
    return 0;
}

/* Answers of this class that took as long as the bucket says. */
static void count(unsigned worker, uint64_t n, unsigned class, unsigned bucket)
{
    stat_add(&stats[0][worker].requests, n);
    stat_add(&stats[0][worker].by_class[class], n);
    stat_add(&stats[0][worker].latency[bucket], n);
}

static void steps_are_differences(void **state)
{
    struct series *s = series_new();
    struct series_step steps[SERIES_STEPS];

    (void)state;
    series_sample(s, &snapshot);
    assert_false(series_copy(s, 0, steps));
    count(0, 30, 2, 3);
    count(1, 10, 5, 3);
    series_sample(s, &snapshot);
    count(1, 2, 0, 3);
    series_sample(s, &snapshot);
    series_sample(s, &snapshot);
    assert_true(series_copy(s, 0, steps));
    assert_int_equal(steps[57].requests, 40);
    assert_int_equal(steps[57].errors, 10);
    assert_true(steps[57].p99 > 0);
    assert_int_equal(steps[58].requests, 2);
    assert_int_equal(steps[58].errors, 2);
    assert_int_equal(steps[59].requests, 0);
    assert_int_equal(steps[59].p99, -1);
    assert_int_equal(steps[0].requests, 0);
    assert_int_equal(steps[0].p99, -1);
    assert_false(series_copy(s, 1, steps));
    assert_false(series_copy(s, 2, steps));
    assert_false(series_copy(NULL, 0, steps));
    series_free(s);
}

/* A page that is opened after a reload of `admin:` must not show hours in one step. */
static void what_was_before_the_first_step_is_in_none(void **state)
{
    struct series *s;
    struct series_step steps[SERIES_STEPS];

    (void)state;
    count(0, 100000, 2, 3);
    s = series_new();
    series_sample(s, &snapshot);
    count(0, 5, 2, 3);
    series_sample(s, &snapshot);
    assert_true(series_copy(s, 0, steps));
    assert_int_equal(steps[58].requests, 0);
    assert_int_equal(steps[59].requests, 5);
    series_free(s);
}

static void the_oldest_step_falls_out(void **state)
{
    struct series *s = series_new();
    struct series_step steps[SERIES_STEPS];

    (void)state;
    series_sample(s, &snapshot);
    for (unsigned i = 1; i <= SERIES_STEPS + 5; i++) {
        count(0, i, 2, 3);
        series_sample(s, &snapshot);
    }
    assert_true(series_copy(s, 0, steps));
    for (unsigned i = 0; i < SERIES_STEPS; i++)
        assert_int_equal(steps[i].requests, i + 6);
    series_free(s);
}

static void a_service_that_left_is_at_rest(void **state)
{
    struct series *s = series_new();
    struct series_step steps[SERIES_STEPS];

    (void)state;
    count(0, 1, 2, 3);
    series_sample(s, &snapshot);
    by_slot[0] = NULL;
    series_sample(s, &snapshot);
    assert_true(series_copy(s, 0, steps));
    assert_int_equal(steps[59].requests, 0);
    series_sample(s, NULL);
    series_free(s);
}

static void recent_sums_the_last_steps(void **state)
{
    struct series *s = series_new();
    uint64_t requests, errors;

    (void)state;
    series_sample(s, &snapshot);
    for (unsigned i = 0; i < 4; i++) {
        count(0, 10, i == 3 ? 5 : 2, 3);
        series_sample(s, &snapshot);
    }
    series_recent(s, 0, 2, &requests, &errors);
    assert_int_equal(requests, 20);
    assert_int_equal(errors, 10);
    series_recent(s, 0, 100, &requests, &errors);
    assert_int_equal(requests, 40);
    series_recent(s, 1, 2, &requests, &errors);
    assert_int_equal(requests, 0);
    series_recent(NULL, 0, 2, &requests, &errors);
    assert_int_equal(requests + errors, 0);
    series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(steps_are_differences, begin),
        cmocka_unit_test_setup(what_was_before_the_first_step_is_in_none, begin),
        cmocka_unit_test_setup(the_oldest_step_falls_out, begin),
        cmocka_unit_test_setup(a_service_that_left_is_at_rest, begin),
        cmocka_unit_test_setup(recent_sums_the_last_steps, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
