/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coding/coding.h"

#include <stdlib.h>

static const char *why;

static void fill(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(i % 7 ? 'a' + i % 13 : i * 31 % 251);
}

static void every_coding_and_level_reads_back(void **state)
{
    static char text[100000];
    static const size_t pieces[] = {1, 1000, 16384, sizeof text};

    (void)state;
    fill(text, sizeof text);
    for (int c = CODING_GZIP; c < CODINGS; c++)
        for (int level = LEVEL_FAST; level <= LEVEL_BEST; level++)
            for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
                struct encoder *e = encoder_new((enum coding)c, (enum coding_level)level);
                struct bytes coded = {0}, back = {0};
                size_t n = k == 0 ? 500 : sizeof text;

                assert_non_null(e);
                for (size_t at = 0; at < n; at += pieces[k]) {
                    size_t piece = n - at < pieces[k] ? n - at : pieces[k];

                    assert_true(encoder_run(e, text + at, piece, ENCODER_MORE, &coded));
                }
                assert_true(encoder_run(e, NULL, 0, ENCODER_END, &coded));
                assert_true(coding_decode((enum coding)c, bytes_str(&coded), n, &back, &why));
                assert_true(str_eq(bytes_str(&back), (struct str){text, n}));
                bytes_free(&coded);
                bytes_free(&back);
                encoder_free(&e);
                assert_null(e);
            }
}

/* After a flush all that was given can be read, though the text has not ended. */
static void flushed(void **state)
{
    (void)state;
    for (int c = CODING_GZIP; c < CODINGS; c++) {
        struct encoder *e = encoder_new((enum coding)c, LEVEL_DEFAULT);
        struct bytes coded = {0}, back = {0};

        assert_true(encoder_run(e, "hello", 5, ENCODER_FLUSH, &coded));
        assert_false(coding_decode((enum coding)c, bytes_str(&coded), 100, &back, &why));
        assert_string_equal(why, "ends too early");
        assert_true(str_eq(bytes_str(&back), STR("hello")));
        bytes_free(&coded);
        bytes_free(&back);
        encoder_free(&e);
    }
}

static void refused(void **state)
{
    static char text[300000];

    (void)state;
    for (int c = CODING_GZIP; c < CODINGS; c++) {
        struct encoder *e = encoder_new((enum coding)c, LEVEL_DEFAULT);
        struct bytes coded = {0}, back = {0};

        assert_true(encoder_run(e, text, sizeof text, ENCODER_END, &coded));
        assert_true(bytes_len(&coded) < 1000);
        assert_false(
            coding_decode((enum coding)c, bytes_str(&coded), sizeof text - 1, &back, &why));
        assert_string_equal(why, "is too large");
        assert_true(bytes_len(&back) < sizeof text);
        bytes_reuse(&back, 0);
        assert_false(coding_decode((enum coding)c, (struct str){coded.p, bytes_len(&coded) - 1},
                                   sizeof text, &back, &why));
        assert_string_equal(why, "ends too early");
        bytes_reuse(&back, 0);
        assert_true(bytes_add(&coded, "x", 1));
        assert_false(coding_decode((enum coding)c, bytes_str(&coded), sizeof text, &back, &why));
        bytes_reuse(&back, 0);
        assert_false(coding_decode((enum coding)c, STR("plain text"), 1000, &back, &why));
        bytes_reuse(&back, 0);
        assert_false(coding_decode((enum coding)c, STR(""), 1000, &back, &why));
        bytes_free(&coded);
        bytes_free(&back);
        encoder_free(&e);
    }
    assert_null(encoder_new(CODING_IDENTITY, LEVEL_DEFAULT));
}

static void names(void **state)
{
    (void)state;
    assert_int_equal(coding_parse(STR("GZip")), CODING_GZIP);
    assert_int_equal(coding_parse(STR("x-gzip")), CODING_GZIP);
    assert_int_equal(coding_parse(STR("deflate")), CODINGS);
    assert_int_equal(coding_parse(STR("")), CODINGS);
    assert_string_equal(coding_name(CODING_ZSTD), "zstd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_coding_and_level_reads_back),
        cmocka_unit_test(flushed),
        cmocka_unit_test(refused),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
