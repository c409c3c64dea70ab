/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator does to instances by hand, and how it goes with what the detector does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outlier_fixture.h"
#include "threads.h"

#include <sched.h>

static struct outlier_info info_at(struct outlier *o, uint64_t now_ns)
{
    struct outlier_info i;

    outlier_info(o, now_ns, &i);
    return i;
}

static void info_says_where_it_is(void **state)
{
    struct service s;
    struct outlier *o = &s.all[0];
    struct outlier_info i;
    uint64_t until;
    bool lost;

    (void)state;
    service_init(&s, &usual, 4);
    i = info_at(o, T0);
    assert_int_equal(i.state, OUTLIER_IN_ROTATION);
    assert_int_equal(i.since_ns, 0);
    assert_int_equal(i.cause, OUTLIER_NONE);

    until = eject(o, T0);
    i = info_at(o, until - 1);
    assert_int_equal(i.state, OUTLIER_IS_EJECTED);
    assert_int_equal(i.since_ns, T0);
    assert_int_equal(i.until_ns, until);
    assert_int_equal(i.ejected_at_ns, T0);
    assert_int_equal(i.ejections, 1);
    assert_int_equal(i.in_a_row, 1);
    assert_int_equal(i.cause, OUTLIER_STREAK);
    assert_int_equal(i.cause_failed, 5);
    assert_int_equal(i.cause_total, 5);

    i = info_at(o, until);
    assert_int_equal(i.state, OUTLIER_ON_PROBATION);
    assert_int_equal(i.since_ns, until);
    assert_int_equal(i.until_ns, 0);
    assert_false(i.probe_in_flight);
    assert_true(outlier_begin(o, until, &lost));
    assert_true(info_at(o, until).probe_in_flight);
    assert_int_equal(outlier_report(o, until + S, &rng, true, false), OUTLIER_RESTORED);
    i = info_at(o, until + 2 * S);
    assert_int_equal(i.state, OUTLIER_IN_ROTATION);
    assert_int_equal(i.since_ns, until + S);
    assert_int_equal(i.in_a_row, 1);
    service_release(&s);
}

static void held_out_until_its_time(void **state)
{
    struct service s;
    struct outlier *o = &s.all[0];
    struct outlier_info i;
    bool lost;

    (void)state;
    service_init(&s, &usual, 4);
    fail_times(o, T0, 3);
    assert_true(outlier_force(o, OUTLIER_OUT, T0 + 60 * S, false, T0));
    i = info_at(o, T0 + 60 * S - 1);
    assert_int_equal(i.state, OUTLIER_HELD_OUT);
    assert_int_equal(i.since_ns, T0);
    assert_int_equal(i.until_ns, T0 + 60 * S);
    assert_int_equal(i.cause, OUTLIER_OPERATOR);
    assert_int_equal(i.cause_total, 0);
    assert_int_equal(i.ejections, 1);
    assert_int_equal(i.in_a_row, 0);
    assert_true(s.loads[0].held_out);
    assert_int_equal(s.loads[0].ejected_until_ns, T0 + 60 * S);
    assert_false(outlier_begin(o, T0 + S, &lost));
    assert_true(lost); /* chosen before it was held: the caller picks again */
    assert_int_equal(fail_times(o, T0 + S, 50), OUTLIER_NOTHING); /* sent before */

    assert_true(outlier_force(o, OUTLIER_OUT, T0 + 30 * S, false, T0 + S)); /* shorter */
    assert_int_equal(info_at(o, T0 + S).ejections, 1);
    assert_false(outlier_tick(o, T0 + 30 * S - 1));
    assert_int_equal(info_at(o, T0 + 30 * S).state, OUTLIER_ON_PROBATION);
    assert_true(outlier_tick(o, T0 + 30 * S));
    assert_false(outlier_tick(o, T0 + 31 * S));
    assert_false(s.loads[0].held_out);
    assert_int_equal(info_at(o, T0 + 31 * S).state, OUTLIER_ON_PROBATION);
    assert_int_equal(probe(o, T0 + 31 * S, true), OUTLIER_EJECTED);
    assert_in_range(s.loads[0].ejected_until_ns, T0 + 41 * S, T0 + 42 * S);
    service_release(&s);
}

