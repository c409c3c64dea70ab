/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outlier_fixture.h"
#include "threads.h"

static void a_streak_ejects(void **state)
{
    struct service s;
    struct outlier *o = &s.all[0];

    (void)state;
    service_init(&s, &usual, 4);
    assert_int_equal(fail_times(o, T0, 4), OUTLIER_NOTHING);
    assert_int_equal(o->streak, 4);
    assert_int_equal(report(o, T0, false), OUTLIER_NOTHING);
    assert_int_equal(o->streak, 0);
    assert_int_equal(fail_times(o, T0, 4), OUTLIER_NOTHING);
    assert_int_equal(report(o, T0, true), OUTLIER_EJECTED);

    assert_in_range(o->load->ejected_until_ns, T0 + 10 * S, T0 + 11 * S);
    assert_true(o->load->on_probation);
    assert_int_equal(o->ejections, 1);
    assert_int_equal(o->last_ejected_at_ns, T0);
    assert_int_equal(o->last_cause, OUTLIER_STREAK);
    assert_int_equal(o->cause_failed, 5);
    assert_int_equal(o->cause_total, 5);
    assert_int_equal(s.group.ejected, 1);
    assert_int_equal(ejected_at(&s, T0), 1);
    service_release(&s);
}

static void a_failure_rate_ejects(void **state)
{
    struct service s;
    struct outlier *o = &s.all[0];

    (void)state;
    service_init(&s, &usual, 4);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(report(o, T0, true), OUTLIER_NOTHING);
        assert_int_equal(report(o, T0, false), OUTLIER_NOTHING);
    }
    assert_int_equal(report(o, T0, false), OUTLIER_NOTHING);
    assert_int_equal(report(o, T0, true), OUTLIER_EJECTED); /* 10 of 20 */
    assert_int_equal(o->last_cause, OUTLIER_RATE);
    assert_int_equal(o->cause_failed, 10);
    assert_int_equal(o->cause_total, 20);
    service_release(&s);
}

static void each_cause_can_be_off(void **state)
{
    struct outlier_options o = usual;
    struct service s;

    (void)state;
    o.consecutive_failures = 0;
    service_init(&s, &o, 4);
    assert_int_equal(fail_times(&s.all[0], T0, 19), OUTLIER_NOTHING);
    assert_int_equal(report(&s.all[0], T0, true), OUTLIER_EJECTED);
    assert_int_equal(s.all[0].last_cause, OUTLIER_RATE);
    service_release(&s);

    o.failure_percent = 0;
    service_init(&s, &o, 4);
    assert_int_equal(fail_times(&s.all[0], T0, 100), OUTLIER_NOTHING);
    service_release(&s);
}

static void failures_after_the_ejection_do_not_count_twice(void **state)
{
    struct service s;
    uint64_t until;

    (void)state;
    service_init(&s, &usual, 4);
    until = eject(&s.all[0], T0);
    assert_int_equal(fail_times(&s.all[0], T0 + S, 50), OUTLIER_NOTHING);
    assert_int_equal(s.loads[0].ejected_until_ns, until);
    assert_int_equal(fail_times(&s.all[0], until, 50), OUTLIER_NOTHING);
    assert_int_equal(report(&s.all[0], until, false), OUTLIER_NOTHING);
    assert_true(s.loads[0].on_probation); /* an old success is no probe */
    assert_int_equal(s.all[0].ejections, 1);
    service_release(&s);
}

static void probation_gives_one_slot(void **state)
{
    struct service s;
    struct outlier *o = &s.all[0];
    uint64_t until;
    bool lost = true;

    (void)state;
    service_init(&s, &usual, 4);
    assert_false(outlier_begin(o, T0, &lost)); /* in rotation: nothing special */
    assert_false(lost);
    until = eject(o, T0);
    assert_false(outlier_begin(o, until - 1, &lost)); /* panic: no probation yet */
    assert_false(lost);

    assert_true(outlier_begin(o, until, &lost));
    assert_true(o->load->probing);
    assert_false(outlier_begin(o, until, &lost));
    assert_true(lost);
    outlier_cancel(o, true);
    assert_false(o->load->probing);
    assert_true(outlier_begin(o, until, &lost));
    assert_false(lost);
    outlier_cancel(o, false); /* of another request */
    assert_true(o->load->probing);
    service_release(&s);
}

