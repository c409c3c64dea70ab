/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/span.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_text(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {-5, "0ms"},       {0, "0ms"},         {350, "350ms"},
        {1000, "1s"},      {4900, "4s"},       {60000, "1m"},
        {598000, "9m58s"}, {3600000, "1h"},    {7500000, "2h5m"},
        {3605000, "1h"},   {90061000, "1d1h"}, {273600000, "3d4h"},
        {86400000, "1d"},  {86460000, "1d"},   {INT64_MAX, "106751991167d7h"},
    };
    char buf[SPAN_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(span_text(buf, rows[i].ms), rows[i].text);
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"10m", 600000},
        {"500ms", 500},
        {"2h", 7200000},
        {"7d", 604800000},
        {"1s", 1000},
        {"", 0},
        {"10", 0},
        {"m", 0},
        {"0s", 0},
        {"-1s", 0},
        {"1.5s", 0},
        {"1 s", 0},
        {"1sx", 0},
        {"1M", 0},
        {"99999999999999999999s", 0},
        {"18446744073709551615d", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(span_parse(rows[i].text), rows[i].ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
