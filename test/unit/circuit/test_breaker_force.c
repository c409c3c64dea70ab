/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "breaker_fixture.h"

static void forced(struct breaker *b, enum breaker_state to)
{
    breaker_force(b, to, T0 + 60 * S, T0 + S);
}

static void bring_to(struct breaker *b, enum breaker_state from)
{
    uint64_t at;

    switch (from) {
    case BREAKER_CLOSED:
        break;
    case BREAKER_OPEN:
        (void)trip(b, T0);
        break;
    case BREAKER_HALF_OPEN:
        at = trip(b, T0 - 6 * S);
        (void)probe_at(b, at);
        break;
    default:
        breaker_force(b, from, T0 + 30 * S, T0);
        break;
    }
    assert_int_equal(info_at(b, T0).state, from);
}

static void every_forced_state_from_every_state(void **state)
{
    (void)state;
    for (enum breaker_state from = 0; from < BREAKER_STATES; from++)
        for (enum breaker_state to = BREAKER_FORCED_OPEN; to < BREAKER_STATES; to++) {
            struct breaker *b = breaker_with(&usual);
            struct told told = {0};
            bring_to(b, from);
            breaker_watch(b, on_transition, &told);
            forced(b, to);
            assert_int_equal(told.n, 1);
            assert_int_equal(told.last.from, from);
            assert_int_equal(told.last.to, to);
            assert_int_equal(told.last.cause, BREAKER_BY_OPERATOR);
            assert_false(told.last.shadow);
            assert_int_equal(told.last.at_ns, T0 + S);
            assert_int_equal(told.last.until_ns, T0 + 60 * S);
            assert_int_equal(told.last.window_ns, usual.window_ns);
            assert_true(breaker_forced_open(b) == (to == BREAKER_FORCED_OPEN));

            struct breaker_info i = info_at(b, T0 + 60 * S - 1);
            assert_int_equal(i.state, to);
            assert_true(i.forced);
            assert_int_equal(i.forced_until_ns, T0 + 60 * S);
            assert_int_equal(i.machine, to == BREAKER_SHADOW ? BREAKER_CLOSED : to);
            assert_int_equal(i.since_ns, T0 + S);
            assert_int_equal(told.n, 1);
            breaker_free(b);
        }
}

enum ending { BY_ADMIT, BY_REPORT, BY_INFO, BY_TICK, BY_UNFORCE, ENDINGS };

static void end_it(struct breaker *b, enum ending by, struct breaker_ticket before, uint64_t at)
{
    struct breaker_info i;

    switch (by) {
    case BY_ADMIT:
        (void)breaker_admit(b, at).admitted;
        break;
    case BY_REPORT: /* late, so it judges nothing, but it tells the time */
        breaker_report(b, before, at, &rng, true, 1);
        break;
    case BY_INFO:
        breaker_info(b, at, &i);
        break;
    case BY_TICK:
        breaker_tick(b, at);
        break;
    default:
        breaker_unforce(b, at);
        break;
    }
}