static void a_probe_judges_before_the_tick(void **state)
{
    struct service s;

    (void)state;
    service_init(&s, &usual, 4);
    assert_true(outlier_force(&s.all[0], OUTLIER_OUT, T0 + S, false, T0));
    assert_int_equal(probe(&s.all[0], T0 + S, false), OUTLIER_RESTORED);
    assert_int_equal(info_at(&s.all[0], T0 + S).state, OUTLIER_IN_ROTATION);
    assert_true(outlier_tick(&s.all[0], T0 + S));
    assert_int_equal(info_at(&s.all[0], T0 + S).state, OUTLIER_IN_ROTATION);
    service_release(&s);
}

static void held_in_whatever_it_does(void **state)
{
    struct service s;
    struct outlier *o = &s.all[0];

    (void)state;
    service_init(&s, &usual, 4);
    eject(o, T0);
    assert_true(outlier_force(o, OUTLIER_IN, T0 + 60 * S, false, T0 + S));
    assert_int_equal(info_at(o, T0 + S).state, OUTLIER_HELD_IN);
    assert_int_equal(info_at(o, T0 + S).since_ns, T0 + S);
    assert_int_equal(info_at(o, T0 + S).until_ns, T0 + 60 * S);
    assert_int_equal(ejected_at(&s, T0 + S), 0);
    assert_false(s.loads[0].on_probation);
    assert_int_equal(fail_times(o, T0 + 59 * S, 100), OUTLIER_NOTHING);
    assert_int_equal(o->streak, 100); /* counted all the same */
    assert_int_equal(window_sum(&o->window, T0 + 59 * S).failed, 100);

    assert_true(outlier_tick(o, T0 + 60 * S));
    assert_int_equal(info_at(o, T0 + 60 * S).state, OUTLIER_IN_ROTATION);
    assert_int_equal(info_at(o, T0 + 60 * S).since_ns, T0 + 60 * S);
    assert_int_equal(report(o, T0 + 60 * S, true), OUTLIER_EJECTED);
    service_release(&s);
}

static void auto_ends_everything(void **state)
{
    static const char *const names[] = {"in rotation", "ejected", "on probation", "held out",
                                        "held in"};

    (void)state;
    for (enum outlier_state from = 0; from <= OUTLIER_HELD_IN; from++) {
        struct service s;
        struct outlier *o = &s.all[0];
        uint64_t now = T0;

        service_init(&s, &usual, 4);
        if (from == OUTLIER_IS_EJECTED || from == OUTLIER_ON_PROBATION)
            now = eject(o, T0) - (from == OUTLIER_IS_EJECTED);
        else if (from != OUTLIER_IN_ROTATION)
            assert_true(outlier_force(o, from == OUTLIER_HELD_OUT ? OUTLIER_OUT : OUTLIER_IN,
                                      T0 + 60 * S, false, T0));
        fail_times(o, now, 4);
        if (info_at(o, now).state != from)
            fail_msg("%s", names[from]);
        assert_true(outlier_force(o, OUTLIER_AUTO, 0, false, now));
        assert_int_equal(info_at(o, now).state, OUTLIER_IN_ROTATION);
        assert_int_equal(info_at(o, now).since_ns, now);
        assert_int_equal(info_at(o, now).in_a_row, 0);
        assert_int_equal(s.loads[0].ejected_until_ns, 0);
        assert_false(s.loads[0].held_out);
        assert_int_equal(o->streak, 0);
        assert_false(outlier_tick(o, UINT64_MAX - 1));
        assert_int_equal(fail_times(o, now, 4), OUTLIER_NOTHING);
        assert_int_equal(report(o, now, true), OUTLIER_EJECTED);
        service_release(&s);
    }
}

static void the_last_one_in_rotation_is_not_taken(void **state)
{
    struct service s;
    uint64_t until;

    (void)state;
    service_init(&s, &usual, 2);
    until = eject(&s.all[0], T0);
    assert_false(outlier_force(&s.all[1], OUTLIER_OUT, T0 + 60 * S, false, T0));
    assert_int_equal(info_at(&s.all[1], T0).state, OUTLIER_IN_ROTATION);
    assert_int_equal(info_at(&s.all[1], T0).ejections, 0);
    assert_false(s.loads[1].held_out);
    /* The other one is out already: holding it out takes nothing away. */
    assert_true(outlier_force(&s.all[0], OUTLIER_OUT, until + 60 * S, false, T0));
    assert_false(outlier_force(&s.all[1], OUTLIER_OUT, T0 + 60 * S, false, until));
    assert_true(outlier_force(&s.all[1], OUTLIER_OUT, T0 + 60 * S, true, T0));
    assert_int_equal(ejected_at(&s, T0), 2);
    assert_true(outlier_force(&s.all[1], OUTLIER_OUT, T0 + 90 * S, false, T0 + S)); /* longer */
    service_release(&s);
}

