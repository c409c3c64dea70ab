/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* RFC 4648 section 10, and other spellings of the same. */
static void test_rows(void **state)
{
    static const struct {
        const char *text, *bytes; /* NULL = refused */
    } rows[] = {
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {"++//", "\xfb\xef\xff"},
        {"", NULL},
        {"Zg=", NULL},
        {"Zg", NULL},
        {"Zh==", NULL},
        {"Zm9=", NULL},
        {"A===", NULL},
        {"====", NULL},
        {"Zg==Zg==", NULL},
        {"Zm9v\n", NULL},
        {"Zm 9v===", NULL},
        {"Zm9_", NULL},
        {"=Zg=", NULL},
    };
    char out[64], again[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = 0;
        bool taken = base64_decode(str_of(rows[i].text), out, &n);

        if (taken != (rows[i].bytes != NULL) ||
            (taken && !str_eq((struct str){out, n}, str_of(rows[i].bytes))))
            fail_msg("\"%s\": %s", rows[i].text, taken ? "taken" : "refused");
        if (!taken)
            continue;
        base64_encode(str_of(rows[i].bytes), again);
        assert_string_equal(again, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