static void forced_states_end(void **state)
{
    static const struct {
        enum breaker_state forced;
        bool enabled, shadow;
        enum breaker_state then;
    } rows[] = {
        {BREAKER_FORCED_OPEN, true, false, BREAKER_HALF_OPEN},
        {BREAKER_FORCED_CLOSED, true, false, BREAKER_CLOSED},
        {BREAKER_DISABLED, true, false, BREAKER_CLOSED},
        {BREAKER_SHADOW, true, false, BREAKER_CLOSED},
        {BREAKER_FORCED_OPEN, true, true, BREAKER_SHADOW},
        {BREAKER_FORCED_CLOSED, true, true, BREAKER_SHADOW},
        {BREAKER_DISABLED, true, true, BREAKER_SHADOW},
        {BREAKER_SHADOW, true, true, BREAKER_SHADOW},
        {BREAKER_FORCED_OPEN, false, true, BREAKER_DISABLED},
        {BREAKER_FORCED_CLOSED, false, false, BREAKER_DISABLED},
        {BREAKER_DISABLED, false, false, BREAKER_DISABLED},
        {BREAKER_SHADOW, false, true, BREAKER_DISABLED},
    };

    (void)state;
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++)
        for (enum ending by = 0; by < ENDINGS; by++) {
            struct breaker_options o = usual;
            struct breaker *b = breaker_with(&usual);
            struct told told = {0};
            uint64_t at = by == BY_UNFORCE ? T0 + 10 * S : T0 + 60 * S;
            struct breaker_ticket before = breaker_admit(b, T0);
            forced(b, rows[r].forced);
            /* New options wait for the end of what is forced. */
            o.enabled = rows[r].enabled;
            o.shadow = rows[r].shadow;
            breaker_configure(b, &o);
            assert_int_equal(info_at(b, at - 1).state, rows[r].forced);
            breaker_watch(b, on_transition, &told);
            end_it(b, by, before, at);
            if (told.n != 1 || told.last.from != rows[r].forced || told.last.to != rows[r].then)
                fail_msg("row %u, ending %d: %u told, %s -> %s", r, by, told.n,
                         breaker_state_name(told.last.from), breaker_state_name(told.last.to));
            assert_int_equal(told.last.cause,
                             by == BY_UNFORCE ? BREAKER_BY_OPERATOR : BREAKER_BY_EXPIRY);
            assert_int_equal(told.last.until_ns, 0);
            assert_int_equal(info_at(b, at).state, rows[r].then);
            assert_false(info_at(b, at).forced);
            assert_int_equal(info_at(b, at).forced_until_ns, 0);
            assert_int_equal(told.n, 1);
            breaker_unforce(b, at); /* nothing is forced: nothing happens */
            assert_int_equal(told.n, 1);
            breaker_free(b);
        }
}

static void forced_open_rejects_and_says_for_how_long(void **state)
{
    static const struct {
        uint64_t at, retry_after_ns;
    } rows[] = {
        {T0 + S, 59 * S}, {T0 + 30 * S, 30 * S}, {T0 + 59 * S + 1, S}, {T0 + 60 * S - 1, S}};
    struct breaker *b = breaker_with(&usual);

    (void)state;
    forced(b, BREAKER_FORCED_OPEN);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct breaker_ticket t = breaker_admit(b, rows[i].at);
        assert_false(t.admitted);
        assert_int_equal(t.retry_after_ns, rows[i].retry_after_ns);
    }
    assert_int_equal(info_at(b, T0 + 59 * S).rejected, ARRAY_LEN(rows));
    assert_int_equal(info_at(b, T0 + 59 * S).trips, 0);
    assert_int_equal(info_at(b, T0 + 59 * S).reopens_at_ns, 0);
    /* Probes decide afterwards. */
    for (int i = 0; i < 3; i++)
        (void)probe_at(b, T0 + 60 * S);
    assert_false(breaker_admit(b, T0 + 60 * S).admitted);
    breaker_free(b);
}

static void a_failed_probe_after_forced_open_opens_it(void **state)
{
    struct breaker *b = breaker_with(&usual);

    (void)state;
    forced(b, BREAKER_FORCED_OPEN);
    call(b, T0 + 60 * S, true, 1);
    assert_int_equal(info_at(b, T0 + 60 * S).state, BREAKER_OPEN);
    assert_int_equal(info_at(b, T0 + 60 * S).trips_in_a_row, 1);
    breaker_free(b);
}

static void forced_open_does_not_forget_the_trips_in_a_row(void **state)
{
    struct breaker *b = breaker_with(&usual);
    uint64_t at = trip(b, T0);

    (void)state;
    call(b, at, true, 1);
    breaker_force(b, BREAKER_FORCED_OPEN, at + 60 * S, at);
    assert_int_equal(info_at(b, at).trips_in_a_row, 2);
    call(b, at + 60 * S, true, 1);
    assert_int_equal(info_at(b, at + 60 * S).trips_in_a_row, 3);
    breaker_force(b, BREAKER_FORCED_CLOSED, at + 70 * S, at + 60 * S);
    assert_int_equal(info_at(b, at + 60 * S).trips_in_a_row, 0);
    breaker_free(b);
}

