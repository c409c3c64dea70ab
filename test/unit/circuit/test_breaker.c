/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "breaker_fixture.h"
#include "threads.h"

static void trips_by_the_window(void **state)
{
    static const struct {
        const char *name;
        unsigned good, slow, failed; /* in this order */
        bool opens;
        enum breaker_cause cause;
    } rows[] = {
        {"all good", 100, 0, 0, false, BREAKER_BY_NOTHING},
        {"too few requests", 0, 0, 9, false, BREAKER_BY_NOTHING},
        {"minimum reached", 0, 0, 10, true, BREAKER_BY_FAILURES},
        {"just below the rate", 11, 0, 10, false, BREAKER_BY_NOTHING},
        {"at the rate", 10, 0, 10, true, BREAKER_BY_FAILURES},
        {"slow below the rate", 3, 11, 0, false, BREAKER_BY_NOTHING},
        {"slow at the rate", 2, 8, 0, true, BREAKER_BY_SLOW_CALLS},
        {"slow and failed do not add up", 5, 5, 2, false, BREAKER_BY_NOTHING},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct breaker *b = breaker_with(&usual);
        struct told told = {0};
        breaker_watch(b, on_transition, &told);
        calls(b, T0, rows[i].good, false, S - 1);
        calls(b, T0, rows[i].slow, false, S);
        calls(b, T0, rows[i].failed, true, 1);
        struct breaker_info info = info_at(b, T0);
        if (info.state != (rows[i].opens ? BREAKER_OPEN : BREAKER_CLOSED))
            fail_msg("%s: %s", rows[i].name, breaker_state_name(info.state));
        assert_int_equal(told.n, rows[i].opens);
        assert_int_equal(told.last.cause, rows[i].cause);
        assert_int_equal(info.trip.cause, rows[i].cause);
        assert_int_equal(info.trips, rows[i].opens);
        assert_int_equal(info.now_total, rows[i].good + rows[i].slow + rows[i].failed);
        assert_int_equal(info.now_failed, rows[i].failed);
        assert_int_equal(info.now_slow, rows[i].slow);
        breaker_free(b);
    }
}

static void remembers_what_tripped_it(void **state)
{
    struct breaker *b = breaker_with(&usual);
    struct breaker_info i;

    (void)state;
    calls(b, T0, 9, false, 2 * S);
    call(b, T0, true, 1);
    i = info_at(b, T0 + S);
    assert_int_equal(i.trip.cause, BREAKER_BY_SLOW_CALLS);
    assert_int_equal(i.trip.at_ns, T0);
    assert_int_equal(i.trip.total, 9 + 1);
    assert_int_equal(i.trip.failed, 1);
    assert_int_equal(i.trip.slow, 9);
    assert_int_equal(i.trip.window_ns, 10 * S);
    breaker_free(b);
}

static void old_outcomes_leave_the_window(void **state)
{
    struct breaker *b = breaker_with(&usual);

    (void)state;
    calls(b, T0, 9, true, 1);
    call(b, T0 + 10 * S, true, 1);
    assert_int_equal(info_at(b, T0 + 10 * S).state, BREAKER_CLOSED);
    assert_int_equal(info_at(b, T0 + 10 * S).now_total, 1);
    breaker_free(b);
}

static void percent_zero_never_trips(void **state)
{
    struct breaker_options o = usual;
    struct breaker *b;

    (void)state;
    o.failure_percent = o.slow_percent = 0;
    b = breaker_with(&o);
    calls(b, T0, 100, true, 5 * S);
    assert_int_equal(info_at(b, T0).state, BREAKER_CLOSED);
    breaker_free(b);
}

