/* SPDX-License-Identifier: Apache-2.0 */
#include "config/kv_rows.h"
#include "parse.h"

static const char body[] =
    "[{\"Key\":\"f/config/20-b\",\"Value\":\"dmlhOiB4Cg==\",\"ModifyIndex\":7,\"Flags\":0},"
    "{\"Key\":\"f/config/\",\"Value\":null,\"ModifyIndex\":3},"
    "{\"Key\":\"f/config/.pushed\",\"Value\":\"e30=\",\"ModifyIndex\":9},"
    "{\"Key\":\"f/config/team/\",\"Value\":null,\"ModifyIndex\":3},"
    "{\"Key\":\"f/config/team/.draft\",\"Value\":\"e30=\",\"ModifyIndex\":3},"
    "{\"Key\":\"f/config/team/a\",\"Value\":null,\"ModifyIndex\":4},"
    "{\"Key\":\"f/configure\",\"Value\":null,\"ModifyIndex\":40},"
    "{\"Key\":\"f/config/10\\n\",\"Value\":\"e30=\",\"ModifyIndex\":5}]";

static void test_rows(void **state)
{
    struct err e = {""};
    struct kv_rows *rows = kv_rows_parse(str_of(body), "f/config/", &e);
    struct config_documents *d;

    (void)state;
    if (!rows)
        fail_msg("%s", e.text);
    assert_int_equal(rows->n, 7);
    assert_int_equal(rows->index, 9);
    assert_string_equal(rows->list[0].key, "");
    assert_non_null(kv_rows_find(rows, KV_MARK));
    assert_null(kv_rows_find(rows, "nothing"));
    assert_true(str_eq(kv_rows_find(rows, "20-b")->text, STR("via: x\n")));
    assert_int_equal(kv_rows_find(rows, "team/a")->index, 4);
    d = kv_rows_documents(rows, "f/config/", &e);
    assert_int_equal(d->n, 3);
    assert_string_equal(d->list[0].name, "consul:f/config/10?");
    assert_string_equal(d->list[1].name, "consul:f/config/20-b");
    assert_true(str_eq(d->list[1].text, STR("via: x\n")));
    assert_string_equal(d->list[2].name, "consul:f/config/team/a");
    assert_int_equal(d->list[2].text.n, 0);
    documents_free(&d);
    kv_rows_free(&rows);
}

static void test_nothing_there(void **state)
{
    static const char *const texts[] = {"", "[]"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {""};
        struct kv_rows *rows = kv_rows_parse(str_of(texts[i]), "f/", &e);

        assert_non_null(rows);
        assert_int_equal(rows->n, 0);
        assert_null(kv_rows_find(rows, KV_MARK));
        kv_rows_free(&rows);
    }
}

static void test_unfinished(void **state)
{
    static const struct {
        const char *mark; /* base64; NULL = none */
        bool unfinished;
    } rows[] = {
        {NULL, false},
        {"", false},
        {"e30=", false},                         /* {} */
        {"bm90IEpTT04=", false},                 /* not JSON */
        {"W10=", false},                         /* [] */
        {"eyJ1bmZpbmlzaGVkIjp0cnVlfQ==", true},  /* {"unfinished":true} */
        {"eyJ1bmZpbmlzaGVkIjpmYWxzZX0=", false}, /* false */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct kv_rows *parsed;
        char text[200] = "";

        if (rows[i].mark)
            snprintf(text, sizeof text,
                     "[{\"Key\":\"f/.pushed\",\"Value\":\"%s\",\"ModifyIndex\":1}]", rows[i].mark);
        parsed = kv_rows_parse(str_of(text), "f/", &e);
        if (!parsed || kv_rows_are_unfinished(parsed) != rows[i].unfinished)
            fail_msg("row %zu", i);
        kv_rows_free(&parsed);
    }
}

static void test_refused(void **state)
{
    static const struct refusal rows[] = {
        {"{}", "not a list of keys"},
        {"[", "not a list of keys"},
        {"[1]", "not a list of keys"},
        {"[{\"Key\":1,\"Value\":null,\"ModifyIndex\":1}]", "not a list of keys"},
        {"[{\"Key\":\"f/a\",\"Value\":1,\"ModifyIndex\":1}]", "not a list of keys"},
        {"[{\"Key\":\"f/a\",\"Value\":\"e30=\"}]", "not a list of keys"},
        {"[{\"Key\":\"f/a\",\"Value\":\"e3\",\"ModifyIndex\":1}]",
         "consul:f/a: its value is not base64"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct kv_rows *parsed = kv_rows_parse(str_of(rows[i].text), "f/", &e);

        if (parsed || !strstr(e.text, rows[i].says))
            fail_msg("%s: %s", rows[i].text, parsed ? "accepted" : e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
