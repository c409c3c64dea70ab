/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

static struct service s;

static void start(unsigned n)
{
    service_init(&s, BALANCE_PEAK_EWMA, n);
    for (unsigned i = 0; i < n; i++) {
        s.loads[i].ewma_ns = 10 * NS_PER_MS;
        s.loads[i].ewma_at_ns = T0;
    }
}

static void expect_all_to(unsigned winner, const char *name)
{
    spread(&s, 100);
    if (s.picked[winner] != 100)
        fail_msg("%s: %u", name, s.picked[winner]);
}

static void the_lowest_cost_wins(void **state)
{
    static const struct {
        const char *name;
        uint64_t ewma_ms[2];
        uint32_t in_flight[2], weights[2];
        unsigned winner;
    } rows[] = {
        {"faster", {10, 20}, {0, 0}, {1, 1}, 0},
        {"faster, though busier", {10, 50}, {3, 0}, {1, 1}, 0},
        {"slower, but far less busy", {10, 50}, {5, 0}, {1, 1}, 1},
        {"heavier", {20, 30}, {0, 0}, {1, 2}, 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        start(2);
        for (unsigned k = 0; k < 2; k++) {
            s.loads[k].ewma_ns = rows[i].ewma_ms[k] * NS_PER_MS;
            s.loads[k].in_flight = rows[i].in_flight[k];
            s.targets[k].weight = rows[i].weights[k];
        }
        service_build(&s);
        expect_all_to(rows[i].winner, rows[i].name);
        service_release(&s);
    }
}

static void equals_take_turns(void **state)
{
    (void)state;
    for (unsigned n = 2; n < 8; n++) {
        start(n);
        service_build(&s);
        spread(&s, 100 * n);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(s.picked[i], 100);
        service_release(&s);
    }
}

static void one_without_a_sample_is_tried_once(void **state)
{
    (void)state;
    start(3);
    s.loads[1].ewma_ns = s.loads[1].ewma_at_ns = 0;
    service_build(&s);
    expect_all_to(1, "unknown and idle");
    s.loads[1].in_flight = 1;
    s.loads[0].in_flight = s.loads[2].in_flight = 1000;
    spread(&s, 100);
    assert_int_equal(s.picked[1], 0); /* until its sample comes */
    service_release(&s);
}

static void without_any_sample_the_load_decides(void **state)
{
    (void)state;
    start(3);
    for (unsigned i = 0; i < 3; i++)
        s.loads[i].ewma_ns = s.loads[i].ewma_at_ns = 0;
    service_build(&s);
    for (unsigned k = 0; k < 300; k++)
        s.loads[pick(&s)].in_flight++;
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(s.loads[i].in_flight, 100, 100);
    service_release(&s);
}

/* A target of 5 s beside one of 10 ms, and no sample for a while. */
static void a_stale_average_fades_but_brings_no_stampede(void **state)
{
    (void)state;
    start(2);
    s.loads[1].ewma_ns = 5 * S;
    service_build(&s);
    for (unsigned age_s = 0; age_s <= 50; age_s += 10) {
        s.query.now_ns = T0 + age_s * S;
        s.loads[0].ewma_at_ns = s.query.now_ns;
        expect_all_to(0, "not yet");
    }
    s.query.now_ns = T0 + 70 * S; /* e^-7 x 5 s is below 10 ms */
    s.loads[0].ewma_at_ns = s.query.now_ns;
    expect_all_to(1, "another chance");
    s.loads[1].in_flight = 1;
    expect_all_to(0, "one request finds out");
    s.query.now_ns = T0 + 3600 * S;
    s.loads[0].ewma_at_ns = s.query.now_ns;
    s.loads[1].in_flight = 100;
    expect_all_to(0, "not even after an hour");
    service_release(&s);
}

static void a_clock_behind_the_sample_is_no_age(void **state)
{
    (void)state;
    start(2);
    s.loads[0].ewma_ns = 20 * NS_PER_MS;
    s.loads[0].ewma_at_ns = T0 + S;
    service_build(&s);
    expect_all_to(1, "no age");
    service_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_cost_wins),
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(one_without_a_sample_is_tried_once),
        cmocka_unit_test(without_any_sample_the_load_decides),
        cmocka_unit_test(a_stale_average_fades_but_brings_no_stampede),
        cmocka_unit_test(a_clock_behind_the_sample_is_no_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
