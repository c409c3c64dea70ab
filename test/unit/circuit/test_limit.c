/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "circuit/limit.h"
#include "threads.h"

static void admits_up_to_the_limit(void **state)
{
    struct limit l;

    (void)state;
    limit_init(&l, 2, 0);
    assert_true(limit_acquire(&l));
    assert_true(limit_acquire(&l));
    assert_false(limit_acquire(&l));
    assert_int_equal(l.active, 2);
    assert_int_equal(l.rejected, 0); /* the caller may queue yet */
    limit_release(&l);
    assert_true(limit_acquire(&l));
}

static void zero_is_no_limit_but_counts(void **state)
{
    struct limit l;

    (void)state;
    limit_init(&l, 0, 0);
    for (int i = 0; i < 1000; i++)
        assert_true(limit_acquire(&l));
    assert_int_equal(l.active, 1000);
    limit_configure(&l, 1000, 0);
    assert_false(limit_acquire(&l));
}

static void queue_has_its_own_limit(void **state)
{
    struct limit l;

    (void)state;
    limit_init(&l, 1, 1);
    assert_true(limit_acquire(&l));
    assert_true(limit_enter_queue(&l));
    assert_false(limit_enter_queue(&l));
    assert_int_equal(l.rejected, 1);
    limit_leave_queue(&l);
    assert_true(limit_enter_queue(&l));
}

static void no_queue_rejects_all(void **state)
{
    struct limit l;

    (void)state;
    limit_init(&l, 1, 0);
    assert_false(limit_enter_queue(&l));
    assert_int_equal(l.rejected, 1);
}

static void lowered_limit_waits_for_those_inside(void **state)
{
    struct limit l;

    (void)state;
    limit_init(&l, 3, 0);
    for (int i = 0; i < 3; i++)
        assert_true(limit_acquire(&l));
    limit_configure(&l, 1, 0);
    limit_release(&l);
    limit_release(&l);
    assert_false(limit_acquire(&l));
    limit_release(&l);
    assert_true(limit_acquire(&l));
}

static _Atomic uint32_t inside;

static void *acquire_and_release(void *arg)
{
    struct limit *l = arg;

    for (int i = 0; i < 50000; i++) {
        if (limit_acquire(l)) {
            assert_true(atomic_fetch_add(&inside, 1) < 2);
            atomic_fetch_sub(&inside, 1);
            limit_release(l);
        }
        if (limit_enter_queue(l))
            limit_leave_queue(l);
    }
    return NULL;
}

static void holds_between_threads(void **state)
{
    struct limit l;

    (void)state;
    limit_init(&l, 2, 1);
    in_threads(acquire_and_release, &l);
    assert_int_equal(l.active, 0);
    assert_int_equal(l.waiting, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admits_up_to_the_limit),
        cmocka_unit_test(zero_is_no_limit_but_counts),
        cmocka_unit_test(queue_has_its_own_limit),
        cmocka_unit_test(no_queue_rejects_all),
        cmocka_unit_test(lowered_limit_waits_for_those_inside),
        cmocka_unit_test(holds_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