static void success_on_probation_restores(void **state)
{
    struct service s;
    uint64_t until;

    (void)state;
    service_init(&s, &usual, 4);
    until = eject(&s.all[0], T0);
    assert_int_equal(probe(&s.all[0], until, false), OUTLIER_RESTORED);
    assert_false(s.loads[0].on_probation);
    assert_false(s.loads[0].probing);
    assert_int_equal(s.loads[0].ejected_until_ns, 0);
    assert_int_equal(fail_times(&s.all[0], until, 4), OUTLIER_NOTHING);
    assert_int_equal(report(&s.all[0], until, true), OUTLIER_EJECTED);
    service_release(&s);
}

static void failure_on_probation_ejects_for_longer(void **state)
{
    static const uint64_t out_s[] = {20, 40, 60, 60, 60};
    struct service s;
    uint64_t now;

    (void)state;
    service_init(&s, &usual, 4);
    now = eject(&s.all[0], T0);
    for (unsigned i = 0; i < ARRAY_LEN(out_s); i++) {
        assert_int_equal(probe(&s.all[0], now, true), OUTLIER_EJECTED);
        assert_false(s.loads[0].probing);
        assert_true(s.loads[0].on_probation);
        assert_int_equal(s.all[0].last_cause, OUTLIER_PROBATION);
        uint64_t until = s.loads[0].ejected_until_ns;
        assert_in_range(until - now, out_s[i] * S, out_s[i] * S * 11 / 10);
        now = until;
    }
    assert_int_equal(s.all[0].ejections, 6);
    service_release(&s);
}

static void past_ejections_are_forgiven_after_a_long_time(void **state)
{
    struct service s;
    struct outlier *o = &s.all[0];
    uint64_t now, until;

    (void)state;
    service_init(&s, &usual, 4);
    now = eject(o, T0);
    assert_int_equal(probe(o, now, false), OUTLIER_RESTORED);
    now += 100 * S - 1;
    until = eject(o, now);
    assert_in_range(until - now, 20 * S, 22 * S); /* too soon */
    assert_int_equal(probe(o, until, false), OUTLIER_RESTORED);
    now = until + 100 * S;
    until = eject(o, now);
    assert_in_range(until - now, 10 * S, 11 * S);
    service_release(&s);
}

static void jitter_spreads_over_ten_percent(void **state)
{
    uint64_t least = UINT64_MAX, most = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct service s;
        service_init(&s, &usual, 2);
        uint64_t out_ns = eject(&s.all[0], T0) - T0;
        least = out_ns < least ? out_ns : least;
        most = out_ns > most ? out_ns : most;
        service_release(&s);
    }
    assert_in_range(least, 10 * S, 10 * S + S / 20);
    assert_in_range(most, 11 * S - S / 20, 11 * S);
}

static void the_cap_holds(void **state)
{
    static const struct {
        const char *name;
        unsigned n, percent, out;
    } rows[] = {
        {"no instance known", 0, 50, 0},
        {"never the only one", 1, 100, 0},
        {"one of two", 2, 50, 1},
        {"one of two, though less than one", 2, 10, 1},
        {"one of two, though 0", 2, 0, 1},
        {"never the last one", 2, 100, 1},
        {"rounds up", 5, 50, 3},
        {"two of three", 3, 50, 2},
        {"half", 10, 50, 5},
        {"one of ten", 10, 10, 1},
        {"all but one", 10, 100, 9},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct outlier_options o = usual;
        struct service s;
        o.max_ejected_percent = rows[i].percent;
        service_init(&s, &o, rows[i].n ? rows[i].n : 1);
        outlier_group_resize(&s.group, rows[i].n, T0);
        for (unsigned k = 0; k < s.n; k++)
            fail_times(&s.all[k], T0, 50);
        if (ejected_at(&s, T0) != rows[i].out)
            fail_msg("%s: %u ejected", rows[i].name, ejected_at(&s, T0));
        assert_int_equal(s.group.ejected, rows[i].out);
        service_release(&s);
    }
}

