/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void comparing(void **state)
{
    static const struct {
        const char *a, *b;
        bool eq, ieq, starts, istarts;
    } rows[] = {
        {"", "", true, true, true, true},
        {"a", "", false, false, true, true},
        {"", "a", false, false, false, false},
        {"host", "host", true, true, true, true},
        {"Host", "hOST", false, true, false, true},
        {"hosts", "host", false, false, true, true},
        {"HOSTS", "host", false, false, false, true},
        {"hos", "host", false, false, false, false},
        {"[", "{", false, false, false, false},       /* 0x20 apart, but no letters */
        {"@", "`", false, false, false, false},       /* likewise, just before 'A' and 'a' */
        {"\xc4", "\xe4", false, false, false, false}, /* letters in Latin-1: not ASCII */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str a = str_of(rows[i].a), b = str_of(rows[i].b);

        if (str_eq(a, b) != rows[i].eq || str_ieq(a, b) != rows[i].ieq ||
            str_starts(a, b) != rows[i].starts || str_istarts(a, b) != rows[i].istarts)
            fail_msg("'%s' against '%s'", rows[i].a, rows[i].b);
    }
}

static void texts_that_may_be_missing(void **state)
{
    char text[] = "a";

    (void)state;
    assert_true(str_same(NULL, NULL));
    assert_true(str_same("a", text));
    assert_false(str_same("a", NULL));
    assert_false(str_same(NULL, "a"));
    assert_false(str_same("a", "ab"));
}

static void null_slices_are_empty(void **state)
{
    struct str rest = STR_NULL, item;
    uint64_t v;

    (void)state;
    assert_int_equal(str_of(NULL).n, 0);
    assert_true(str_eq(STR_NULL, STR("")));
    assert_true(str_ieq(STR_NULL, STR("")));
    assert_true(str_starts(STR("x"), STR_NULL));
    assert_true(str_istarts(STR_NULL, STR_NULL));
    assert_int_equal(str_trim(STR_NULL).n, 0);
    assert_false(str_next(&rest, ',', &item));
    assert_false(str_to_u64(STR_NULL, &v));
}

static void slices_may_hold_nul(void **state)
{
    (void)state;
    assert_int_equal(STR("a\0b").n, 3);
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_false(str_ieq(STR("a\0b"), STR("a\0c")));
    assert_false(str_starts(STR("a\0c"), STR("a\0b")));
}

static void trimming(void **state)
{
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"", ""},    {" \t ", ""},           {"a", "a"}, {" a b\t", "a b"}, {"\ta", "a"},
        {"a ", "a"}, {"\r\na\v", "\r\na\v"}, /* OWS is space and tab, nothing else */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str got = str_trim(str_of(rows[i].text));

        if (!str_eq(got, str_of(rows[i].wanted)))
            fail_msg("'%s': '%.*s'", rows[i].text, STR_FMT(got));
    }
}

/* The elements joined by '|'. */
static void lists(void **state)
{
    static const struct {
        const char *text;
        char sep;
        const char *wanted;
    } rows[] = {
        {"", ',', ""},           {",", ',', ""},
        {" , \t,", ',', ""},     {"a", ',', "a|"},
        {"a,b", ',', "a|b|"},    {" a , b\t,c ", ',', "a|b|c|"},
        {",a,,b,", ',', "a|b|"}, {"a b;c d", ';', "a b|c d|"},
        {"a,b", ';', "a,b|"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str rest = str_of(rows[i].text), item;
        char got[64] = "";
        size_t n = 0;

        while (str_next(&rest, rows[i].sep, &item))
            n += (size_t)snprintf(got + n, sizeof got - n, "%.*s|", STR_FMT(item));
        if (strcmp(got, rows[i].wanted) != 0)
            fail_msg("'%s': '%s'", rows[i].text, got);
        assert_int_equal(rest.n, 0);
    }
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"36893488147419103232", false, 0}, /* 2^65: wraps to a smaller number */
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1x", false, 0},
        {"0x1", false, 0},
        {"1,1", false, 0},
        {"/", false, 0}, /* the bytes beside the digits */
        {":", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t v = 42;
        bool ok = str_to_u64(str_of(rows[i].text), &v);

        if (ok != rows[i].ok || v != (ok ? rows[i].value : 42))
            fail_msg("'%s': %d %llu", rows[i].text, ok, (unsigned long long)v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(texts_that_may_be_missing),
        cmocka_unit_test(null_slices_are_empty),
        cmocka_unit_test(slices_may_hold_nul),
        cmocka_unit_test(trimming),
        cmocka_unit_test(lists),
        cmocka_unit_test(numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