static void forced_closed_and_disabled_only_count(void **state)
{
    static const enum breaker_state states[] = {BREAKER_FORCED_CLOSED, BREAKER_DISABLED};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(states); i++) {
        struct breaker *b = breaker_with(&usual);
        (void)trip(b, T0);
        forced(b, states[i]);
        calls(b, T0 + 55 * S, 50, true, 2 * S);
        assert_int_equal(info_at(b, T0 + 55 * S).state, states[i]);
        assert_int_equal(info_at(b, T0 + 55 * S).now_failed, 50);
        assert_int_equal(info_at(b, T0 + 55 * S).now_slow, 50);
        assert_int_equal(info_at(b, T0 + 55 * S).trips, 1);
        assert_int_equal(info_at(b, T0 + 55 * S).rejected, 0);
        /* What it counted is true: the first failure afterwards is enough. */
        assert_int_equal(info_at(b, T0 + 60 * S).state, BREAKER_CLOSED);
        call(b, T0 + 60 * S, true, 1);
        assert_int_equal(info_at(b, T0 + 60 * S).state, BREAKER_OPEN);
        breaker_free(b);
    }
}

static void a_report_of_before_judges_no_forced_state(void **state)
{
    struct breaker *b = breaker_with(&usual);
    uint64_t at = trip(b, T0);
    struct breaker_ticket probe = probe_at(b, at);

    (void)state;
    breaker_force(b, BREAKER_FORCED_OPEN, at + S, at);
    breaker_report(b, probe, at, &rng, true, 1);
    assert_int_equal(info_at(b, at).state, BREAKER_FORCED_OPEN);
    breaker_tick(b, at + S);
    breaker_report(b, probe, at + S, &rng, true, 1);
    breaker_cancel(b, probe, at + S);
    assert_int_equal(info_at(b, at + S).state, BREAKER_HALF_OPEN);
    assert_int_equal(info_at(b, at + S).probes_in_flight, 0);
    breaker_free(b);
}

static void only_forced_states_can_be_forced(void **state)
{
    struct breaker *b = breaker_with(&usual);
    struct told told = {0};

    (void)state;
    breaker_watch(b, on_transition, &told);
    for (enum breaker_state to = BREAKER_CLOSED; to <= BREAKER_HALF_OPEN; to++)
        breaker_force(b, to, T0 + S, T0);
    breaker_force(b, BREAKER_STATES, T0 + S, T0);
    assert_int_equal(told.n, 0);
    assert_false(info_at(b, T0).forced);
    breaker_free(b);
}

static void reset_is_as_new(void **state)
{
    (void)state;
    for (enum breaker_state from = 0; from < BREAKER_STATES; from++)
        for (int shadow = 0; shadow < 2; shadow++) {
            struct breaker_options o = usual;
            struct breaker *b = breaker_with(&usual);
            struct told told = {0};
            bring_to(b, from);
            o.shadow = shadow;
            breaker_configure(b, &o);
            uint64_t trips = info_at(b, T0).trips;
            calls(b, T0 + S, from == BREAKER_FORCED_CLOSED ? 5 : 0, true, 1);
            breaker_watch(b, on_transition, &told);
            breaker_reset(b, T0 + S);
            struct breaker_info i = info_at(b, T0 + S);
            assert_int_equal(told.n, 1);
            assert_int_equal(told.last.cause, BREAKER_BY_OPERATOR);
            assert_int_equal(told.last.to, shadow ? BREAKER_SHADOW : BREAKER_CLOSED);
            assert_int_equal(i.state, told.last.to);
            assert_int_equal(i.machine, BREAKER_CLOSED);
            assert_false(i.forced);
            assert_int_equal(i.now_total, 0);
            assert_int_equal(i.trips_in_a_row, 0);
            assert_int_equal(i.trips, trips);
            breaker_tick(b, UINT64_MAX - 1);
            assert_int_equal(told.n, 1);
            breaker_free(b);
        }
}

