/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expr/expr.h"

#include <stdio.h>
#include <stdlib.h>

static const char document[] =
    "{\"a\":{\"b\":[1,2,3],\"c\":\"x\"},\"n\":12345678901234567890,\"items\":["
    "{\"id\":1,\"total\":9.50,\"tags\":[\"p\",\"q\"],\"in\":{\"k\":1}},"
    "{\"id\":2,\"total\":1,\"tags\":[],\"in\":{\"k\":2}},"
    "{\"id\":3,\"total\":20,\"tags\":[\"r\"]}],"
    "\"nested\":[[1,[2]],[3],4],\"e\":\"\",\"z\":null,\"t\":true,\"caf\xc3\xa9\":"
    "\"\xc3\xa9t\xc3\xa9\","
    "\"names\":[\"b\",\"a\",\"c\"],\"who\":[{\"uid\":2,\"name\":\"Bo\"},{\"uid\":1,\"name\":\"Al\"}"
    "]}";

static char *eval(const char *text, const char **ret_why)
{
    struct arena *conf = arena_new(), *a = arena_new_bounded(1 << 20);
    struct expr_run run = {.arena = a, .steps = EXPR_STEPS};
    struct bytes out = {0};
    struct err e;
    const struct expr *x = expr_compile(conf, str_of(text), &e);
    static char message[sizeof e.text];
    const char *why;
    const struct value *d = value_parse(a, str_of(document), 32, &why), *v;
    char *result = NULL;

    assert_non_null(d);
    *ret_why = message;
    if (!x) {
        strcpy(message, e.text);
    } else if ((v = expr_eval(x, d, &run)) != NULL) {
        assert_true(value_write(v, 1 << 20, &out) && bytes_add(&out, "", 1));
        result = strdup(out.p);
    } else {
        strcpy(message, run.why);
    }
    bytes_free(&out);
    arena_free(a);
    arena_free(conf);
    return result;
}

