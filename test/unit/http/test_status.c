/* SPDX-License-Identifier: Apache-2.0 */
#include "http/status.h"

#include "base/macros.h"
#include "base/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void known_codes_have_their_phrase(void **state)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } cases[] = {
        {200, "OK"},
        {401, "Unauthorized"},
        {429, "Too Many Requests"},
        {503, "Service Unavailable"},
        {299, "Error"},
        {0, "Error"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(http_status_phrase(cases[i].status), cases[i].phrase);
}

/* The gateway must be able to name every status that the table of reasons answers with. */
static void every_reason_has_a_phrase(void **state)
{
    (void)state;
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++) {
        const struct reason_info *info = reason_info((enum reason)r);

        if (info->status != 0 && strcmp(http_status_phrase((unsigned)info->status), "Error") == 0)
            fail_msg("%s answers %d, which has no phrase", info->word, info->status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_codes_have_their_phrase),
        cmocka_unit_test(every_reason_has_a_phrase),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