static void held_out_is_not_counted_against_the_cap(void **state)
{
    static const struct {
        const char *name;
        unsigned n, by_hand, percent, out; /* out: by itself */
    } rows[] = {
        {"none by hand", 4, 0, 50, 2},        {"the cap is free", 4, 1, 50, 2},
        {"but one stays", 4, 2, 50, 1},       {"one of two by hand", 2, 1, 50, 0},
        {"all but one by hand", 4, 3, 50, 0}, {"all by hand", 4, 4, 100, 0},
        {"more than the cap", 10, 6, 50, 3},
    };

    (void)state;
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
        struct outlier_options o = usual;
        struct service s;
        unsigned out;

        o.max_ejected_percent = rows[r].percent;
        service_init(&s, &o, rows[r].n);
        for (unsigned i = 0; i < rows[r].by_hand; i++)
            assert_true(outlier_force(&s.all[i], OUTLIER_OUT, T0 + 5 * S, true, T0));
        for (unsigned i = rows[r].by_hand; i < s.n; i++)
            fail_times(&s.all[i], T0, 50);
        out = ejected_at(&s, T0) - rows[r].by_hand;
        if (out != rows[r].out)
            fail_msg("%s: %u ejected", rows[r].name, out);
        assert_int_equal(s.group.ejected, rows[r].out);
        service_release(&s);
    }
}

static void fewer_instances_do_not_end_what_is_held(void **state)
{
    struct service s;

    (void)state;
    service_init(&s, &usual, 4);
    assert_true(outlier_force(&s.all[0], OUTLIER_OUT, T0 + 2 * S, false, T0));
    eject(&s.all[1], T0);
    outlier_group_resize(&s.group, 2, T0 + S);
    assert_int_equal(info_at(&s.all[0], T0 + S).state, OUTLIER_HELD_OUT);
    assert_int_equal(info_at(&s.all[1], T0 + S).state, OUTLIER_ON_PROBATION);
    service_release(&s);
}

static void disabling_keeps_what_is_held(void **state)
{
    struct outlier_options off = usual;
    struct service s;

    (void)state;
    off.enabled = false;
    service_init(&s, &usual, 5);
    assert_true(outlier_force(&s.all[0], OUTLIER_OUT, T0 + 60 * S, false, T0));
    assert_true(outlier_force(&s.all[1], OUTLIER_IN, T0 + 60 * S, false, T0));
    assert_true(outlier_force(&s.all[2], OUTLIER_OUT, T0 + 60 * S, false, T0));
    outlier_group_configure(&s.group, &off);
    assert_int_equal(info_at(&s.all[0], T0).state, OUTLIER_HELD_OUT);
    assert_int_equal(info_at(&s.all[1], T0).state, OUTLIER_HELD_IN);
    assert_true(outlier_tick(&s.all[0], T0 + 60 * S));
    assert_int_equal(info_at(&s.all[0], T0 + 60 * S).state, OUTLIER_IN_ROTATION);
    /* Nobody ejects any more: a failed probe changes nothing. */
    assert_int_equal(probe(&s.all[2], T0 + 60 * S, true), OUTLIER_RESTORED);
    assert_true(outlier_tick(&s.all[2], T0 + 60 * S));
    assert_int_equal(info_at(&s.all[2], T0 + 60 * S).state, OUTLIER_IN_ROTATION);
    service_release(&s);
}

/* A probe of before must not free the slot of the next one. */
static void a_probe_that_is_out_keeps_its_slot(void **state)
{
    struct service s;
    struct outlier *o = &s.all[0];
    uint64_t until;
    bool lost;

    (void)state;
    service_init(&s, &usual, 4);
    until = eject(o, T0);
    assert_true(outlier_begin(o, until, &lost));
    assert_true(outlier_force(o, OUTLIER_AUTO, 0, false, until));
    until = eject(o, until);
    assert_false(outlier_begin(o, until, &lost));
    assert_true(lost);
    assert_int_equal(outlier_report(o, until, &rng, true, true), OUTLIER_EJECTED);
    until = o->load->ejected_until_ns;
    assert_true(outlier_begin(o, until, &lost));
    assert_true(outlier_force(o, OUTLIER_OUT, until + S, false, until));
    assert_int_equal(outlier_report(o, until, &rng, true, false), OUTLIER_NOTHING);
    assert_int_equal(info_at(o, until).state, OUTLIER_HELD_OUT);
    assert_false(o->load->probing);
    service_release(&s);
}

