/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "circuit/retry_budget.h"
#include "threads.h"

#define NOW (1000 * NS_PER_S)

static unsigned take_all(struct retry_budget *b, uint64_t now_ns)
{
    unsigned n = 0;

    while (n < 10000 && retry_budget_take(b, now_ns))
        n++;
    return n;
}

static void allows_a_share_of_the_requests(void **state)
{
    static const struct {
        const char *name;
        uint32_t percent, min_per_s;
        unsigned requests, allowed;
    } rows[] = {
        {"nothing without requests", 20, 0, 0, 0},
        {"less than one deposit", 20, 0, 4, 0},
        {"one for five", 20, 0, 5, 1},
        {"twenty for a hundred", 20, 0, 100, 20},
        {"all", 100, 0, 7, 7},
        {"minimum alone", 0, 3, 500, 30},
        {"minimum and share", 10, 1, 100, 20},
        {"off", 0, 0, 100, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct retry_budget b;
        retry_budget_init(&b, rows[i].percent, rows[i].min_per_s);
        for (unsigned r = 0; r < rows[i].requests; r++)
            retry_budget_request(&b, NOW);
        unsigned taken = take_all(&b, NOW);
        if (taken != rows[i].allowed)
            fail_msg("%s: %u instead of %u", rows[i].name, taken, rows[i].allowed);
        assert_int_equal(b.taken, taken);
        assert_int_equal(b.refused, 1);
    }
}

static void deposits_and_withdrawals_expire(void **state)
{
    struct retry_budget b;

    (void)state;
    retry_budget_init(&b, 0, 1);
    assert_int_equal(take_all(&b, NOW), 10);
    assert_int_equal(take_all(&b, NOW + 9 * NS_PER_S), 0);
    assert_int_equal(take_all(&b, NOW + 10 * NS_PER_S), 10);

    retry_budget_init(&b, 50, 0);
    for (unsigned i = 0; i < 10; i++)
        retry_budget_request(&b, NOW);
    assert_int_equal(take_all(&b, NOW + 10 * NS_PER_S), 0);
}

static void new_options_hold_at_once(void **state)
{
    struct retry_budget b;

    (void)state;
    retry_budget_init(&b, 20, 0);
    for (unsigned i = 0; i < 10; i++)
        retry_budget_request(&b, NOW);
    assert_int_equal(take_all(&b, NOW), 2);
    retry_budget_configure(&b, 50, 0);
    assert_int_equal(take_all(&b, NOW), 3);
}

static void *take_some(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        retry_budget_request(arg, NOW);
        (void)!retry_budget_take(arg, NOW);
    }
    return NULL;
}

static void overshoots_by_a_retry_for_each_thread_at_most(void **state)
{
    struct retry_budget b;

    (void)state;
    retry_budget_init(&b, 20, 0);
    in_threads(take_some, &b);
    assert_in_range(b.taken, 1, THREADS * 1000 / 5 + THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allows_a_share_of_the_requests),
        cmocka_unit_test(deposits_and_withdrawals_expire),
        cmocka_unit_test(new_options_hold_at_once),
        cmocka_unit_test(overshoots_by_a_retry_for_each_thread_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