static void a_refused_ejection_is_tried_again(void **state)
{
    struct service s;
    uint64_t until;

    (void)state;
    service_init(&s, &usual, 2);
    until = eject(&s.all[0], T0);
    assert_int_equal(fail_times(&s.all[1], T0, 7), OUTLIER_NOTHING);
    assert_int_equal(s.all[1].streak, 7);
    assert_int_equal(probe(&s.all[0], until, false), OUTLIER_RESTORED);
    assert_int_equal(report(&s.all[1], until, true), OUTLIER_EJECTED);
    service_release(&s);
}

static void probation_counts_as_out_for_the_base_time(void **state)
{
    struct service s;
    uint64_t until;

    (void)state;
    service_init(&s, &usual, 2);
    until = eject(&s.all[0], T0);
    assert_int_equal(fail_times(&s.all[1], until + 10 * S - 1, 5), OUTLIER_NOTHING);
    assert_int_equal(report(&s.all[1], until + 10 * S, true), OUTLIER_EJECTED);
    /* Now the other one has the only place, so a failed probe ends in rotation. */
    assert_int_equal(probe(&s.all[0], until + 11 * S, true), OUTLIER_RESTORED);
    assert_int_equal(ejected_at(&s, until + 11 * S), 1);
    service_release(&s);
}

static void fewer_instances_end_ejections(void **state)
{
    struct service s;
    uint64_t first;

    (void)state;
    service_init(&s, &usual, 6);
    first = eject(&s.all[0], T0);
    eject(&s.all[1], T0 + 2 * S);
    eject(&s.all[2], T0 + 4 * S);
    outlier_group_resize(&s.group, 4, T0 + 5 * S);
    assert_int_equal(ejected_at(&s, T0 + 5 * S), 2);
    assert_true(first > s.loads[0].ejected_until_ns);
    assert_true(s.loads[0].on_probation);
    outlier_group_resize(&s.group, 1, T0 + 6 * S);
    assert_int_equal(ejected_at(&s, T0 + 6 * S), 0);
    assert_int_equal(probe(&s.all[0], T0 + 6 * S, true), OUTLIER_RESTORED);
    service_release(&s);
}

static void a_member_that_leaves_frees_its_place(void **state)
{
    struct service s;

    (void)state;
    service_init(&s, &usual, 3);
    outlier_group_resize(&s.group, 2, T0);
    eject(&s.all[2], T0);
    assert_int_equal(fail_times(&s.all[1], T0, 5), OUTLIER_NOTHING);
    outlier_release(&s.all[2]);
    assert_int_equal(report(&s.all[1], T0, true), OUTLIER_EJECTED);
    s.n = 2;
    service_release(&s);
}

static void disabling_restores_everyone(void **state)
{
    struct outlier_options off = usual;
    struct service s;
    uint64_t until;
    bool lost;

    (void)state;
    off.enabled = false;
    service_init(&s, &usual, 4);
    until = eject(&s.all[0], T0);
    eject(&s.all[1], until - 1);
    assert_true(outlier_begin(&s.all[0], until, &lost));
    fail_times(&s.all[2], until, 4);

    outlier_group_configure(&s.group, &off);
    assert_int_equal(ejected_at(&s, T0), 0);
    assert_int_equal(s.group.ejected, 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_false(s.loads[i].on_probation);
        assert_int_equal(s.all[i].streak, 0);
    }
    assert_int_equal(outlier_report(&s.all[0], until, &rng, true, true), OUTLIER_NOTHING);
    assert_false(s.loads[0].probing);
    assert_int_equal(fail_times(&s.all[2], until, 100), OUTLIER_NOTHING);

    outlier_group_configure(&s.group, &usual);
    uint64_t now = until + 500 * S;
    assert_in_range(eject(&s.all[0], now), now + 10 * S, now + 11 * S);
    service_release(&s);
}