static void open_turns_all_away_until_its_time(void **state)
{
    struct breaker *b = breaker_with(&usual);
    uint64_t at = trip(b, T0);
    struct breaker_ticket t = breaker_admit(b, T0 + S);

    (void)state;
    assert_in_range(at, T0 + 5 * S, T0 + 5 * S + S / 2);
    assert_false(t.admitted);
    assert_int_equal(t.retry_after_ns, at - T0 - S);
    breaker_report(b, t, T0 + S, &rng, true, 1); /* a rejected ticket says nothing */
    assert_false(breaker_admit(b, at - 1).admitted);
    assert_int_equal(info_at(b, at - 1).rejected, 2);
    assert_int_equal(info_at(b, at - 1).state, BREAKER_OPEN);
    assert_true(breaker_admit(b, at).probe);
    assert_int_equal(info_at(b, at).state, BREAKER_HALF_OPEN);
    assert_int_equal(info_at(b, at).reopens_at_ns, 0);
    breaker_free(b);
}

static void half_open_bounds_the_probes(void **state)
{
    struct breaker *b = breaker_with(&usual);
    uint64_t at = trip(b, T0);
    struct breaker_ticket t, probes[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        probes[i] = probe_at(b, at);
    t = breaker_admit(b, at);
    assert_false(t.admitted);
    assert_int_equal(t.retry_after_ns, S);
    assert_int_equal(info_at(b, at).probes_in_flight, 3);

    breaker_report(b, probes[0], at, &rng, false, 1);
    breaker_cancel(b, probes[1], at);
    assert_int_equal(info_at(b, at).probes_in_flight, 1);
    assert_int_equal(info_at(b, at).probes_succeeded, 1);
    (void)probe_at(b, at);
    (void)probe_at(b, at);
    assert_false(breaker_admit(b, at).admitted);
    breaker_free(b);
}

static void enough_successes_close_it(void **state)
{
    struct breaker *b = breaker_with(&usual);
    struct told told = {0};
    uint64_t at = trip(b, T0);
    struct breaker_info i;

    (void)state;
    breaker_watch(b, on_transition, &told);
    call(b, at, false, 1);
    assert_int_equal(told.last.to, BREAKER_HALF_OPEN);
    call(b, at, false, 1);
    assert_int_equal(info_at(b, at).state, BREAKER_HALF_OPEN);
    call(b, at, false, 1);
    i = info_at(b, at);
    assert_int_equal(i.state, BREAKER_CLOSED);
    assert_int_equal(i.since_ns, at);
    assert_int_equal(i.trips_in_a_row, 0);
    assert_int_equal(i.trips, 1);
    assert_int_equal(i.now_total, 0); /* the window starts anew */
    assert_int_equal(told.n, 2);
    assert_int_equal(told.last.from, BREAKER_HALF_OPEN);
    assert_int_equal(told.last.to, BREAKER_CLOSED);
    breaker_free(b);
}

static void a_bad_probe_opens_it_again_for_longer(void **state)
{
    static const uint64_t open_s[] = {5, 10, 20, 30, 30, 30};
    struct breaker *b = breaker_with(&usual);
    uint64_t now = T0, at = trip(b, T0);

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(open_s); i++) {
        assert_int_equal(info_at(b, now).trips_in_a_row, i + 1);
        assert_in_range(at - now, open_s[i] * S, open_s[i] * S * 11 / 10);
        now = at;
        call(b, now, true, 1);
        assert_int_equal(info_at(b, now).state, BREAKER_OPEN);
        assert_int_equal(info_at(b, now).trip.cause, BREAKER_BY_PROBE);
        at = info_at(b, now).reopens_at_ns;
    }
    calls(b, at, 3, false, 1);
    assert_int_equal(info_at(b, at).state, BREAKER_CLOSED);
    now = at;
    at = trip(b, now);
    assert_in_range(at - now, 5 * S, 5 * S + S / 2); /* closed in between: short again */
    breaker_free(b);
}

static void a_slow_probe_is_bad_only_if_slow_calls_trip(void **state)
{
    struct breaker_options o = usual;
    struct breaker *b = breaker_with(&o);
    uint64_t at = trip(b, T0);

    (void)state;
    call(b, at, false, S);
    assert_int_equal(info_at(b, at).state, BREAKER_OPEN);
    assert_int_equal(info_at(b, at).trip.slow, 1);
    assert_int_equal(info_at(b, at).trip.failed, 0);
    breaker_free(b);

    o.slow_percent = 0;
    b = breaker_with(&o);
    at = trip(b, T0);
    calls(b, at, 3, false, S);
    assert_int_equal(info_at(b, at).state, BREAKER_CLOSED);
    breaker_free(b);
}