static void evaluated(void **state)
{
    static const struct {
        const char *expr, *result;
    } rows[] = {
        {"a.b", "[1,2,3]"},
        {"n", "12345678901234567890"},
        {"items[0].total", "9.50"},
        {"\"caf\xc3\xa9\"", "\"\xc3\xa9t\xc3\xa9\""},
        {"\"caf\\u00e9\"", "\"\xc3\xa9t\xc3\xa9\""},
        {"missing", "null"},
        {"a.b.c", "null"},
        {"a.b[0]", "1"},
        {"a.b[-1]", "3"},
        {"a.b[9]", "null"},
        {"a.b[::-1]", "[3,2,1]"},
        {"a.b[1:]", "[2,3]"},
        {"a.b[:-1]", "[1,2]"},
        {"a.b[0:3:2]", "[1,3]"},
        {"items[*].id", "[1,2,3]"},
        {"items[*].in.k", "[1,2]"},
        {"items[*].tags[]", "[\"p\",\"q\",\"r\"]"},
        {"items[*].tags[0]", "[\"p\",\"r\"]"},
        {"items[].tags | [0]", "[\"p\",\"q\"]"},
        {"items[*].{id,total}", "[{\"id\":1,\"total\":9.50},{\"id\":2,\"total\":1},"
                                "{\"id\":3,\"total\":20}]"},
        {"items[*].{no: id, \"of it\": tags[0]}", "[{\"no\":1,\"of it\":\"p\"},"
                                                  "{\"no\":2,\"of it\":null},"
                                                  "{\"no\":3,\"of it\":\"r\"}]"},
        {"items[?total > `5`].id", "[1,3]"},
        {"items[?total > `5` && id == `1`].id", "[1]"},
        {"items[?!(id == `1`)].id", "[2,3]"},
        {"items[?in].id", "[1,2]"},
        {"items[?tags[0] == 'r'].id | [0]", "3"},
        {"nested[]", "[1,[2],3,4]"},
        {"nested[][]", "[1,2,3,4]"},
        {"a.*", "[[1,2,3],\"x\"]"},
        {"items[*].in.*", "[[1],[2]]"},
        {"*.c", "[\"x\"]"},
        {"[a.c, t, z]", "[\"x\",true,null]"},
        {"e || a.c", "\"x\""},
        {"a.c && t", "true"},
        {"z && t", "null"},
        {"!e", "true"},
        {"@.a.c", "\"x\""},
        {"a | @.c", "\"x\""},
        {"'it\\'s'", "\"it's\""},
        {"`{\"x\":[1.0]}`", "{\"x\":[1.0]}"},
        {"`\"a\\`b\"`", "\"a`b\""},
        {"a.c == 'x'", "true"},
        {"a == `{\"c\":\"x\",\"b\":[1,2.0,3]}`", "true"},
        {"a.c < `1`", "null"},
        {"length(items)", "3"},
        {"length(\"caf\xc3\xa9\")", "3"},
        {"reverse(\"caf\xc3\xa9\")", "\"\xc3\xa9t\xc3\xa9\""},
        {"reverse(a.b)", "[3,2,1]"},
        {"sum(a.b)", "6"},
        {"avg(a.b)", "2"},
        {"avg(`[]`)", "null"},
        {"max(names)", "\"c\""},
        {"min(a.b)", "1"},
        {"sort(names)", "[\"a\",\"b\",\"c\"]"},
        {"sort_by(items, &total)[*].id", "[2,1,3]"},
        {"max_by(items, &total).id", "3"},
        {"min_by(items, &total).id", "2"},
        {"map(&id, items)", "[1,2,3]"},
        {"join(', ', names)", "\"b, a, c\""},
        {"join('', `[]`)", "\"\""},
        {"keys(a)", "[\"b\",\"c\"]"},
        {"values(a)", "[[1,2,3],\"x\"]"},
        {"merge(a, {c: 'y', d: z})", "{\"b\":[1,2,3],\"c\":\"y\",\"d\":null}"},
        {"not_null(z, missing, e)", "\"\""},
        {"default(z, 'none')", "\"none\""},
        {"contains(names, 'a')", "true"},
        {"contains(a.c, 'y')", "false"},
        {"contains('abc', 'bc')", "true"},
        {"starts_with('abc', 'ab')", "true"},
        {"ends_with('abc', 'bc')", "true"},
        {"ends_with('c', 'abc')", "false"},
        {"abs(`-2.5`)", "2.5"},
        {"ceil(`1.2`)", "2"},
        {"floor(`-1.2`)", "-2"},
        {"to_string(a)", "\"{\\\"b\\\":[1,2,3],\\\"c\\\":\\\"x\\\"}\""},
        {"to_number('1.50')", "1.50"},
        {"to_number('x')", "null"},
        {"to_array(t)", "[true]"},
        {"type(n)", "\"number\""},
        {"omit(a, ['b'])", "{\"c\":\"x\"}"},
        {"omit(items[0], ['tags', 'in.k'])", "{\"id\":1,\"total\":9.50,\"in\":{}}"},
        {"pick(items[0], ['id', 'in.k'])", "{\"id\":1,\"in\":{\"k\":1}}"},
        {"index_by(&name, who)", "{\"Bo\":{\"uid\":2,\"name\":\"Bo\"},"
                                 "\"Al\":{\"uid\":1,\"name\":\"Al\"}}"},
        {"join_by(items[*].{id, total}, who, &id, &uid)",
         "[{\"id\":1,\"total\":9.50,\"uid\":1,\"name\":\"Al\"},"
         "{\"id\":2,\"total\":1,\"uid\":2,\"name\":\"Bo\"},{\"id\":3,\"total\":20}]"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why;
        char *got = eval(rows[i].expr, &why);

        if (!got || strcmp(got, rows[i].result) != 0)
            fail_msg("%s: %s", rows[i].expr, got ? got : why);
        free(got);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *expr, *why;
    } rows[] = {
        {"", "column 1: expected an expression, found the end"},
        {"a.", "column 3: expected a name, *, [ or {, found the end"},
        {"a b", "column 3: expected the end, found b"},
        {"a[", "column 3: expected a number, : or *, found the end"},
        {"a[1", "column 4: expected : or ], found the end"},
        {"a[0:1:0]", "column 8: expected a step other than 0, found ]"},
        {"items[?", "column 8: expected an expression, found the end"},
        {"nope(a)", "column 1: there is no function nope"},
        {"length(a, t)", "column 1: length takes 1 argument, and here are 2"},
        {"\"length\"(a)", "column 9: a function's name is not quoted, found ("},
        {"'x", "column 1: the quote is not closed"},
        {"`{`", "column 1: the literal has a member without a name"},
        {"a # b", "column 3: a character that has no meaning here"},
        {"&a", "column 1: &expression is an argument of functions alone"},
        {"{a: }", "column 5: expected an expression, found }"},
        {"[99999999999]", "column 2: the number is too large"},
        {"sum(names)", "an argument of a function has the wrong type"},
        {"length(t)", "an argument of a function has the wrong type"},
        {"sort_by(items, &tags)", "what to sort by is neither a number nor a string"},
        {"map(id, items)", "an argument of a function has the wrong type"},
        {"length(&a)", "an argument of a function has the wrong type"},
        {"[&a]", "an expression stands where a value is needed"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why;
        char *got = eval(rows[i].expr, &why);

        if (got || strcmp(why, rows[i].why) != 0)
            fail_msg("%s: %s", rows[i].expr, got ? got : why);
    }
}

/* A small text can ask for much. */
static void bounded(void **state)
{
    static const char doubles[] = "[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|"
                                  "[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|[@,@]|"
                                  "to_string(@)";
    static const char walks[] = "[items,items,items,items,items,items][][].[items[*].id] | "
                                "map(&map(&map(&map(&map(&map(&map(&map(&map(&@,`[1,2,3,4,5]`),"
                                "`[1,2,3,4,5]`),`[1,2,3,4,5]`),`[1,2,3,4,5]`),`[1,2,3,4,5]`),"
                                "`[1,2,3,4,5]`),`[1,2,3,4,5]`),`[1,2,3,4,5]`),`[1,2,3,4,5]`)";
    const char *why;

    (void)state;
    assert_null(eval(walks, &why));
    assert_true(strstr(why, "too"));
    assert_null(eval(doubles, &why));
    assert_true(strstr(why, "too"));
}

static void roots(void **state)
{
    static const struct {
        const char *expr, *roots;
    } rows[] = {
        {"a.b.c", "a "},
        {"a[0].b || c", "a c "},
        {"orders.items[?id == other].x", "orders "},
        {"{x: a, y: b.c}", "a b "},
        {"join(',', a[*].b)", "a "},
        {"map(&x.y, a)", "a "},
        {"a | b", "a "},
        {"@.a", "a "},
        {"`1`", ""},
        {"!a && b == c", "a b c "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new();
        struct err e;
        const struct expr *x = expr_compile(a, str_of(rows[i].expr), &e);
        const struct str *names;
        size_t n = expr_roots(x, &names), at = 0;
        char text[200] = "";

        for (size_t k = 0; k < n; k++)
            at += (size_t)sprintf(text + at, "%.*s ", STR_FMT(names[k]));
        if (strcmp(text, rows[i].roots) != 0)
            fail_msg("%s: %s", rows[i].expr, text);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluated),
        cmocka_unit_test(refused),
        cmocka_unit_test(bounded),
        cmocka_unit_test(roots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
