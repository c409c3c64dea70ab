/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/json_out.h"
#include "base/macros.h"

static void numbers(void **state)
{
    static const struct {
        int64_t tenths;
        const char *text;
    } rows[] = {{0, "0"},    {1, "0.1"},    {9, "0.9"},   {10, "1"},
                {15, "1.5"}, {1000, "100"}, {-1, "null"}, {INT64_MAX, "922337203685477580.7"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json_out o = {0};

        json_out_tenths(&o, rows[i].tenths);
        assert_int_equal(o.n, strlen(rows[i].text));
        assert_memory_equal(o.p, rows[i].text, o.n);
        json_out_release(&o);
    }
}

static void grows_as_needed(void **state)
{
    struct json_out o = {0};

    (void)state;
    for (int i = 0; i < 10000; i++) {
        json_out_raw(&o, "ab,");
        json_out_number(&o, UINT64_MAX);
    }
    assert_int_equal(o.n, 10000 * 23);
    assert_memory_equal(o.p + o.n - 23, "ab,18446744073709551615", 23);
    json_out_release(&o);
    assert_null(o.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers),
                                       cmocka_unit_test(grows_as_needed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
