/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/value.h"

#include <stdio.h>
#include <stdlib.h>

static void parsed_and_written_again(void **state)
{
    static const struct {
        const char *text, *written; /* NULL = the same */
    } rows[] = {
        {"1.0", NULL},
        {"12345678901234567890", NULL},
        {"-0.10e+3", NULL},
        {"1e400", NULL},
        {"\"caf\\u00e9 \\\"x\\\" \\ud83d\\ude00 \\ud800\"", NULL},
        {"\"caf\xc3\xa9\"", NULL},
        {" [ 1 , [ ] , { } ,null,true,false ] ", "[1,[],{},null,true,false]"},
        {"{\"b\":1,\"a\":2,\"\\u0061b\\n\":3}", "{\"b\":1,\"a\":2,\"ab\\u000a\":3}"},
        {"{\"z\\\"\\\\\":{\"y\":[{}]}}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new_bounded(1 << 16);
        struct bytes out = {0};
        const char *why;
        const struct value *v = value_parse(a, str_of(rows[i].text), 32, &why);

        if (!v)
            fail_msg("%s: %s", rows[i].text, why);
        assert_true(value_write(v, 1 << 20, &out) && bytes_add(&out, "", 1));
        assert_string_equal(out.p, rows[i].written ? rows[i].written : rows[i].text);
        bytes_free(&out);
        arena_free(a);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "ends too early"},
        {"[1", "has no comma or bracket where one is needed"},
        {"[1,]", "has something that is no value"},
        {"{\"a\":1,}", "has a member without a name"},
        {"{\"a\" 1}", "has a member without a value"},
        {"{a:1}", "has a member without a name"},
        {"{\"a\":1,\"\\u0061\":2}", "has the same name twice in an object"},
        {"01", "goes on after its end"},
        {"-", "has something that is no value"},
        {"1.", "has a number that is none"},
        {"1e", "has a number that is none"},
        {"+1", "has something that is no value"},
        {"nul", "has something that is no value"},
        {"\"a", "ends within a string"},
        {"\"\\x\"", "has an escape that is none"},
        {"\"\\u12g4\"", "has an escape that is none"},
        {"\"a\nb\"", "has a control character in a string"},
        {"\"\xff\"", "is not UTF-8"},
        {"\"\xc0\xaf\"", "is not UTF-8"},
        {"\"\xed\xa0\x80\"", "is not UTF-8"},
        {"[[[[1]]]]", "is nested too deeply"},
        {"{} {}", "goes on after its end"},
        {"NaN", "has something that is no value"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new_bounded(1 << 16);
        const char *why;

        if (value_parse(a, str_of(rows[i].text), 3, &why))
            fail_msg("%s: accepted", rows[i].text);
        if (strcmp(why, rows[i].why) != 0)
            fail_msg("%s: %s", rows[i].text, why);
        arena_free(a);
    }
}

static void memory_is_bounded(void **state)
{
    char text[40000];
    const char *why;
    struct arena *a = arena_new_bounded(100000);

    (void)state;
    memset(text, '[', sizeof text);
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 2 ? ',' : '1';
    text[0] = '[';
    text[1] = '1';
    text[sizeof text - 1] = ']';
    assert_null(value_parse(a, (struct str){text, sizeof text}, 3, &why));
    assert_string_equal(why, "is too large");
    arena_free(a);
}

static void large_objects(void **state)
{
    struct arena *a = arena_new_bounded(1 << 20);
    char text[20000], name[16];
    size_t n = 0;
    const char *why;
    const struct value *v;

    (void)state;
    for (int i = 0; i < 1000; i++)
        n += (size_t)sprintf(text + n, "%s\"k%d\":%d", i ? "," : "{", i * 7 % 1000, i * 7 % 1000);
    text[n++] = '}';
    v = value_parse(a, (struct str){text, n}, 3, &why);
    assert_non_null(v);
    for (int i = 0; i < 1000; i++) {
        sprintf(name, "k%d", i);
        assert_true(value_double(value_get(v, str_of(name))) == i);
    }
    assert_null(value_get(v, STR("k1000")));
    assert_null(value_get(v, STR("")));
    arena_free(a);
}

static void the_later_twin_at_the_earlier_place(void **state)
{
    struct arena *a = arena_new_bounded(1 << 16);
    struct member members[] = {{STR("a"), value_bool(true)},
                               {STR("b"), value_null()},
                               {STR("a"), value_bool(false)},
                               {STR("a"), value_null()}};
    struct bytes out = {0};

    (void)state;
    assert_true(value_write(value_object(a, members, 4), 1 << 20, &out) && bytes_add(&out, "", 1));
    assert_string_equal(out.p, "{\"a\":null,\"b\":null}");
    bytes_free(&out);
    arena_free(a);
}

static void made_here(void **state)
{
    struct arena *a = arena_new_bounded(1 << 16);
    static const struct {
        double d;
        const char *text;
    } rows[] = {
        {0, "0"}, {0.1, "0.1"}, {1e21, "1e+21"}, {-2.5, "-2.5"}, {1.0 / 3, "0.3333333333333333"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(str_eq(value_number(a, rows[i].d)->text, str_of(rows[i].text)));
    assert_int_equal(value_number(a, 1e308 * 10)->kind, VALUE_NULL);
    assert_true(str_eq(value_string(a, STR("a\"\n\x01\xff\xc3\xa9"))->text,
                       STR("a\\\"\\n\\u0001\xef\xbf\xbd\xc3\xa9")));
    assert_true(str_eq(value_text(a, value_string(a, STR("a\"\n\x01"))), STR("a\"\n\x01")));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsed_and_written_again),
        cmocka_unit_test(refused),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(large_objects),
        cmocka_unit_test(the_later_twin_at_the_earlier_place),
        cmocka_unit_test(made_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
