/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void formatting(void **state)
{
    static const struct {
        int64_t ms;
        const char *wanted;
    } rows[] = {
        {-62135596800000, "0001-01-01T00:00:00.000Z"}, /* what Go calls no time */
        {-1, "1969-12-31T23:59:59.999Z"},
        {0, "1970-01-01T00:00:00.000Z"},
        {7, "1970-01-01T00:00:00.007Z"},
        {951782400000 - 1, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1764025266123, "2025-11-24T23:01:06.123Z"},
        {4102444799999, "2099-12-31T23:59:59.999Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char buf[26] = "";

        buf[25] = '#';
        assert_ptr_equal(clock_format(rows[i].ms, buf), buf);
        assert_string_equal(buf, rows[i].wanted);
        assert_int_equal(buf[25], '#');
    }
}

static void clocks_go_forward(void **state)
{
    uint64_t before = clock_now_ns();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_now_ns();

        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_wall_ms() > 1700000000000); /* milliseconds, not seconds */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formatting),
        cmocka_unit_test(clocks_go_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
