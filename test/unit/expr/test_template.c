/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expr/template.h"

#include <string.h>

static const char scope[] =
    "{\"id\":\"a/b?c&d=e f\",\"n\":12.50,\"t\":true,\"list\":[1,\"x y\"],\"none\":[],"
    "\"empty\":\"\",\"z\":null,\"o\":{\"k\":\"v\"},\"dots\":\"..\",\"dot\":\".\","
    "\"uml\":\"\xc3\xa4\",\"nul\":\"a\\u0000\\r\\n\"}";

/* What it gives, or "!" and why not; in a static buffer. */
static const char *expand(const char *text)
{
    static char out[600];
    struct arena *conf = arena_new(), *a = arena_new_bounded(1 << 16);
    struct expr_run run = {.arena = a, .steps = EXPR_STEPS};
    struct bytes to = {0};
    struct err e;
    const char *why;
    const struct template *t = template_compile(conf, str_of(text), &e);
    const struct value *v = value_parse(a, str_of(scope), 8, &why);

    assert_non_null(v);
    out[0] = '!';
    if (!t)
        strcpy(out + 1, e.text);
    else if (!template_expand(t, v, &run, &to))
        strcpy(out + 1, run.why);
    else
        out[bytes_take(&to, out, sizeof out - 1)] = '\0';
    bytes_free(&to);
    arena_free(a);
    arena_free(conf);
    return out;
}

static void expanded(void **state)
{
    static const struct {
        const char *text, *result;
    } rows[] = {
        {"/plain/path?x=y", "/plain/path?x=y"},
        {"/u/{id}/x", "/u/a%2Fb%3Fc%26d%3De%20f/x"},
        {"/u?n={n}&t={t}", "/u?n=12.50&t=true"},
        {"/u/{list}", "/u/1,x%20y"},
        {"/u/{uml}", "/u/%C3%A4"},
        {"/u/{nul}", "/u/a%00%0D%0A"},
        {"/u/{o.k}{n}", "/u/v12.50"},
        {"/u/{list[?@ == 'x y'] | [0]}", "/u/x%20y"},
        {"/u/{join('}', ['a', 'b'])}", "/u/a%7Db"},
        {"/u/{ {a: n}.a }", "/u/12.50"},
        {"/u?d={dots}", "/u?d=.."},
        {"/u/x{dots}", "/u/x.."},
        {"/u/{z}", "!a value for the path is not there"},
        {"/u/{missing.x}", "!a value for the path is not there"},
        {"/u/{o}", "!a value for the path is not there"},
        {"/u/{none}", "!a value for the path is not there"},
        {"/u/{empty}/x", "!a value for the path is empty"},
        {"/u/{dots}/x", "!a value for the path is a segment of dots"},
        {"/u/{dot}", "!a value for the path is a segment of dots"},
        {"/u/.{dot}/x", "!a value for the path is a segment of dots"},
        {"/u/{sum(list)}", "!an argument of a function has the wrong type"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(expand(rows[i].text), rows[i].result) != 0)
            fail_msg("%s: %s", rows[i].text, expand(rows[i].text));
}

static void refused(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "is not a path of up to 4096 bytes that begins with /"},
        {"users/{id}", "is not a path of up to 4096 bytes that begins with /"},
        {"/u/{id", "has a { without }"},
        {"/u/{'}", "has a { without }"},
        {"/u/}", "holds a character that must be percent-encoded in a path"},
        {"/u/a b", "holds a character that must be percent-encoded in a path"},
        {"/u#x", "holds a character that must be percent-encoded in a path"},
        {"/u/{}", "in {}: column 1: expected an expression, found the end"},
        {"/u/{id.}", "in {id.}: column 4: expected a name, *, [ or {, found the end"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(expand(rows[i].text) + 1, rows[i].why) != 0)
            fail_msg("%s: %s", rows[i].text, expand(rows[i].text));
}

static void roots(void **state)
{
    struct arena *a = arena_new();
    struct err e;
    const struct template *t = template_compile(a, STR("/x/{a.b}/{c[0]}?d={a}"), &e);
    const struct str *names;

    (void)state;
    assert_int_equal(template_roots(t, &names), 3);
    assert_true(str_eq(names[0], STR("a")) && str_eq(names[1], STR("c")) &&
                str_eq(names[2], STR("a")));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expanded),
        cmocka_unit_test(refused),
        cmocka_unit_test(roots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