static void new_options_keep_state(void **state)
{
    struct outlier_options o = usual;
    struct service s;
    uint64_t until;

    (void)state;
    service_init(&s, &usual, 4);
    until = eject(&s.all[0], T0);
    fail_times(&s.all[1], T0, 2);
    o.consecutive_failures = 3;
    o.window_ns = 20 * S;
    outlier_group_configure(&s.group, &o);
    assert_int_equal(s.loads[0].ejected_until_ns, until);
    assert_int_equal(window_sum(&s.all[1].window, T0).total, 0);
    assert_int_equal(report(&s.all[1], T0, true), OUTLIER_EJECTED);
    service_release(&s);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(outlier_cause_name(OUTLIER_NONE), "");
    assert_string_equal(outlier_cause_name(OUTLIER_STREAK), "consecutive_failures");
    assert_string_equal(outlier_cause_name(OUTLIER_RATE), "failure_rate");
    assert_string_equal(outlier_cause_name(OUTLIER_PROBATION), "probation_failed");
    assert_string_equal(outlier_cause_name(OUTLIER_OPERATOR), "operator");
    assert_string_equal(outlier_state_name(OUTLIER_IN_ROTATION), "closed");
    assert_string_equal(outlier_state_name(OUTLIER_IS_EJECTED), "open");
    assert_string_equal(outlier_state_name(OUTLIER_ON_PROBATION), "half_open");
    assert_string_equal(outlier_state_name(OUTLIER_HELD_OUT), "forced_open");
    assert_string_equal(outlier_state_name(OUTLIER_HELD_IN), "forced_closed");
}

static _Atomic unsigned probes_out[MANY];

static void *use_them(void *arg)
{
    struct service *s = arg;
    struct rng mine = {(uint64_t)(uintptr_t)&mine};

    for (uint64_t i = 0; i < 40000; i++) {
        uint64_t now = T0 + i * 10 * NS_PER_MS;
        unsigned at = rng_below(&mine, s->n);
        bool lost, probation = outlier_begin(&s->all[at], now, &lost);
        if (lost)
            continue;
        if (probation) {
            assert_int_equal(atomic_fetch_add(&probes_out[at], 1), 0);
            atomic_fetch_sub(&probes_out[at], 1);
        }
        if (i % 11 == 0)
            outlier_cancel(&s->all[at], probation);
        else
            outlier_report(&s->all[at], now, &mine, probation, (at + i / 4000) % 3 == 0);
        if (i % 5000 == 0)
            outlier_group_resize(&s->group, 3 + (uint32_t)(i / 5000) % 2, now);
    }
    return NULL;
}

static void is_safe_between_threads(void **state)
{
    struct service s;
    uint64_t ejections = 0;

    (void)state;
    service_init(&s, &usual, 4);
    in_threads(use_them, &s);
    for (unsigned i = 0; i < s.n; i++)
        ejections += s.all[i].ejections;
    assert_true(ejections > 0);
    service_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_streak_ejects),
        cmocka_unit_test(a_failure_rate_ejects),
        cmocka_unit_test(each_cause_can_be_off),
        cmocka_unit_test(failures_after_the_ejection_do_not_count_twice),
        cmocka_unit_test(probation_gives_one_slot),
        cmocka_unit_test(success_on_probation_restores),
        cmocka_unit_test(failure_on_probation_ejects_for_longer),
        cmocka_unit_test(past_ejections_are_forgiven_after_a_long_time),
        cmocka_unit_test(jitter_spreads_over_ten_percent),
        cmocka_unit_test(the_cap_holds),
        cmocka_unit_test(a_refused_ejection_is_tried_again),
        cmocka_unit_test(probation_counts_as_out_for_the_base_time),
        cmocka_unit_test(fewer_instances_end_ejections),
        cmocka_unit_test(a_member_that_leaves_frees_its_place),
        cmocka_unit_test(disabling_restores_everyone),
        cmocka_unit_test(new_options_keep_state),
        cmocka_unit_test(names),
        cmocka_unit_test(is_safe_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
