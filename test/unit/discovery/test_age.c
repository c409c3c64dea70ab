/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/age.h"

static void ages_in_words(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {-5000, "0 s"},        {0, "0 s"},
        {1999, "1 s"},         {119999, "119 s"},
        {120000, "2 min"},     {7199999, "119 min"},
        {7200000, "2 h"},      {2 * 86400000 - 1, "47 h"},
        {172800000, "2 days"}, {86400000LL * 400, "400 days"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char buf[32];

        assert_string_equal(age_text(rows[i].ms, buf, sizeof buf), rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ages_in_words)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
