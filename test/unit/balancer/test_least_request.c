/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

static struct service s;

static void start(unsigned n, const uint32_t *weights, const uint32_t *in_flight)
{
    service_init(&s, BALANCE_LEAST_REQUEST, n);
    for (unsigned i = 0; i < n; i++) {
        s.targets[i].weight = weights ? weights[i] : 1;
        s.loads[i].in_flight = in_flight ? in_flight[i] : 0;
    }
    service_build(&s);
}

static void idle_ones_take_turns(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 8; n++) {
        start(n, NULL, NULL);
        spread(&s, n * 100);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(s.picked[i], 100);
        service_release(&s);
    }
}

static void idle_ones_take_turns_by_weight(void **state)
{
    static const uint32_t weights[] = {3, 1};

    (void)state;
    start(2, weights, NULL);
    spread(&s, 400);
    assert_int_equal(s.picked[0], 300);
    service_release(&s);
}

static void of_three_the_least_loaded_wins_always(void **state)
{
    static const struct {
        const char *name;
        unsigned n;
        uint32_t weights[3], in_flight[3];
        unsigned winner;
    } rows[] = {
        {"two", 2, {1, 1}, {1, 0}, 1},
        {"three", 3, {1, 1, 1}, {5, 4, 3}, 2},
        {"less for its weight", 2, {4, 1}, {7, 2}, 0},
        {"more for its weight", 2, {4, 1}, {9, 2}, 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        start(rows[i].n, rows[i].weights, rows[i].in_flight);
        spread(&s, 100);
        if (s.picked[rows[i].winner] != 100)
            fail_msg("%s: %u", rows[i].name, s.picked[rows[i].winner]);
        service_release(&s);
    }
}

static void equals_beside_a_busy_one_share_evenly(void **state)
{
    static const uint32_t in_flight[] = {1, 0, 0};

    (void)state;
    start(3, NULL, in_flight);
    spread(&s, 3000);
    assert_int_equal(s.picked[0], 0);
    assert_near(s.picked[1], 1500, 0.05);
    service_release(&s);
}

static void of_many_a_busy_one_is_avoided(void **state)
{
    static const uint32_t in_flight[10] = {50};

    (void)state;
    start(10, NULL, in_flight);
    spread(&s, 1000);
    assert_int_equal(s.picked[0], 0);
    service_release(&s);
}

/* Requests that never end: balls into bins. Two choices leave a gap of about ln ln n, where chance
 * alone would leave one of sqrt(average x ln n). */
static void load_stays_close_to_even(void **state)
{
    enum { N = 100, EACH = 100 };
    uint32_t least = UINT32_MAX, most = 0;

    (void)state;
    start(N, NULL, NULL);
    for (unsigned k = 0; k < N * EACH; k++)
        s.loads[pick(&s)].in_flight++;
    for (unsigned i = 0; i < N; i++) {
        uint32_t load = s.loads[i].in_flight;
        least = load < least ? load : least;
        most = load > most ? load : most;
    }
    assert_in_range(most, EACH, EACH + 4);
    assert_in_range(least, EACH - 6, EACH);
    service_release(&s);
}

static void load_follows_the_weights(void **state)
{
    static const uint32_t weights[] = {1, 2, 3, 4, 10};

    (void)state;
    start(5, weights, NULL);
    for (unsigned k = 0; k < 2000; k++)
        s.loads[pick(&s)].in_flight++;
    for (unsigned i = 0; i < 5; i++)
        assert_near(s.loads[i].in_flight, 100 * weights[i], 0.05);
    service_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_ones_take_turns),
        cmocka_unit_test(idle_ones_take_turns_by_weight),
        cmocka_unit_test(of_three_the_least_loaded_wins_always),
        cmocka_unit_test(equals_beside_a_busy_one_share_evenly),
        cmocka_unit_test(of_many_a_busy_one_is_avoided),
        cmocka_unit_test(load_stays_close_to_even),
        cmocka_unit_test(load_follows_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