static void shadow_says_what_would_be(void **state)
{
    struct breaker_options o = usual;
    struct breaker *b;
    struct told told = {0};
    uint64_t at;

    (void)state;
    o.shadow = true;
    b = breaker_with(&o);
    breaker_watch(b, on_transition, &told);
    calls(b, T0, 10, true, 1);
    assert_int_equal(told.n, 1);
    assert_true(told.last.shadow);
    assert_int_equal(told.last.from, BREAKER_CLOSED);
    assert_int_equal(told.last.to, BREAKER_OPEN);
    assert_int_equal(told.last.cause, BREAKER_BY_FAILURES);
    at = info_at(b, T0).reopens_at_ns;
    assert_int_equal(told.last.until_ns, at);
    assert_int_equal(info_at(b, T0).state, BREAKER_SHADOW);
    assert_int_equal(info_at(b, T0).machine, BREAKER_OPEN);
    assert_int_equal(info_at(b, T0).trips, 1);

    calls(b, T0 + S, 20, true, 1); /* would be rejected: go, and judge nothing */
    assert_int_equal(told.n, 1);
    assert_int_equal(info_at(b, T0 + S).would_reject, 20);
    assert_int_equal(info_at(b, T0 + S).rejected, 0);
    assert_int_equal(info_at(b, T0 + S).now_failed, 30);

    struct breaker_ticket probes[3];
    for (int i = 0; i < 3; i++)
        probes[i] = probe_at(b, at);
    assert_int_equal(told.last.to, BREAKER_HALF_OPEN);
    assert_int_equal(told.last.cause, BREAKER_BY_TIME);
    struct breaker_ticket more = breaker_admit(b, at);
    assert_true(more.admitted);
    assert_false(more.probe);
    breaker_report(b, more, at, &rng, true, 1);
    assert_int_equal(info_at(b, at).would_reject, 21);
    assert_int_equal(info_at(b, at).machine, BREAKER_HALF_OPEN);
    for (int i = 0; i < 3; i++)
        breaker_report(b, probes[i], at, &rng, false, 1);
    assert_int_equal(told.n, 3);
    assert_int_equal(told.last.to, BREAKER_CLOSED);
    assert_int_equal(told.last.cause, BREAKER_BY_PROBES_PASSED);
    assert_true(told.last.shadow);
    assert_int_equal(told.last.total, 3);
    assert_int_equal(told.last.window_ns, 0);
    assert_int_equal(info_at(b, at).machine, BREAKER_CLOSED);
    assert_int_equal(info_at(b, at).now_total, 0);
    breaker_free(b);
}

static void a_failed_shadow_probe_would_open_it_again(void **state)
{
    struct breaker_options o = usual;
    struct breaker *b;
    uint64_t at;

    (void)state;
    o.shadow = true;
    b = breaker_with(&o);
    calls(b, T0, 10, true, 1);
    at = info_at(b, T0).reopens_at_ns;
    call(b, at, true, 1);
    assert_int_equal(info_at(b, at).machine, BREAKER_OPEN);
    assert_int_equal(info_at(b, at).trips_in_a_row, 2);
    assert_in_range(info_at(b, at).reopens_at_ns, at + 10 * S, at + 11 * S);
    breaker_free(b);
}

