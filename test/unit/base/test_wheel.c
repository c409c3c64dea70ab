/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MS(n) ((uint64_t)(n)*NS_PER_MS)

enum { TURN_MS = WHEEL_SLOTS * WHEEL_TICK_MS };

static const uint64_t start_ns = MS(1000003) + 17; /* in the middle of a tick */

/* A timer that remembers when it fired and does what the test tells it to. */
struct probe {
    struct wheel_timer timer;
    unsigned fired;
    uint64_t fired_ns;
    struct probe *clear;
    struct probe *set;
    uint64_t set_ns;
};

static struct wheel wheel;
static uint64_t now;
static struct probe a, b, c;

static void on_fire(struct wheel_timer *t)
{
    struct probe *p = CONTAINER_OF(t, struct probe, timer);

    p->fired++;
    p->fired_ns = now;
    if (p->clear)
        wheel_clear(&wheel, &p->clear->timer);
    if (p->set)
        wheel_set(&wheel, &p->set->timer, p->set_ns);
}

static int begin(void **state)
{
    (void)state;
    now = start_ns;
    wheel_init(&wheel, now);
    a = b = c = (struct probe){0};
    wheel_timer_init(&a.timer, on_fire);
    wheel_timer_init(&b.timer, on_fire);
    wheel_timer_init(&c.timer, on_fire);
    return 0;
}

static void advance_to(uint64_t ns)
{
    now = ns;
    wheel_advance(&wheel, now);
}

static void set(struct probe *p, uint64_t in_ns)
{
    wheel_set(&wheel, &p->timer, start_ns + in_ns);
}

/* In steps of 1 ms: not before its deadline, and within a tick (and a step) after it. */
static void fires_in_time(void **state)
{
    static const uint64_t delays[] = {0,
                                      1,
                                      MS(1),
                                      MS(9),
                                      MS(10),
                                      MS(11),
                                      MS(999),
                                      MS(TURN_MS - 11),
                                      MS(TURN_MS - 1),
                                      MS(TURN_MS),
                                      MS(TURN_MS + 1),
                                      MS(3 * TURN_MS + 5),
                                      MS(60000)};

    for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
        begin(state);
        set(&a, delays[i]);
        for (uint64_t ms = 0; ms <= 60020 && !a.fired; ms++)
            advance_to(start_ns + MS(ms));
        assert_int_equal(a.fired, 1);
        if (a.fired_ns < start_ns + delays[i])
            fail_msg("delay %llu ns: early", (unsigned long long)delays[i]);
        if (a.fired_ns > start_ns + delays[i] + MS(WHEEL_TICK_MS + 1))
            fail_msg("delay %llu ns: late by %llu", (unsigned long long)delays[i],
                     (unsigned long long)(a.fired_ns - start_ns - delays[i]));
        assert_int_equal(wheel.count, 0);
    }
}

static void moved_later_while_linked(void **state)
{
    (void)state;
    set(&a, MS(50));
    set(&a, MS(500));
    assert_int_equal(wheel.count, 1);
    advance_to(start_ns + MS(499));
    assert_int_equal(a.fired, 0);
    advance_to(start_ns + MS(511));
    assert_int_equal(a.fired, 1);
    advance_to(start_ns + MS(3 * TURN_MS));
    assert_int_equal(a.fired, 1);
}

static void moved_later_again_and_again(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 20000; ms += 5) {
        advance_to(start_ns + MS(ms));
        set(&a, MS(ms + 100));
    }
    assert_int_equal(a.fired, 0);
    advance_to(start_ns + MS(19995 + 111));
    assert_int_equal(a.fired, 1);
}

static void moved_earlier(void **state)
{
    (void)state;
    set(&a, MS(10000)); /* beyond one turn: linked short of it */
    set(&a, MS(30));
    advance_to(start_ns + MS(29));
    assert_int_equal(a.fired, 0);
    advance_to(start_ns + MS(41));
    assert_int_equal(a.fired, 1);
    assert_int_equal(wheel.count, 0);
}

