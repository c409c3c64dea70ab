/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/order.h"

#include <stdio.h>

static void every_member_is_read(void **state)
{
    static const char text[] =
        "{\"state\": \"forced_open\", \"ttl\": \"90s\", \"reason\": \"deploy\\u001b[31m\", "
        "\"author\": \"Zo\xc3\xab\", \"scope\": \"fleet\", \"even_last\": true}";
    struct order o;
    struct err e = {""};

    (void)state;
    if (order_parse(text, strlen(text), &o, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(o.what, OPERATE_OPEN);
    assert_int_equal(o.ttl_ms, 90000);
    assert_string_equal(o.why, "deploy [31m");
    assert_string_equal(o.author, "Zo\xc3\xab");
    assert_true(o.fleet);
    assert_true(o.even_last);
}

static void what_is_left_out_has_its_default(void **state)
{
    static const struct {
        const char *word;
        enum operation what;
    } rows[] = {
        {"forced_open", OPERATE_OPEN}, {"forced_closed", OPERATE_CLOSE},
        {"disabled", OPERATE_DISABLE}, {"shadow", OPERATE_SHADOW},
        {"auto", OPERATE_AUTO},        {"reset", OPERATE_RESET},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct order o;
        struct err e = {""};
        char text[64];
        int n = snprintf(text, sizeof text, "{\"state\": \"%s\"}", rows[i].word);

        assert_int_equal(order_parse(text, (size_t)n, &o, &e), 0);
        assert_int_equal(o.what, rows[i].what);
        assert_int_equal(o.ttl_ms, 0);
        assert_string_equal(o.author, "");
        assert_string_equal(o.why, "");
        assert_false(o.fleet);
        assert_false(o.even_last);
    }
}

static void times_to_live(void **state)
{
    static const struct {
        const char *ttl;
        uint64_t ms; /* 0 = refused */
    } rows[] = {
        {"1s", 1000},
        {"500ms", 500},
        {"10m", 600000},
        {"2h", 7200000},
        {"1d", 86400000},
        {"7d", 604800000},
        {"168h", 604800000},
        {"8d", 0},
        {"169h", 0},
        {"0", 0},
        {"0s", 0},
        {"", 0},
        {"d", 0},
        {"10", 0},
        {"-1s", 0},
        {"1.5h", 0},
        {"soon", 0},
        {"99999d", 0},
        {"18446744073709551615h", 0},
        {"10m ", 0},
        {"1x1d", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct order o;
        struct err e = {""};
        char text[96];
        int n =
            snprintf(text, sizeof text, "{\"state\": \"shadow\", \"ttl\": \"%s\"}", rows[i].ttl);
        int r = order_parse(text, (size_t)n, &o, &e);

        if (rows[i].ms ? r != 0 || o.ttl_ms != rows[i].ms : r == 0 || !strstr(e.text, "ttl: "))
            fail_msg("%s: %d %s", rows[i].ttl, r, e.text);
    }
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "no JSON"},
        {"garbage", "no JSON"},
        {"{\"state\": \"auto\"} x", "no JSON"},
        {"{\"state\": \"auto\", \"state\": \"reset\"}", "no JSON: duplicate object key"},
        {"{\"reason\": \"\xff\", \"state\": \"auto\"}", "no JSON"},
        {"{\"reason\": \"a\\u0000b\", \"state\": \"auto\"}", "no JSON"},
        {"[]", "expected a JSON object"},
        {"[{\"state\": \"auto\"}]", "expected a JSON object"},
        {"{}", "state: missing"},
        {"{\"state\": \"open\"}", "state: expected forced_open"},
        {"{\"state\": \"\"}", "state: expected forced_open"},
        {"{\"state\": null}", "state: expected a string"},
        {"{\"state\": \"auto\", \"tll\": \"1m\"}", "tll: unknown member"},
        {"{\"state\": \"auto\", \"ttl\": \"1m\"}", "auto does not end by itself"},
        {"{\"state\": \"reset\", \"ttl\": \"1m\"}", "reset does not end by itself"},
        {"{\"state\": \"shadow\", \"ttl\": 60}", "ttl: expected a string"},
        {"{\"state\": \"shadow\", \"scope\": \"all\"}", "scope: expected local or fleet"},
        {"{\"state\": \"shadow\", \"author\": 7}", "author: expected a string"},
        {"{\"state\": \"forced_open\", \"even_last\": \"yes\"}", "even_last: expected true"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct order o;
        struct err e = {""};

        if (order_parse(rows[i].text, strlen(rows[i].text), &o, &e) == 0 ||
            !strstr(e.text, rows[i].says))
            fail_msg("%s: %s", rows[i].text, e.text);
    }
}

static void long_texts_are_cut_at_a_character(void **state)
{
    char text[8];

    (void)state;
    order_text(text, sizeof text, "abcdefgh");
    assert_string_equal(text, "abcdefg");
    order_text(text, sizeof text, "abcdef\xc3\xab");
    assert_string_equal(text, "abcdef");
    order_text(text, sizeof text, "abcd\xf0\x9f\x98\x80");
    assert_string_equal(text, "abcd");
    order_text(text, sizeof text, "abc\xf0\x9f\x98\x80");
    assert_string_equal(text, "abc\xf0\x9f\x98\x80");
    order_text(text, sizeof text, "a\nb\tc\x7f");
    assert_string_equal(text, "a b c ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_read),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(times_to_live),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(long_texts_are_cut_at_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
