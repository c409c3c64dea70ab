/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name, *in;
    enum chunked_verdict verdict;
    const char *payload;
    size_t rest; /* bytes that belong to the next message */
} rows[] = {
    {"empty body", "0\r\n\r\n", CHUNKED_DONE, "", 0},
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", CHUNKED_DONE, "hello", 0},
    {"two chunks", "3\r\nfoo\r\n00A\r\n0123456789\r\n0\r\n\r\n", CHUNKED_DONE, "foo0123456789", 0},
    {"next message is left", "1\r\nx\r\n0\r\n\r\nGET /", CHUNKED_DONE, "x", 5},
    {"cut in the data", "5\r\nhel", CHUNKED_MORE, "hel", 0},
    {"cut before the end", "0\r\n", CHUNKED_MORE, "", 0},
    {"lower-case hex", "a\r\n0123456789\r\n0\r\n\r\n", CHUNKED_DONE, "0123456789", 0},
    {"extension", "1;a=b\r\nx\r\n0\r\n\r\n", CHUNKED_DONE, "x", 0},
    {"extension without value", "1;a;b\r\nx\r\n0;c\r\n\r\n", CHUNKED_DONE, "x", 0},
    {"extension, quoted", "1;a=\"b;\\\" c\";d=e\r\nx\r\n0\r\n\r\n", CHUNKED_DONE, "x", 0},
    {"extension with BWS", "1 ; a = b ;c\r\nx\r\n0\r\n\r\n", CHUNKED_DONE, "x", 0},
    {"trailers dropped", "1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", CHUNKED_DONE, "x", 0},
    {"0x", "0x5\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, "", 0},
    {"plus", "+5\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, "", 0},
    {"minus", "-5\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, "", 0},
    {"space before size", " 5\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, "", 0},
    {"space after size", "5 \r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, "", 0},
    {"underscore", "1_0\r\n", CHUNKED_BAD, "", 0},
    {"no size", "\r\n", CHUNKED_BAD, "", 0},
    {"only an extension", ";a=b\r\n", CHUNKED_BAD, "", 0},
    {"bare LF after size", "5\nhello\r\n0\r\n\r\n", CHUNKED_BAD, "", 0},
    {"bare CR after size", "5\rhello\r\n0\r\n\r\n", CHUNKED_BAD, "", 0},
    {"CR CR LF", "5\r\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD, "", 0},
    {"data too long", "5\r\nhelloX\r\n0\r\n\r\n", CHUNKED_BAD, "hello", 0},
    {"bare LF after data", "5\r\nhello\n0\r\n\r\n", CHUNKED_BAD, "hello", 0},
    {"no CRLF after data", "5\r\nhello0\r\n\r\n", CHUNKED_BAD, "hello", 0},
    {"size beyond 2^53", "20000000000001\r\n", CHUNKED_BAD, "", 0},
    {"size wraps 64 bits", "10000000000000005\r\nhello\r\n", CHUNKED_BAD, "", 0},
    {"zeros without end", "000000000000000000000000000005\r\nhello\r\n", CHUNKED_BAD, "", 0},
    {"LF in an extension", "5;a\nhello\r\n0\r\n\r\n", CHUNKED_BAD, "", 0},
    {"CR in a quoted extension", "5;a=\"\r\n\"\r\nhello\r\n", CHUNKED_BAD, "", 0},
    {"extension without a name", "5;=b\r\nhello\r\n", CHUNKED_BAD, "", 0},
    {"space at the end of an extension", "5;a=b \r\nhello\r\n", CHUNKED_BAD, "", 0},
    {"text after a quoted value", "5;a=\"b\"c\r\nhello\r\n", CHUNKED_BAD, "", 0},
    {"end without CR", "0\r\n\n", CHUNKED_BAD, "", 0},
    {"trailer without a name", "0\r\n: b\r\n\r\n", CHUNKED_BAD, "", 0},
    {"trailer with space before colon", "0\r\nA : b\r\n\r\n", CHUNKED_BAD, "", 0},
    {"trailer with bare LF", "0\r\nA: b\n\r\n", CHUNKED_BAD, "", 0},
    {"trailer folded", "0\r\nA: b\r\n c\r\n\r\n", CHUNKED_BAD, "", 0},
    {"request instead of the end", "0\r\nGET / HTTP/1.1\r\n\r\n", CHUNKED_BAD, "", 0},
};

static void check_row(size_t i, size_t step)
{
    struct chunked c;
    char buf[256], payload[256];
    size_t n = strlen(rows[i].in), used = 0, total = 0;
    enum chunked_verdict verdict = CHUNKED_MORE;

    chunked_init(&c);
    while (used < n && verdict == CHUNKED_MORE) {
        size_t take = n - used < step ? n - used : step, got, consumed;

        memcpy(buf, rows[i].in + used, take);
        verdict = chunked_decode(&c, buf, take, &got, &consumed);
        memcpy(payload + total, buf, got);
        total += got;
        used += consumed;
    }
    payload[total] = '\0';
    if (verdict != rows[i].verdict || strcmp(payload, rows[i].payload) != 0)
        fail_msg("%s, step %zu: verdict %d, payload '%s'", rows[i].name, step, verdict, payload);
    if (verdict == CHUNKED_DONE && n - used != rows[i].rest)
        fail_msg("%s, step %zu: %zu bytes left", rows[i].name, step, n - used);
}

static void test_rows_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t step = 1; step <= 64; step++)
            check_row(i, step);
}

/* Feeds `text` n times; the verdict at the first that is not MORE, and how often it was fed. */
static enum chunked_verdict feed(const char *before, const char *text, unsigned n,
                                 unsigned *ret_fed)
{
    struct chunked c;
    char buf[256];
    size_t payload, used;
    enum chunked_verdict verdict;

    chunked_init(&c);
    memcpy(buf, before, strlen(before));
    verdict = chunked_decode(&c, buf, strlen(before), &payload, &used);
    for (*ret_fed = 0; *ret_fed < n && verdict == CHUNKED_MORE; (*ret_fed)++) {
        memcpy(buf, text, strlen(text));
        verdict = chunked_decode(&c, buf, strlen(text), &payload, &used);
    }
    return verdict;
}

static void test_limits(void **state)
{
    unsigned fed;

    (void)state;
    assert_int_equal(feed("5;", "a", 250, &fed), CHUNKED_MORE);
    assert_int_equal(feed("5;", "a", 300, &fed), CHUNKED_BAD);
    assert_int_equal(feed("", "1;aaaaaaaaaaaaaa\r\nx\r\n", 900, &fed), CHUNKED_MORE);
    assert_int_equal(feed("", "1;aaaaaaaaaaaaaa\r\nx\r\n", 1200, &fed), CHUNKED_BAD);
    assert_in_range(fed, 1024, 1100);
    assert_int_equal(feed("0\r\n", "A: b\r\n", 1300, &fed), CHUNKED_MORE);
    assert_int_equal(feed("0\r\n", "A: b\r\n", 1400, &fed), CHUNKED_BAD);
}

static void test_verdict_stays(void **state)
{
    struct chunked c;
    char buf[] = "zz", end[] = "0\r\n\r\n", more[] = "1\r\n";
    size_t payload, used;

    (void)state;
    chunked_init(&c);
    assert_int_equal(chunked_decode(&c, buf, 2, &payload, &used), CHUNKED_BAD);
    assert_int_equal(chunked_decode(&c, more, 3, &payload, &used), CHUNKED_BAD);
    assert_int_equal(used, 0);
    chunked_init(&c);
    assert_int_equal(chunked_decode(&c, end, 5, &payload, &used), CHUNKED_DONE);
    assert_int_equal(chunked_decode(&c, more, 3, &payload, &used), CHUNKED_DONE);
    assert_int_equal(used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_in_any_pieces),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_verdict_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