enum { COMMANDS = 3000 };

static struct {
    struct service service;
    _Atomic uint64_t now_ns;
    _Atomic unsigned probes[MANY];
    _Atomic unsigned most, probations;
    _Atomic bool done;
} run;

static uint64_t time_passes(struct rng *r)
{
    return atomic_fetch_add(&run.now_ns, rng_below(r, 2 * NS_PER_MS));
}

static void *worker(void *arg)
{
    struct rng mine = {(uint64_t)(uintptr_t)&mine};

    (void)arg;
    for (unsigned i = 0; !atomic_load(&run.done); i++) {
        unsigned at = rng_below(&mine, run.service.n);
        struct outlier *o = &run.service.all[at];
        bool lost, probation = outlier_begin(o, time_passes(&mine), &lost);
        if (lost)
            continue;
        if (probation) {
            unsigned n = atomic_fetch_add(&run.probes[at], 1) + 1, most = atomic_load(&run.most);
            while (most < n && !atomic_compare_exchange_weak(&run.most, &most, n))
                ;
            atomic_fetch_add(&run.probations, 1);
            sched_yield();
            atomic_fetch_sub(&run.probes[at], 1);
        }
        if (rng_below(&mine, 10) == 0)
            outlier_cancel(o, probation);
        else
            outlier_report(o, time_passes(&mine), &mine, probation,
                           (at + i / 400) % 3 == 0 || rng_below(&mine, 3) == 0);
    }
    return NULL;
}

static void operate(struct rng *r)
{
    struct outlier *o = &run.service.all[rng_below(r, run.service.n)];
    struct outlier_options options = usual;
    uint64_t now = time_passes(r);
    struct outlier_info i;

    switch (rng_below(r, 8)) {
    case 0:
        (void)!outlier_force(o, OUTLIER_OUT, now + rng_below(r, 2) * S / 10, false, now);
        break;
    case 1:
        (void)!outlier_force(o, OUTLIER_IN, now + S / 10, false, now);
        break;
    case 2:
    case 3:
        assert_true(outlier_force(o, OUTLIER_AUTO, 0, false, now));
        break;
    case 4:
        options.enabled = rng_below(r, 4) > 0;
        options.base_ejection_ns = S / 100;
        options.max_ejection_ns = S / 10;
        outlier_group_configure(&run.service.group, &options);
        break;
    case 5:
        outlier_group_resize(&run.service.group, 3 + rng_below(r, 2), now);
        break;
    default:
        (void)outlier_tick(o, now);
        outlier_info(o, now, &i);
        break;
    }
}

static void *operator_thread(void *arg)
{
    struct rng mine = {99};

    (void)arg;
    for (unsigned i = 0; i < COMMANDS; i++) {
        uint64_t until = atomic_load(&run.now_ns) + S / 50;
        operate(&mine);
        while (atomic_load(&run.now_ns) < until)
            sched_yield();
    }
    atomic_store(&run.done, true);
    return NULL;
}

static void one_probe_at_a_time_whatever_happens(void **state)
{
    struct outlier_options o = usual;
    pthread_t op;

    (void)state;
    o.base_ejection_ns = S / 100;
    o.max_ejection_ns = S / 10;
    service_init(&run.service, &o, 4);
    atomic_store(&run.now_ns, T0);
    assert_int_equal(pthread_create(&op, NULL, operator_thread, NULL), 0);
    in_threads(worker, NULL);
    pthread_join(op, NULL);
    assert_true(atomic_load(&run.probations) > 0);
    assert_int_equal(atomic_load(&run.most), 1);
    service_release(&run.service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_says_where_it_is),
        cmocka_unit_test(held_out_until_its_time),
        cmocka_unit_test(a_probe_judges_before_the_tick),
        cmocka_unit_test(held_in_whatever_it_does),
        cmocka_unit_test(auto_ends_everything),
        cmocka_unit_test(the_last_one_in_rotation_is_not_taken),
        cmocka_unit_test(held_out_is_not_counted_against_the_cap),
        cmocka_unit_test(fewer_instances_do_not_end_what_is_held),
        cmocka_unit_test(disabling_keeps_what_is_held),
        cmocka_unit_test(a_probe_that_is_out_keeps_its_slot),
        cmocka_unit_test(one_probe_at_a_time_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
