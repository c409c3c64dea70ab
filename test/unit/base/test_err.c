/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void set_replaces(void **state)
{
    struct err e = {"old"};

    (void)state;
    assert_int_equal(err_set(&e, "line %d", 12), -1);
    assert_string_equal(e.text, "line 12");
}

static void prefix_goes_before(void **state)
{
    struct err e;

    (void)state;
    err_set(&e, "unknown key");
    assert_int_equal(err_prefix(&e, "%s", "routes"), -1);
    assert_int_equal(err_prefix(&e, "a.yaml:%d", 3), -1);
    assert_string_equal(e.text, "a.yaml:3: routes: unknown key");
}

static void long_texts_are_cut(void **state)
{
    struct err e;
    char text[3000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&e, "%s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    err_prefix(&e, "key");
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_int_equal(strncmp(e.text, "key: xxx", 8), 0);
    err_prefix(&e, "%s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_replaces),
        cmocka_unit_test(prefix_goes_before),
        cmocka_unit_test(long_texts_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