static void jitter_spreads_over_ten_percent(void **state)
{
    uint64_t least = UINT64_MAX, most = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct breaker *b = breaker_with(&usual);
        uint64_t open_ns = trip(b, T0) - T0;
        least = open_ns < least ? open_ns : least;
        most = open_ns > most ? open_ns : most;
        breaker_free(b);
    }
    assert_in_range(least, 5 * S, 5 * S + S / 50);
    assert_in_range(most, 5 * S + S * 48 / 100, 5 * S + S / 2);
}

static void late_reports_count_nothing(void **state)
{
    struct breaker *b = breaker_with(&usual);
    struct breaker_ticket of_closed = breaker_admit(b, T0), of_half_open;
    uint64_t at = trip(b, T0);
    struct breaker_info before = info_at(b, at);

    (void)state;
    breaker_report(b, of_closed, at, &rng, true, 1);
    assert_int_equal(info_at(b, at).now_total, before.now_total);

    of_half_open = probe_at(b, at);
    breaker_report(b, of_closed, at, &rng, true, 1);
    breaker_report(b, of_closed, at, &rng, false, 1);
    breaker_cancel(b, of_closed, at);
    assert_int_equal(info_at(b, at).state, BREAKER_HALF_OPEN);
    assert_int_equal(info_at(b, at).probes_in_flight, 1);

    call(b, at, true, 1);
    breaker_report(b, of_half_open, at, &rng, true, 1);
    breaker_cancel(b, of_half_open, at);
    assert_int_equal(info_at(b, at).trips, 2);
    breaker_free(b);
}

static void lost_probes_do_not_block_for_ever(void **state)
{
    struct breaker *b = breaker_with(&usual);
    uint64_t at = trip(b, T0);
    struct breaker_ticket lost = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        lost = probe_at(b, at);
    assert_false(breaker_admit(b, at + 30 * S - 1).admitted);
    calls(b, at + 30 * S, 2, false, 1);
    breaker_report(b, lost, at + 30 * S, &rng, true, 1);
    assert_int_equal(info_at(b, at + 30 * S).state, BREAKER_HALF_OPEN);
    call(b, at + 30 * S, false, 1);
    assert_int_equal(info_at(b, at + 30 * S).state, BREAKER_CLOSED);
    breaker_free(b);
}

static void disabled_counts_but_never_trips(void **state)
{
    struct breaker_options o = usual;
    struct breaker *b;

    (void)state;
    o.enabled = false;
    b = breaker_with(&o);
    calls(b, T0, 100, true, 5 * S);
    assert_int_equal(info_at(b, T0).state, BREAKER_DISABLED);
    assert_int_equal(info_at(b, T0).now_failed, 100);
    assert_int_equal(info_at(b, T0).now_slow, 100);
    breaker_free(b);
}

static void new_options_keep_state_and_counts(void **state)
{
    struct breaker_options o = usual;
    struct breaker *b = breaker_with(&o);

    (void)state;
    calls(b, T0, 9, true, 1);
    o.failure_percent = 95;
    breaker_configure(b, &o);
    assert_int_equal(info_at(b, T0).now_total, 9);
    call(b, T0, false, 1);
    call(b, T0, true, 1); /* 10 of 11 */
    assert_int_equal(info_at(b, T0).state, BREAKER_CLOSED);
    o.failure_percent = 80;
    o.slow_ns = 10;
    breaker_configure(b, &o);
    call(b, T0, false, 10); /* slow by the new options, and 10 of 12 failed */
    assert_int_equal(info_at(b, T0).now_slow, 1);
    assert_int_equal(info_at(b, T0).state, BREAKER_OPEN);
    breaker_configure(b, &usual);
    assert_int_equal(info_at(b, T0).state, BREAKER_OPEN);
    o.window_ns = 20 * S;
    breaker_configure(b, &o);
    assert_int_equal(info_at(b, T0).now_total, 0);
    breaker_free(b);
}

