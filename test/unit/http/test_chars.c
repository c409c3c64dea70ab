/* SPDX-License-Identifier: Apache-2.0 */
#include "http/chars.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool alnum(int c)
{
    return c < 0x80 && isalnum(c);
}

static bool among(const char *set, int c)
{
    return c != 0 && strchr(set, c) != NULL;
}

static void test_classes(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool printable = c > 0x20 && c < 0x7f;

        assert_int_equal(char_is((char)c, CHAR_TOKEN), alnum(c) || among("!#$%&'*+-.^_`|~", c));
        assert_int_equal(char_is((char)c, CHAR_VALUE),
                         printable || c == ' ' || c == '\t' || c >= 0x80);
        assert_int_equal(char_is((char)c, CHAR_TARGET), printable && c != '#');
        assert_int_equal(char_is((char)c, CHAR_UNRESERVED), alnum(c) || among("-._~", c));
    }
}

static void test_hex(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char *digits = "0123456789abcdef";
        const char *at = c != 0 ? strchr(digits, tolower(c)) : NULL;

        assert_int_equal(char_hex((char)c), at ? (int)(at - digits) : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
