/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet_word.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* One row of the store's answer, with the value encoded. */
static char *row(const char *key, const char *session, const char *value)
{
    size_t n = strlen(value);
    unsigned char *b64 = test_malloc(n / 3 * 4 + 8);
    char *text = NULL;

    EVP_EncodeBlock(b64, (const unsigned char *)value, (int)n);
    assert_true(asprintf(&text,
                         "{\"Key\":\"%s\",\"Session\":\"%s\",\"ModifyIndex\":77,\"Value\":\"%s\"}",
                         key, session, b64) > 0);
    test_free(b64);
    return text;
}

static struct fleet_view *view_of(const char *key, const char *session, const char *value)
{
    char *one = row(key, session, value), *list = NULL;
    struct fleet_view *v;
    struct err e;

    assert_true(asprintf(&list, "[%s]", one) > 0);
    v = fleet_view_parse(str_of(list), "ops/frontdesk", &e);
    assert_non_null(v);
    free(one);
    free(list);
    return v;
}

static void test_gateway_there_and_back(void **state)
{
    const struct fleet_entry entries[] = {
        {"pay \"x\"\n", NULL, "open", "failure_rate", 1000, 2000},
        {"web", "web-\xff", "forced_open", "operator", 3000, 0},
    };
    const struct fleet_gateway in = {
        .address = "10.0.0.4:8080", .version = "1.2", .entries = entries, .n = 2, .more = 3};
    char *text = fleet_gateway_text(&in);
    struct fleet_view *v = view_of("ops/frontdesk/gateways/gw-1", "s", text);
    const struct fleet_gateway *g = fleet_view_gateway(v, "gw-1");

    (void)state;
    assert_non_null(g);
    assert_null(fleet_view_gateway(v, "gw-2"));
    assert_true(g->held);
    assert_string_equal(g->address, "10.0.0.4:8080");
    assert_string_equal(g->version, "1.2");
    assert_int_equal(g->more, 3);
    assert_int_equal(g->n, 2);
    assert_string_equal(g->entries[0].service, "pay \"x\"\n");
    assert_null(g->entries[0].instance);
    assert_string_equal(g->entries[0].state, "open");
    assert_string_equal(g->entries[0].cause, "failure_rate");
    assert_int_equal(g->entries[0].since_ms, 1000);
    assert_int_equal(g->entries[0].until_ms, 2000);
    assert_string_equal(g->entries[1].instance, "web-?");
    assert_int_equal(v->skipped, 0);
    fleet_view_free(v);
    free(text);
}

static void test_word_there_and_back(void **state)
{
    const struct fleet_word in = {.service = "a/b",
                                  .what = OPERATE_SHADOW,
                                  .at_ms = 1000,
                                  .until_ms = 61000,
                                  .author = "ann@gw",
                                  .why = "deploy",
                                  .by = "gw-1"};
    char *text = fleet_word_text(&in);
    struct fleet_view *v = view_of("ops/frontdesk/force/a/b", "", text);
    const struct fleet_word *w = fleet_view_word(v, "a/b");

    (void)state;
    assert_non_null(w);
    assert_int_equal(w->what, OPERATE_SHADOW);
    assert_int_equal(w->at_ms, 1000);
    assert_int_equal(w->until_ms, 61000);
    assert_string_equal(w->author, "ann@gw");
    assert_string_equal(w->why, "deploy");
    assert_string_equal(w->by, "gw-1");
    assert_int_equal(w->modify_index, 77);
    fleet_view_free(v);
    free(text);
}