static void options_make_transitions(void **state)
{
    static const struct {
        const char *name;
        bool enabled, shadow;
        enum breaker_state to[3]; /* from closed, open, half-open; BREAKER_STATES = stays */
    } rows[] = {
        {"as before", true, false, {BREAKER_STATES, BREAKER_STATES, BREAKER_STATES}},
        {"disabled", false, false, {BREAKER_DISABLED, BREAKER_DISABLED, BREAKER_DISABLED}},
        {"shadow", true, true, {BREAKER_SHADOW, BREAKER_SHADOW, BREAKER_SHADOW}},
        {"disabled in shadow", false, true, {BREAKER_DISABLED, BREAKER_DISABLED, BREAKER_DISABLED}},
    };

    (void)state;
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++)
        for (enum breaker_state from = BREAKER_CLOSED; from <= BREAKER_HALF_OPEN; from++)
            for (enum ending by = BY_ADMIT; by <= BY_TICK; by++) {
                struct breaker_options o = usual;
                struct breaker *b = breaker_with(&usual);
                struct told told = {0};
                struct breaker_ticket before = breaker_admit(b, T0 - 6 * S);
                bring_to(b, from);
                breaker_watch(b, on_transition, &told);
                o.enabled = rows[r].enabled;
                o.shadow = rows[r].shadow;
                breaker_configure(b, &o);
                assert_int_equal(told.n, 0); /* it does not know the time */
                end_it(b, by, before, T0 + S);
                if (from == BREAKER_CLOSED && by == BY_ADMIT)
                    breaker_tick(b, T0 + S);
                bool stays = rows[r].to[from] == BREAKER_STATES;
                if (told.n != !stays ||
                    info_at(b, T0 + S).state != (stays ? from : rows[r].to[from]))
                    fail_msg("%s from %s, ending %d", rows[r].name, breaker_state_name(from), by);
                if (stays) {
                    breaker_free(b);
                    continue;
                }
                assert_int_equal(told.last.cause, BREAKER_BY_CONFIGURATION);
                assert_int_equal(told.last.until_ns, 0);
                assert_false(info_at(b, T0 + S).forced);
                breaker_configure(b, &usual);
                assert_int_equal(info_at(b, T0 + 2 * S).state, BREAKER_CLOSED);
                assert_int_equal(told.n, 2);
                breaker_free(b);
            }
}

static void options_taken_back_in_time_change_nothing(void **state)
{
    struct breaker_options off = usual;
    struct breaker *b = breaker_with(&usual);
    struct told told = {0};

    (void)state;
    off.enabled = false;
    breaker_watch(b, on_transition, &told);
    breaker_configure(b, &off);
    breaker_configure(b, &usual);
    breaker_tick(b, T0 + S);
    assert_int_equal(told.n, 0);
    breaker_free(b);
}

static void begins_as_the_options_say(void **state)
{
    static const struct {
        bool enabled, shadow;
        enum breaker_state state;
    } rows[] = {{true, false, BREAKER_CLOSED},
                {true, true, BREAKER_SHADOW},
                {false, false, BREAKER_DISABLED},
                {false, true, BREAKER_DISABLED}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct breaker_options o = usual;
        o.enabled = rows[i].enabled;
        o.shadow = rows[i].shadow;
        struct breaker *b = breaker_with(&o);
        assert_int_equal(info_at(b, T0).state, rows[i].state);
        assert_true(breaker_admit(b, T0).admitted);
        breaker_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_forced_state_from_every_state),
        cmocka_unit_test(forced_states_end),
        cmocka_unit_test(forced_open_rejects_and_says_for_how_long),
        cmocka_unit_test(a_failed_probe_after_forced_open_opens_it),
        cmocka_unit_test(forced_open_does_not_forget_the_trips_in_a_row),
        cmocka_unit_test(forced_closed_and_disabled_only_count),
        cmocka_unit_test(a_report_of_before_judges_no_forced_state),
        cmocka_unit_test(only_forced_states_can_be_forced),
        cmocka_unit_test(reset_is_as_new),
        cmocka_unit_test(shadow_says_what_would_be),
        cmocka_unit_test(a_failed_shadow_probe_would_open_it_again),
        cmocka_unit_test(options_make_transitions),
        cmocka_unit_test(options_taken_back_in_time_change_nothing),
        cmocka_unit_test(begins_as_the_options_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
