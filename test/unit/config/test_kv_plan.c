/* SPDX-License-Identifier: Apache-2.0 */
#include "config/kv_plan.h"
#include "parse.h"

#include <jansson.h>

static const char body[] =
    "[{\"Key\":\"f/.pushed\",\"Value\":\"e30=\",\"ModifyIndex\":9},"
    "{\"Key\":\"f/.draft\",\"Value\":\"e30=\",\"ModifyIndex\":2},"
    "{\"Key\":\"f/folder/\",\"Value\":null,\"ModifyIndex\":2},"
    "{\"Key\":\"f/folder/old\",\"Value\":null,\"ModifyIndex\":3},"
    "{\"Key\":\"f/10-same.yaml\",\"Value\":\"dmlhOiB4Cg==\",\"ModifyIndex\":4},"
    "{\"Key\":\"f/20-other.yaml\",\"Value\":\"dmlhOiB4Cg==\",\"ModifyIndex\":5},"
    "{\"Key\":\"f/30-gone.yaml\",\"Value\":\"dmlhOiB4Cg==\",\"ModifyIndex\":6}]";

static struct kv_plan *plan(const char *now, const char *const names[][2], size_t n,
                            struct kv_rows **ret_rows, struct config_documents **ret_files)
{
    struct err e = {""};
    struct config_documents *files = documents_new(n);

    for (size_t i = 0; i < n; i++)
        files->list[files->n++] = (struct config_document){names[i][0], str_of(names[i][1])};
    *ret_files = files;
    *ret_rows = kv_rows_parse(str_of(now), "f/", &e);
    assert_non_null(*ret_rows);
    return kv_plan_new(*ret_rows, files);
}

static void test_what_changes(void **state)
{
    static const char *const files[][2] = {
        {"conf/00-new.yaml", "via: new\n"},
        {"conf/10-same.yaml", "via: x\n"},
        {"conf/20-other.yaml", "via: y\n"},
    };
    static const struct {
        enum kv_change_kind kind;
        const char *key;
        uint64_t index;
    } rows[] = {
        {KV_ADD, "00-new.yaml", 0},
        {KV_REPLACE, "20-other.yaml", 5},
        {KV_REMOVE, "30-gone.yaml", 6},
        {KV_REMOVE, "folder/old", 3},
    };
    struct config_documents *d;
    struct kv_rows *now;
    struct kv_plan *p = plan(body, files, 3, &now, &d);

    (void)state;
    assert_int_equal(p->n, ARRAY_LEN(rows));
    assert_int_equal(p->mark_index, 9);
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].kind != rows[i].kind || strcmp(p->list[i].key, rows[i].key) != 0 ||
            p->list[i].index != rows[i].index)
            fail_msg("%zu: %s", i, p->list[i].key);
    kv_plan_free(&p);
    kv_rows_free(&now);
    documents_free(&d);
}

static void test_transaction(void **state)
{
    static const char *const files[][2] = {{"a.yaml", "via: x\n"}};
    static const char expected[] =
        "[{\"KV\":{\"Verb\":\"cas\",\"Key\":\"f/.pushed\",\"Index\":0,\"Value\":\"e30=\"}},"
        "{\"KV\":{\"Verb\":\"cas\",\"Key\":\"f/a.yaml\",\"Index\":0,\"Value\":\"dmlhOiB4Cg==\"}},"
        "{\"KV\":{\"Verb\":\"delete-cas\",\"Key\":\"f/b\",\"Index\":7}}]";
    static const char part[] =
        "[{\"KV\":{\"Verb\":\"cas\",\"Key\":\"f/.pushed\",\"Index\":9,\"Value\":\"W10=\"}},"
        "{\"KV\":{\"Verb\":\"delete-cas\",\"Key\":\"f/b\",\"Index\":7}}]";
    static const char now[] = "[{\"Key\":\"f/b\",\"Value\":null,\"ModifyIndex\":7}]";
    struct err e = {""};
    struct config_documents *d;
    struct kv_rows *rows;
    struct kv_plan *p = plan(now, files, 1, &rows, &d);
    struct kv_mark first = {0, STR("{}")}, next = {9, STR("[]")};
    char *text = kv_plan_transaction(p, 0, 2, "f/", &first, &e);

    (void)state;
    assert_string_equal(text, expected);
    free(text);
    text = kv_plan_transaction(p, 1, 2, "f/", &next, &e);
    assert_string_equal(text, part);
    free(text);
    kv_plan_free(&p);
    kv_rows_free(&rows);
    documents_free(&d);
}

static void test_a_name_that_is_no_text(void **state)
{
    static const char *const files[][2] = {{"\xff.yaml", "via: x\n"}};
    struct err e = {""};
    struct config_documents *d;
    struct kv_rows *rows;
    struct kv_plan *p = plan("", files, 1, &rows, &d);
    struct kv_mark mark = {0, STR("{}")};

    (void)state;
    assert_null(kv_plan_transaction(p, 0, 1, "f/", &mark, &e));
    assert_non_null(strstr(e.text, "not UTF-8"));
    kv_plan_free(&p);
    kv_rows_free(&rows);
    documents_free(&d);
}

static void test_parts(void **state)
{
    static const struct {
        const char *name;
        size_t n, bytes, parts; /* parts 0 = too large */
    } rows[] = {
        {"nothing", 0, 0, 1},
        {"one", 1, 10, 1},
        {"as many as may be", 63, 10, 1},
        {"one more", 64, 10, 2},
        {"as much as may be", 2, 180 << 10, 1},
        {"more", 3, 180 << 10, 2},
        {"each too large", 3, 600 << 10, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config_documents *files = documents_new(rows[i].n);
        char *text = calloc(1, rows[i].bytes + 1);
        struct err e = {""};
        struct kv_rows *now = kv_rows_parse(STR(""), "f/", &e);
        size_t parts = 0, at = 0;
        struct kv_plan *p;

        for (size_t k = 0; k < rows[i].n; k++)
            files->list[files->n++] = (struct config_document){
                arena_printf(files->arena, "%zu.yaml", k), {text, rows[i].bytes}};
        p = kv_plan_new(now, files);
        assert_true((kv_plan_too_large(p) != NULL) == (rows[i].parts == 0));
        do {
            size_t to = kv_plan_fits(p, at);

            assert_true(to > at || p->n == 0);
            at = to;
            parts++;
        } while (at < p->n);
        if (parts != rows[i].parts && rows[i].parts != 0)
            fail_msg("%s: %zu parts", rows[i].name, parts);
        kv_plan_free(&p);
        kv_rows_free(&now);
        documents_free(&files);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_changes),
        cmocka_unit_test(test_transaction),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_a_name_that_is_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
