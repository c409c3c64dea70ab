/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_crosscheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *name, *fields;
    enum framing framing;
    uint64_t length;
    bool agrees;
} rows[] = {
    {"no field", "\r\n", FRAMING_NONE, 0, true},
    {"no body", "Host: a\r\n\r\n", FRAMING_NONE, 0, true},
    {"length", "Content-Length: 5\r\n\r\n", FRAMING_LENGTH, 5, true},
    {"chunked", "Transfer-Encoding: chunked\r\n\r\n", FRAMING_CHUNKED, 0, true},
    {"another length", "Content-Length: 5\r\n\r\n", FRAMING_LENGTH, 6, false},
    {"length, claimed to be none", "Content-Length: 5\r\n\r\n", FRAMING_NONE, 0, false},
    {"chunked, claimed to be none", "Transfer-Encoding: chunked\r\n\r\n", FRAMING_NONE, 0, false},
    {"nothing, claimed to be chunked", "Host: a\r\n\r\n", FRAMING_CHUNKED, 0, false},
    {"ends earlier", "Host: a\r\n\r\nHost: b\r\n\r\n", FRAMING_NONE, 0, false},
    {"does not end", "Host: a\r\n", FRAMING_NONE, 0, false},
    {"no field line", "Host a\r\n\r\n", FRAMING_NONE, 0, false},
    {"upgrade", "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", FRAMING_NONE, 0, true},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *p = rows[i].fields, *end = p + strlen(p);

        if (crosscheck_request(p, end, rows[i].framing, rows[i].length) != rows[i].agrees)
            fail_msg("%s: request", rows[i].name);
        if (crosscheck_response(p, end, rows[i].framing, rows[i].length) != rows[i].agrees)
            fail_msg("%s: response", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
