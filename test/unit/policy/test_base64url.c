/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "token_maker.h"

static void decodes_or_refuses(void **state)
{
    static const struct {
        const char *text, *bytes; /* bytes NULL = refused */
    } rows[] = {
        {"", ""},           {"Zg", "f"},          {"Zm8", "fo"},          {"Zm9v", "foo"},
        {"Zm9vYg", "foob"}, {"Zm9vYmE", "fooba"}, {"Zm9vYmFy", "foobar"}, {"_-8", "\xff\xef"},
        {"Z", NULL},        {"Zm9vY", NULL},      {"Zg==", NULL},         {"Zm8=", NULL},
        {"Zh", NULL},       {"Zm9", NULL},        {"Zm+v", NULL},         {"Zm/v", NULL},
        {"Zm 9", NULL},     {"Zm9v\n", NULL},     {" Zm9v", NULL},        {"Zm9v\x80\x80", NULL},
        {"=", NULL},        {"Zm9.", NULL},
    };
    unsigned char out[64];
    size_t n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool good = base64url_decode(str_of(rows[i].text), out, &n);

        if (good != (rows[i].bytes != NULL))
            print_error("%s\n", rows[i].text);
        assert_int_equal(good, rows[i].bytes != NULL);
        if (!good)
            continue;
        assert_int_equal(n, strlen(rows[i].bytes));
        assert_memory_equal(out, rows[i].bytes, n);
    }
}

/* Every text of up to three letters, and every letter: what is decoded is written in one way only.
 */
static void every_text_has_one_spelling(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 1u << 24; v += 1 + v % 7) {
        char text[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), 'A'};

        for (size_t n = 2; n <= 4; n++) {
            unsigned char out[BASE64URL_BYTES(4)];
            size_t len;
            char *again;

            if (!base64url_decode((struct str){text, n}, out, &len))
                continue;
            again = base64url(out, len);
            assert_int_equal(strlen(again), n);
            assert_memory_equal(again, text, n);
            free(again);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_or_refuses),
        cmocka_unit_test(every_text_has_one_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
