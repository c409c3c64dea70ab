/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "json/text.h"

#include <stdlib.h>

static void any_bytes_are_a_string(void **state)
{
    static const struct {
        const char *bytes, *quoted;
    } rows[] = {
        {"", "\"\""},
        {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
        {"caf\xc3", "\"caf?\""},
        {"\xff\xfe \xc3\xa9", "\"?? ??\""},
        {"a\nb\x01\"\\", "\"a\\nb\\u0001\\\"\\\\\""},
        {NULL, "null"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *quoted = json_quoted(rows[i].bytes);

        assert_string_equal(quoted, rows[i].quoted);
        free(quoted);
    }
}

static void times(void **state)
{
    json_t *time = json_wall_time(1790000000123), *none = json_wall_time(0);

    (void)state;
    assert_string_equal(json_string_value(time), "2026-09-21T14:13:20.123Z");
    assert_true(json_is_null(none));
    json_decref(time);
    json_decref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_are_a_string),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