static void cleared(void **state)
{
    (void)state;
    wheel_clear(&wheel, &a.timer); /* never set */
    set(&a, MS(50));
    wheel_clear(&wheel, &a.timer);
    wheel_clear(&wheel, &a.timer);
    assert_int_equal(wheel.count, 0);
    set(&b, MS(50));
    advance_to(start_ns + MS(100));
    assert_int_equal(a.fired, 0);
    assert_int_equal(b.fired, 1);
}

/* All three are due in the same slot, in the order in which they were set. */
static void callback_clears_others_of_its_slot(void **state)
{
    (void)state;
    set(&a, MS(50));
    set(&b, MS(50));
    set(&c, MS(50));
    a.clear = &b;
    advance_to(start_ns + MS(100));
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    assert_int_equal(c.fired, 1);
    assert_int_equal(wheel.count, 0);
}

static void callback_clears_itself(void **state)
{
    (void)state;
    set(&a, MS(50));
    a.clear = &a;
    advance_to(start_ns + MS(100));
    assert_int_equal(a.fired, 1);
    assert_int_equal(wheel.count, 0);
}

static void callback_moves_another_of_its_slot(void **state)
{
    (void)state;
    set(&a, MS(50));
    set(&b, MS(50));
    a.set = &b;
    a.set_ns = start_ns + MS(300);
    advance_to(start_ns + MS(100));
    assert_int_equal(b.fired, 0);
    advance_to(start_ns + MS(311));
    assert_int_equal(b.fired, 1);
}

/* A deadline that has passed already fires with the next tick, not in an endless loop. */
static void callback_sets_itself_again(void **state)
{
    (void)state;
    set(&a, MS(50));
    a.set = &a;
    a.set_ns = 1;
    advance_to(start_ns + MS(60));
    assert_int_equal(a.fired, 1);
    assert_int_equal(wheel.count, 1);
    advance_to(start_ns + MS(70));
    assert_int_equal(a.fired, 2);
}

/* One slot further round: must wait for its own time, though its slot has just been run. */
static void callback_sets_a_whole_turn_ahead(void **state)
{
    (void)state;
    set(&a, MS(50));
    a.set = &b;
    a.set_ns = start_ns + MS(50 + TURN_MS);
    advance_to(start_ns + MS(60));
    assert_int_equal(a.fired, 1);
    advance_to(start_ns + MS(49 + TURN_MS));
    assert_int_equal(b.fired, 0);
    advance_to(start_ns + MS(61 + TURN_MS));
    assert_int_equal(b.fired, 1);
}

static void long_stall(void **state)
{
    static const uint64_t stalls_ms[] = {TURN_MS - 10, TURN_MS, TURN_MS + 10, 86400000ull,
                                         864000000ull};

    for (size_t i = 0; i < ARRAY_LEN(stalls_ms); i++) {
        begin(state);
        set(&a, MS(20));
        set(&b, MS(TURN_MS - 30));
        set(&c, MS(stalls_ms[i] + 500));
        advance_to(start_ns + MS(stalls_ms[i]));
        assert_int_equal(a.fired, 1);
        assert_int_equal(b.fired, 1);
        assert_int_equal(c.fired, 0);
        advance_to(start_ns + MS(stalls_ms[i] + 511));
        assert_int_equal(c.fired, 1);
    }
}

static void idle_wheel_catches_up(void **state)
{
    (void)state;
    advance_to(start_ns + MS(86400000));
    set(&a, MS(86400000 + 30));
    assert_in_range(wheel_next_ms(&wheel, now), 1, 41);
    advance_to(start_ns + MS(86400000 + 29));
    assert_int_equal(a.fired, 0);
    advance_to(start_ns + MS(86400000 + 41));
    assert_int_equal(a.fired, 1);
}

