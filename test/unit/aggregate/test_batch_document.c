/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregate/batch_document.h"

#include <string.h>

static bool not_secret(void *arg, struct str name)
{
    (void)arg;
    return !str_ieq(name, STR("x-secret"));
}

static void items(void **state)
{
    static const struct {
        const char *item, *wrong; /* NULL = it can be sent */
    } rows[] = {
        {"{\"path\":\"/x?y=%20\"}", NULL},
        {"{\"path\":\"/x\",\"method\":\"PUT\",\"body\":null,\"id\":7}", NULL},
        {"{\"path\":\"/x\",\"headers\":{\"If-Match\":\"\\\"a\\\"\",\"X\":\"\\u00e9\\t\"}}", NULL},
        {"5", "it is no object"},
        {"{\"path\":\"/x\",\"id\":true}", "its id is neither text nor number"},
        {"{\"path\":\"/x\",\"method\":\"TRACE\"}",
         "its method is none of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS"},
        {"{\"path\":\"//\\u0000\"}",
         "its path does not begin with / or has a character that must be percent-encoded"},
        {"{\"path\":\"*\"}",
         "its path does not begin with / or has a character that must be percent-encoded"},
        {"{\"path\":\"/x\",\"body\":1}", "a GET has no body"},
        {"{\"path\":\"/x\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}",
         "a header has a character that it cannot have"},
        {"{\"path\":\"/x\",\"headers\":{\"A:\":\"b\"}}",
         "a header has a character that it cannot have"},
        {"{\"path\":\"/x\",\"headers\":{\"\":\"b\"}}",
         "a header has a character that it cannot have"},
        {"{\"path\":\"/x\",\"headers\":{\"cOOKie\":\"b\"}}",
         "a header is one that the requests of a batch cannot bring"},
        {"{\"path\":\"/x\",\"headers\":{\"X-Forwarded-Proto\":\"b\"}}",
         "a header is one that the requests of a batch cannot bring"},
        {"{\"path\":\"/x\",\"headers\":{\"X-Secret\":\"b\"}}",
         "a header is one that the requests of a batch cannot bring"},
        {"{\"path\":\"/x\",\"headers\":{\"Content_Length\":\"b\"}}",
         "a header is one that the requests of a batch cannot bring"},
        {"{\"path\":\"/x\",\"headers\":{\"A\":[]}}", "a header is no text"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new_bounded(1 << 16);
        struct bytes text = {0};
        struct batch b;
        const char *why;

        assert_true(bytes_add_str(&text, STR("{\"requests\":[")) &&
                    bytes_add_str(&text, str_of(rows[i].item)) && bytes_add_str(&text, STR("]}")));
        assert_true(batch_parse(a, bytes_str(&text), 5, not_secret, NULL, &b, &why));
        if (!b.items[0].wrong != !rows[i].wrong ||
            (rows[i].wrong && strcmp(b.items[0].wrong, rows[i].wrong) != 0))
            fail_msg("%s: %s", rows[i].item, b.items[0].wrong);
        bytes_free(&text);
        arena_free(a);
    }
}

static void what_an_item_becomes(void **state)
{
    struct arena *a = arena_new_bounded(1 << 16);
    struct batch b;
    const char *why;

    (void)state;
    assert_true(
        batch_parse(a,
                    STR("{\"sequential\":true,\"requests\":[{\"id\":\"i\",\"method\":\"POST\","
                        "\"path\":\"/p\",\"headers\":{\"A\":\" b \",\"Content-Type\":\"x/y\"},"
                        "\"body\":{\"n\":1.0}}]}"),
                    1, not_secret, NULL, &b, &why));
    assert_true(b.sequential && !b.stop_on_error && b.items[0].has_type);
    assert_true(str_eq(b.items[0].fields, STR("A: b\r\nContent-Type: x/y\r\n")));
    assert_true(str_eq(b.items[0].method, STR("POST")) && str_eq(b.items[0].path, STR("/p")));
    arena_free(a);
}

static void whole_batches(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"[]", "has no list of requests"},
        {"{\"requests\":{}}", "has no list of requests"},
        {"{\"requests\":[]}", "has no list of requests"},
        {"{\"requests\":[1,2,3]}", "has more requests than one may have"},
        {"{\"requests\":[{\"id\":1},{\"id\":1.0}]}", "has two requests with the same id"},
        {"{", "has a member without a name"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new_bounded(1 << 16);
        struct batch b;
        const char *why;

        assert_false(batch_parse(a, str_of(rows[i].text), 2, not_secret, NULL, &b, &why));
        assert_string_equal(why, rows[i].why);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items),
        cmocka_unit_test(what_an_item_becomes),
        cmocka_unit_test(whole_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
