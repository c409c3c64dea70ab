/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/service_row.h"
#include "fixture.h"

#include <math.h>
#include <stdlib.h>

static void quantile_is_linear_within_a_bucket(void **state)
{
    static const struct {
        const char *name;
        uint64_t counts[LATENCY_BUCKETS];
        double q, expected;
    } cases[] = {
        {"nothing counted", {0}, 0.5, -1},
        {"half of the first bucket", {100}, 0.5, 0.00025},
        {"end of the first bucket", {100}, 1, 0.0005},
        {"border of two buckets", {50, 50}, 0.5, 0.0005},
        {"middle of the second", {50, 50}, 0.75, 0.00075},
        {"empty buckets are passed over", {1, 0, 0, 0, 0, 0, 0, 99}, 0.505, 0.075},
        {"above the last bound", {[LATENCY_BUCKETS - 1] = 7}, 0.99, 30},
        {"one slow of a hundred", {99, [LATENCY_BUCKETS - 1] = 1}, 0.995, 30},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double got = latency_quantile(cases[i].counts, cases[i].q);

        if (fabs(got - cases[i].expected) > 1e-9)
            fail_msg("%s: got %g, expected %g", cases[i].name, got, cases[i].expected);
    }
}

static void an_instance_is_available_by_the_balancers_rule(void **state)
{
    static const struct {
        const char *name;
        enum health health;
        uint32_t weight;
        socklen_t resolved;
        uint32_t in_flight, max;
        uint64_t ejected_until;
        bool on_probation, probing, expected;
    } cases[] = {
        {"passing", HEALTH_PASSING, 1, 1, 0, 0, 0, false, false, true},
        {"warning", HEALTH_WARNING, 1, 1, 0, 0, 0, false, false, true},
        {"critical", HEALTH_CRITICAL, 1, 1, 0, 0, 0, false, false, false},
        {"maintenance", HEALTH_MAINTENANCE, 1, 1, 0, 0, 0, false, false, false},
        {"drained", HEALTH_PASSING, 0, 1, 0, 0, 0, false, false, false},
        {"not resolved", HEALTH_PASSING, 1, 0, 0, 0, 0, false, false, false},
        {"below its limit", HEALTH_PASSING, 1, 1, 4, 5, 0, false, false, true},
        {"at its limit", HEALTH_PASSING, 1, 1, 5, 5, 0, false, false, false},
        {"ejected", HEALTH_PASSING, 1, 1, 0, 0, 101, true, false, false},
        {"ejection just over", HEALTH_PASSING, 1, 1, 0, 0, 100, true, false, true},
        {"probation request under way", HEALTH_PASSING, 1, 1, 1, 0, 50, true, true, false},
        {"ejected for good", HEALTH_PASSING, 1, 1, 0, 0, UINT64_MAX, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct instance in = {.health = cases[i].health,
                              .weight = cases[i].weight,
                              .sockaddr_len = cases[i].resolved};
        struct instance_load load = {.in_flight = cases[i].in_flight,
                                     .max_in_flight = cases[i].max,
                                     .ejected_until_ns = cases[i].ejected_until,
                                     .on_probation = cases[i].on_probation,
                                     .probing = cases[i].probing};

        if (instance_available(&in, &load, 100) != cases[i].expected)
            fail_msg("%s: expected %d", cases[i].name, cases[i].expected);
    }
}

static void rows_are_sorted_and_summed_over_workers(void **state)
{
    struct gateway g;
    struct service_row *rows;
    struct service_state *s;
    size_t n;

    (void)state;
    gateway_init(&g);
    s = gateway_service(&g, "orders");
    for (unsigned w = 0; w < s->nworkers; w++) {
        stat_add(&s->stats[w].requests, w + 1);
        stat_add(&s->stats[w].by_class[5], 1);
        stat_add(&s->stats[w].reasons[REASON_UPSTREAM_RESET], 2);
        stat_add(&s->stats[w].latency[3], 1);
        stat_add(&s->stats[w].latency_ns_sum, 10);
    }
    s->limit.active = 7;
    gateway_trip(&g, "orders");
    rows = service_rows(g.snapshot, clock_now_ns(), &n);
    assert_int_equal(n, 3);
    assert_string_equal(rows[0].name, "nobody");
    assert_string_equal(rows[1].name, "orders");
    assert_string_equal(rows[2].name, "web");
    assert_int_equal(rows[0].available, 0);
    assert_int_equal(rows[1].requests, 1 + 2 + 3);
    assert_int_equal(rows[1].by_class[5], 3);
    assert_int_equal(rows[1].reasons[REASON_UPSTREAM_RESET], 6);
    assert_int_equal(rows[1].latency[3], 3);
    assert_int_equal(rows[1].latency_count, 3);
    assert_int_equal(rows[1].latency_ns_sum, 30);
    assert_int_equal(rows[1].in_flight, 7);
    assert_int_equal(rows[1].breaker.state, BREAKER_OPEN);
    assert_int_equal(rows[1].available, 2);
    assert_int_equal(rows[1].by_health[HEALTH_PASSING], 2);
    assert_int_equal(rows[2].requests, 0);
    assert_int_equal(rows[2].breaker.state, BREAKER_CLOSED);
    free(rows);
    gateway_release(&g);
}

static void before_the_first_snapshot_there_are_none(void **state)
{
    size_t n = 1;
    struct service_row *rows = service_rows(NULL, 0, &n);

    (void)state;
    assert_int_equal(n, 0);
    assert_null(service_row_find(NULL, "web"));
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantile_is_linear_within_a_bucket),
        cmocka_unit_test(an_instance_is_available_by_the_balancers_rule),
        cmocka_unit_test(rows_are_sorted_and_summed_over_workers),
        cmocka_unit_test(before_the_first_snapshot_there_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
