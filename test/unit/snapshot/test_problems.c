/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/problems.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_told_once(void **state)
{
    struct problems *p = problems_new();
    const struct route_problem *list;

    (void)state;
    log_set_level(LOG_ERROR);
    problems_begin(p);
    assert_true(problems_add(p, TAG_LEFT_OUT, "web", "t", "why"));
    assert_true(problems_add(p, TAG_NOT_OBEYED, "web", "t", "other"));
    assert_false(problems_add(p, TAG_DIFFERS, "web", "t", "none"));
    problems_end(p);
    assert_int_equal(problems_found(p, &list), 2);
    assert_string_equal(list[1].why, "other");
    problems_begin(p);
    assert_false(problems_add(p, TAG_LEFT_OUT, "web", "t", "why"));
    assert_true(problems_add(p, TAG_LEFT_OUT, "api", "t", "why"));
    problems_end(p);
    assert_int_equal(problems_found(p, &list), 2);
    /* Gone and back is new. */
    problems_begin(p);
    problems_end(p);
    assert_int_equal(problems_found(p, &list), 0);
    problems_begin(p);
    assert_true(problems_add(p, TAG_LEFT_OUT, "web", "t", "why"));
    problems_end(p);
    problems_free(p);
}

static void test_bound(void **state)
{
    struct problems *p = problems_new();
    const struct route_problem *list;
    char text[16];

    (void)state;
    log_set_level(LOG_ERROR);
    problems_begin(p);
    for (unsigned i = 0; i < 10001; i++) {
        snprintf(text, sizeof text, "%u", i);
        assert_int_equal(problems_add(p, TAG_LEFT_OUT, "web", text, "why"), i < 10000);
    }
    problems_end(p);
    assert_int_equal(problems_found(p, &list), 10000);
    problems_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_told_once),
                                       cmocka_unit_test(test_bound)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
