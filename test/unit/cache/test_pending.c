/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/pending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void the_first_fetches_and_the_others_wait(void **state)
{
    struct pending *p = pending_new();

    (void)state;
    assert_int_equal(pending_claim(p, 7, true), PENDING_FIRST);
    assert_int_equal(pending_claim(p, 7, true), PENDING_TAKEN);
    assert_int_equal(pending_claim(p, 8, true), PENDING_FIRST);
    assert_true(pending_has(p, 7));
    assert_true(pending_release(p, 7));
    assert_false(pending_has(p, 7));
    pending_leave(p);
    assert_false(pending_release(p, 8));
    assert_int_equal(pending_claim(p, 7, true), PENDING_FIRST);
    pending_free(p);
}

static void who_does_not_wait_is_not_counted(void **state)
{
    struct pending *p = pending_new();

    (void)state;
    assert_int_equal(pending_claim(p, 1, false), PENDING_FIRST);
    assert_int_equal(pending_claim(p, 1, false), PENDING_TAKEN);
    assert_false(pending_release(p, 1));
    pending_free(p);
}

static void zero_is_a_hash_like_any_other(void **state)
{
    struct pending *p = pending_new();

    (void)state;
    assert_false(pending_has(p, 0));
    assert_int_equal(pending_claim(p, 0, false), PENDING_FIRST);
    assert_true(pending_has(p, 0));
    pending_release(p, 0);
    assert_false(pending_has(p, 0));
    pending_free(p);
}

static void it_is_bounded(void **state)
{
    struct pending *p = pending_new();
    unsigned first = 0, full = 0;

    (void)state;
    for (unsigned long i = 0; i < 100; i++) {
        enum pending_claim c = pending_claim(p, 5 + i * 1024, false);

        first += c == PENDING_FIRST;
        full += c == PENDING_FULL;
    }
    assert_int_equal(first, 4);
    assert_int_equal(full, 96);
    pending_release(p, 5);
    assert_int_equal(pending_claim(p, 5 + 99 * 1024, false), PENDING_FIRST);
    pending_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_fetches_and_the_others_wait),
        cmocka_unit_test(who_does_not_wait_is_not_counted),
        cmocka_unit_test(zero_is_a_hash_like_any_other),
        cmocka_unit_test(it_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
