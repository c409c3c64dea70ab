/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/guard.h"

static const uint64_t t0 = 1000 * NS_PER_S;
static const struct guard_options usual = {2000, 50, 20};
static struct guard_all all;

static void one_answer(void **state)
{
    static const struct {
        const char *name;
        struct guard_loss loss; /* usable before, absent, listed */
        bool doubt;
    } rows[] = {
        {"nothing is lost", {10, 0, 10}, false},
        {"one of ten", {10, 1, 9}, false},
        {"half of ten", {10, 5, 5}, false},
        {"more than half of ten", {10, 6, 4}, true},
        {"all of ten", {10, 10, 0}, true},
        {"three of four are few", {4, 3, 1}, false},
        {"four of five are not", {5, 4, 1}, true},
        {"the only one", {1, 1, 0}, true},
        {"both of two", {2, 2, 0}, true},
        {"one of two", {2, 1, 1}, false},
        {"all of ten, ten others are new", {10, 10, 10}, false},
        {"all of ten, four others are new", {10, 10, 4}, true},
        {"one is absent, nine are listed as critical", {10, 1, 0}, false},
        {"six are absent, four critical", {10, 6, 0}, true},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct guard g;

        guard_all_init(&all);
        all.known = 1000;
        guard_init(&g, &all);
        guard_note(&g, rows[i].loss.usable, t0);
        if (guard_doubts(&g, &usual, &rows[i].loss, t0 + NS_PER_S) != rows[i].doubt)
            fail_msg("%s", rows[i].name);
        guard_release(&g);
    }
}

/* Takes one of ten away every `step_ms`; at which is it doubted for the first time? */
static unsigned first_doubt(uint64_t step_ms)
{
    struct guard g;
    unsigned left = 10;

    guard_all_init(&all);
    all.known = 1000;
    guard_init(&g, &all);
    guard_note(&g, left, t0);
    for (uint64_t now = t0; left > 0; left--) {
        struct guard_loss loss = {left, 1, left - 1};

        now += step_ms * NS_PER_MS;
        if (guard_doubts(&g, &usual, &loss, now))
            break;
        guard_note(&g, left - 1, now);
    }
    guard_release(&g);
    return 11 - left;
}

static void steps_add_up_within_a_window(void **state)
{
    (void)state;
    assert_int_equal(first_doubt(1), 6);
    assert_int_equal(first_doubt(1000), 6);
    /* Slow enough, only the last one is. */
    assert_int_equal(first_doubt(25000), 10);
}

/* Half of sixteen are critical, then most of the others are missing: much of what is left. */
static void critical_ones_are_no_part_of_the_share(void **state)
{
    struct guard g;
    const struct guard_loss loss = {8, 6, 2};

    (void)state;
    guard_all_init(&all);
    all.known = 1000;
    guard_init(&g, &all);
    guard_note(&g, 16, t0);
    guard_note(&g, 8, t0 + NS_PER_S);
    assert_true(guard_doubts(&g, &usual, &loss, t0 + 2 * NS_PER_S));
    guard_release(&g);
}

static void confirmed_loss_is_forgotten(void **state)
{
    const struct guard_loss nine = {20, 9, 11}, six = {11, 6, 5}, two = {5, 2, 3};
    struct guard g;

    (void)state;
    for (unsigned confirmed = 0; confirmed < 2; confirmed++) {
        guard_all_init(&all);
        all.known = 1000;
        guard_init(&g, &all);
        guard_note(&g, 20, t0);
        guard_note(&g, 20, t0 + 11 * NS_PER_S);
        assert_false(guard_doubts(&g, &usual, &nine, t0 + 12 * NS_PER_S));
        assert_true(guard_doubts(&g, &usual, &six, t0 + 13 * NS_PER_S));
        if (confirmed)
            guard_confirmed(&g, 5, t0 + 15 * NS_PER_S);
        assert_int_equal(guard_doubts(&g, &usual, &two, t0 + 16 * NS_PER_S), !confirmed);
        guard_release(&g);
    }
}

static void off_is_off(void **state)
{
    static const struct guard_options off = {0, 50, 20};
    const struct guard_loss everything = {10, 10, 0};
    struct guard g;

    (void)state;
    guard_all_init(&all);
    guard_init(&g, &all);
    guard_note(&g, 10, t0);
    assert_false(guard_doubts(&g, &off, &everything, t0));
    guard_release(&g);
}

enum { SERVICES = 100 };

/* One of three instances of n services is lost, `step_ms` apart; how many were believed? */
static unsigned believed(unsigned n, uint64_t step_ms)
{
    static struct guard g[SERVICES];
    const struct guard_loss loss = {3, 1, 2};
    unsigned found = 0;

    guard_all_init(&all);
    for (unsigned i = 0; i < SERVICES; i++) {
        guard_init(&g[i], &all);
        guard_note(&g[i], 3, t0);
    }
    assert_int_equal(all.known, SERVICES);
    for (unsigned i = 0; i < n; i++)
        found += !guard_doubts(&g[i], &usual, &loss, t0 + i * step_ms * NS_PER_MS);
    for (unsigned i = 0; i < SERVICES; i++)
        guard_release(&g[i]);
    assert_int_equal(all.known, 0);
    assert_int_equal(all.nlosing, 0);
    return found;
}

static void a_share_of_all_services(void **state)
{
    (void)state;
    assert_int_equal(believed(20, 0), 20);
    assert_int_equal(believed(80, 0), 20);
    assert_int_equal(believed(80, 100), 20);
    assert_int_equal(believed(80, 1000), 80); /* a rolling deployment of everything */
}

static void few_services_are_everyday_life(void **state)
{
    static struct guard g[4];
    const struct guard_loss loss = {3, 1, 2};

    (void)state;
    guard_all_init(&all);
    for (unsigned i = 0; i < 4; i++) {
        guard_init(&g[i], &all);
        guard_note(&g[i], 3, t0);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(guard_doubts(&g[i], &usual, &loss, t0), i == 3);
    for (unsigned i = 0; i < 4; i++)
        guard_release(&g[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_answer),
        cmocka_unit_test(steps_add_up_within_a_window),
        cmocka_unit_test(critical_ones_are_no_part_of_the_share),
        cmocka_unit_test(confirmed_loss_is_forgotten),
        cmocka_unit_test(off_is_off),
        cmocka_unit_test(a_share_of_all_services),
        cmocka_unit_test(few_services_are_everyday_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