/* A timer is set when the wheel has been empty, and not advanced, for long. */
static void set_on_a_wheel_that_slept(void **state)
{
    (void)state;
    now = start_ns + MS(10 * TURN_MS);
    set(&a, MS(10 * TURN_MS + 200));
    for (uint64_t ms = 0; ms < 200; ms++)
        advance_to(start_ns + MS(10 * TURN_MS + ms));
    assert_int_equal(a.fired, 0);
    advance_to(start_ns + MS(10 * TURN_MS + 211));
    assert_int_equal(a.fired, 1);
}

static void time_that_stands_or_goes_back(void **state)
{
    (void)state;
    set(&a, MS(50));
    advance_to(start_ns);
    advance_to(start_ns - MS(500));
    assert_int_equal(a.fired, 0);
    advance_to(start_ns + MS(61));
    assert_int_equal(a.fired, 1);
}

static void next_of_an_empty_wheel(void **state)
{
    (void)state;
    assert_int_equal(wheel_next_ms(&wheel, now), UINT32_MAX);
    set(&a, MS(50));
    wheel_clear(&wheel, &a.timer);
    assert_int_equal(wheel_next_ms(&wheel, now), UINT32_MAX);
}

static void next_of_an_overdue_timer(void **state)
{
    (void)state;
    set(&a, MS(50));
    assert_int_equal(wheel_next_ms(&wheel, start_ns + MS(500)), 0);
}

/* 40 timers, set, moved and cleared at random; the loop sleeps as long as the wheel says, and every
 * timer must still fire in its time: never early, and not later than a tick and the millisecond
 * that the sleep is rounded up by. */
static void sleeping_as_told_misses_nothing(void **state)
{
    enum { N = 40 };
    struct probe p[N];
    uint64_t deadline[N] = {0};
    struct rng r = {99};

    (void)state;
    for (int i = 0; i < N; i++) {
        p[i] = (struct probe){0};
        wheel_timer_init(&p[i].timer, on_fire);
    }
    for (int step = 0; step < 20000; step++) {
        uint32_t i = rng_below(&r, N), wait_ms;

        if (rng_below(&r, 8) == 0) {
            wheel_clear(&wheel, &p[i].timer);
            deadline[i] = 0;
        } else {
            deadline[i] = now + MS(rng_below(&r, 3)) * rng_below(&r, 6000) + rng_below(&r, 999);
            wheel_set(&wheel, &p[i].timer, deadline[i]);
        }
        wait_ms = wheel_next_ms(&wheel, now);
        if (wait_ms > 20 && wait_ms != UINT32_MAX && rng_below(&r, 4) > 0)
            wait_ms = rng_below(&r, 20); /* another event wakes the loop */
        advance_to(now + MS(wait_ms == UINT32_MAX ? 100 : wait_ms));
        for (int k = 0; k < N; k++) {
            bool late = deadline[k] && !p[k].fired && now > deadline[k] + MS(WHEEL_TICK_MS + 1);

            if (p[k].fired && (deadline[k] == 0 || p[k].fired_ns < deadline[k]))
                fail_msg("step %d: timer %d fired early or unset", step, k);
            if (late)
                fail_msg("step %d: timer %d is late", step, k);
            if (p[k].fired)
                deadline[k] = 0;
            p[k].fired = 0;
        }
    }
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, begin)
    const struct CMUnitTest tests[] = {
        T(fires_in_time),
        T(moved_later_while_linked),
        T(moved_later_again_and_again),
        T(moved_earlier),
        T(cleared),
        T(callback_clears_others_of_its_slot),
        T(callback_clears_itself),
        T(callback_moves_another_of_its_slot),
        T(callback_sets_itself_again),
        T(callback_sets_a_whole_turn_ahead),
        T(long_stall),
        T(idle_wheel_catches_up),
        T(set_on_a_wheel_that_slept),
        T(time_that_stands_or_goes_back),
        T(next_of_an_empty_wheel),
        T(next_of_an_overdue_timer),
        T(sleeping_as_told_misses_nothing),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