static void more_probes_by_new_options(void **state)
{
    struct breaker_options o = usual;
    struct breaker *b;
    uint64_t at;

    (void)state;
    o.half_open_requests = 0; /* is one */
    b = breaker_with(&o);
    at = trip(b, T0);
    (void)probe_at(b, at);
    assert_false(breaker_admit(b, at).admitted);
    breaker_configure(b, &usual);
    (void)probe_at(b, at);
    (void)probe_at(b, at);
    assert_false(breaker_admit(b, at).admitted);
    breaker_free(b);
}

static void names(void **state)
{
    static const char *const states[] = {"closed",        "open",     "half_open", "forced_open",
                                         "forced_closed", "disabled", "shadow"};
    static const char *const causes[] = {"",
                                         "failure_rate",
                                         "slow_call_rate",
                                         "probe_failed",
                                         "probes_passed",
                                         "open_time_over",
                                         "operator",
                                         "expired",
                                         "configuration"};

    (void)state;
    for (unsigned i = 0; i < BREAKER_STATES; i++) {
        assert_string_equal(breaker_state_name((enum breaker_state)i), states[i]);
        assert_int_equal(breaker_state_parse(states[i]), i);
    }
    assert_int_equal(breaker_state_parse("Open"), BREAKER_STATES);
    assert_int_equal(breaker_state_parse(""), BREAKER_STATES);
    for (unsigned i = 0; i < ARRAY_LEN(causes); i++)
        assert_string_equal(breaker_cause_name((enum breaker_cause)i), causes[i]);
    breaker_free(NULL);
}

/* No probe is lost here: a thread that rests with one while the others run on keeps its slot. */
static const struct breaker_options brisk = {
    .enabled = true,
    .failure_percent = 50,
    .slow_percent = 80,
    .slow_ns = S,
    .minimum_requests = 10,
    .window_ns = 10 * S,
    .open_ns = NS_PER_MS,
    .max_open_ns = 1000000 * S,
    .half_open_requests = 3,
};

static _Atomic unsigned probes_out;

static void *use_it(void *arg)
{
    struct breaker *b = arg;
    struct rng mine = {(uint64_t)(uintptr_t)&mine};

    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t now = T0 + i * S / 100;
        struct breaker_ticket t = breaker_admit(b, now);
        bool failed = i / 2000 % 2 == 0;
        if (t.probe)
            assert_true(probes_out++ < brisk.half_open_requests);
        if (i % 1000 == 0)
            (void)info_at(b, now);
        if (i % 3000 == 0)
            breaker_configure(b, &brisk);
        if (t.probe)
            probes_out--;
        if (i % 7 == 0)
            breaker_cancel(b, t, now);
        else
            breaker_report(b, t, now, &mine, failed, i % 5 == 0 ? S : 1);
    }
    return NULL;
}

static void is_safe_between_threads(void **state)
{
    struct breaker *b = breaker_with(&brisk);

    (void)state;
    in_threads(use_it, b);
    assert_true(info_at(b, T0).trips > 0);
    breaker_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trips_by_the_window),
        cmocka_unit_test(remembers_what_tripped_it),
        cmocka_unit_test(old_outcomes_leave_the_window),
        cmocka_unit_test(percent_zero_never_trips),
        cmocka_unit_test(open_turns_all_away_until_its_time),
        cmocka_unit_test(half_open_bounds_the_probes),
        cmocka_unit_test(enough_successes_close_it),
        cmocka_unit_test(a_bad_probe_opens_it_again_for_longer),
        cmocka_unit_test(a_slow_probe_is_bad_only_if_slow_calls_trip),
        cmocka_unit_test(jitter_spreads_over_ten_percent),
        cmocka_unit_test(late_reports_count_nothing),
        cmocka_unit_test(lost_probes_do_not_block_for_ever),
        cmocka_unit_test(disabled_counts_but_never_trips),
        cmocka_unit_test(new_options_keep_state_and_counts),
        cmocka_unit_test(more_probes_by_new_options),
        cmocka_unit_test(names),
        cmocka_unit_test(is_safe_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