/* What others may have written: left out and counted, the rest stays. */
static void test_garbage_is_skipped(void **state)
{
    static const struct {
        const char *name, *key, *value;
    } rows[] = {
        {"no JSON", "ops/frontdesk/force/x", "hello"},
        {"empty", "ops/frontdesk/force/x", ""},
        {"a list", "ops/frontdesk/force/x", "[1]"},
        {"no state", "ops/frontdesk/force/x", "{\"until\":5}"},
        {"unknown state", "ops/frontdesk/force/x", "{\"state\":\"on_fire\",\"until\":5}"},
        {"auto is no word", "ops/frontdesk/force/x", "{\"state\":\"auto\",\"until\":5}"},
        {"no end", "ops/frontdesk/force/x", "{\"state\":\"forced_open\"}"},
        {"negative end", "ops/frontdesk/force/x", "{\"state\":\"forced_open\",\"until\":-5}"},
        {"end is text", "ops/frontdesk/force/x", "{\"state\":\"forced_open\",\"until\":\"5\"}"},
        {"for a year", "ops/frontdesk/force/x",
         "{\"state\":\"forced_open\",\"at\":1,\"until\":31536000000}"},
        {"author is a number", "ops/frontdesk/force/x",
         "{\"state\":\"forced_open\",\"until\":5,\"author\":7}"},
        {"no service", "ops/frontdesk/force/", "{\"state\":\"forced_open\",\"until\":5}"},
        {"other folder", "ops/frontdesk/else/x", "{\"state\":\"forced_open\",\"until\":5}"},
        {"other prefix", "ops/frontdesk2/force/x", "{\"state\":\"forced_open\",\"until\":5}"},
        {"address is a map", "ops/frontdesk/gateways/x", "{\"address\":{}}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fleet_view *v = view_of(rows[i].key, "", rows[i].value);

        if (v->skipped != 1 || v->nwords != 0 || v->ngateways != 0)
            fail_msg("%s: skipped %zu, words %zu, gateways %zu", rows[i].name, v->skipped,
                     v->nwords, v->ngateways);
        fleet_view_free(v);
    }
}

static void test_bad_entries_of_a_gateway(void **state)
{
    struct fleet_view *v =
        view_of("ops/frontdesk/gateways/x", "",
                "{\"open\":[1,{},{\"service\":\"a\"},{\"service\":\"a\",\"state\":"
                "\"open\",\"instance\":5},{\"service\":\"a\",\"state\":\"open\"}]}");

    (void)state;
    assert_int_equal(v->ngateways, 1);
    assert_false(v->gateways[0].held);
    assert_int_equal(v->gateways[0].n, 1);
    assert_int_equal(v->skipped, 4);
    fleet_view_free(v);
}

static void test_no_list_is_an_error(void **state)
{
    static const char *const bodies[] = {"{}", "nonsense", "null", "[", "5"};
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_null(fleet_view_parse(str_of(bodies[i]), "frontdesk", &e));
}

static void test_nothing_there(void **state)
{
    struct err e;
    struct fleet_view *v = fleet_view_parse(STR(""), "frontdesk", &e);

    (void)state;
    assert_non_null(v);
    assert_int_equal(v->ngateways + v->nwords + v->skipped, 0);
    fleet_view_free(v);
}

/* However much there is to say, the value stays within its bound and says how much is missing. */
static void test_value_is_bounded(void **state)
{
    static struct fleet_entry entries[FLEET_ENTRIES_MAX];
    static char name[1000];
    struct fleet_gateway g = {
        .address = "", .version = "", .entries = entries, .n = FLEET_ENTRIES_MAX, .more = 10};
    char *text;
    json_t *doc;

    (void)state;
    memset(name, 'x', sizeof name - 1);
    for (int i = 0; i < FLEET_ENTRIES_MAX; i++)
        entries[i] = (struct fleet_entry){name, NULL, "open", "", 0, 0};
    text = fleet_gateway_text(&g);
    assert_true(strlen(text) <= FLEET_VALUE_MAX);
    doc = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(doc, "open")) +
                         json_integer_value(json_object_get(doc, "more")),
                     FLEET_ENTRIES_MAX + 10);
    assert_true(json_array_size(json_object_get(doc, "open")) > 0);
    json_decref(doc);
    free(text);
}

static void test_too_many_rows(void **state)
{
    json_t *list = json_array();
    char *one = row("frontdesk/force/x", "", "{\"state\":\"forced_open\",\"until\":5}"), *text;
    struct fleet_view *v;
    struct err e;

    (void)state;
    for (int i = 0; i < FLEET_WORDS_MAX + 5; i++)
        json_array_append_new(list, json_loads(one, 0, NULL));
    text = json_dumps(list, 0);
    v = fleet_view_parse(str_of(text), "frontdesk", &e);
    assert_int_equal(v->nwords, FLEET_WORDS_MAX);
    assert_int_equal(v->skipped, 5);
    fleet_view_free(v);
    free(text);
    free(one);
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gateway_there_and_back),
        cmocka_unit_test(test_word_there_and_back),
        cmocka_unit_test(test_garbage_is_skipped),
        cmocka_unit_test(test_bad_entries_of_a_gateway),
        cmocka_unit_test(test_no_list_is_an_error),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_value_is_bounded),
        cmocka_unit_test(test_too_many_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
