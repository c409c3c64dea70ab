/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/documents.h"
#include "admin/write.h"
#include "fixture.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>

static int set_up(void **state)
{
    struct gateway *g = malloc(sizeof *g);

    assert_non_null(g);
    gateway_init(g);
    *state = g;
    return 0;
}

static int tear_down(void **state)
{
    gateway_release(*state);
    free(*state);
    return 0;
}

/* The document of the answer; *ret_status its status. */
static json_t *put(struct gateway *g, const char *rest, const char *body, const char *cert_name,
                   int *ret_status)
{
    struct look l = look_now(&g->sources);
    struct page_answer a = {.body = evbuffer_new()};
    const struct write_request q = {.rest = rest,
                                    .content_type = "application/json",
                                    .body = str_of(body),
                                    .peer = "10.1.2.3",
                                    .cert_name = cert_name};
    json_t *doc;
    size_t n;

    write_answer(&l, &q, &a);
    n = evbuffer_get_length(a.body);
    doc = json_loadb((const char *)evbuffer_pullup(a.body, -1), n, 0, NULL);
    assert_non_null(doc);
    evbuffer_free(a.body);
    *ret_status = a.status;
    return doc;
}

static const char *text_at(json_t *doc, const char *key)
{
    const char *text = json_string_value(json_object_get(doc, key));

    return text ? text : "(none)";
}

static void orders_and_their_answers(void **state)
{
    static const struct {
        const char *rest, *body;
        int status;
        const char *key, *value;
    } rows[] = {
        {"orders", "{\"state\":\"forced_open\"}", 200, "state", "forced_open"},
        {"orders", "{\"state\":\"forced_closed\"}", 200, "state", "forced_closed"},
        {"orders", "{\"state\":\"shadow\"}", 200, "state", "shadow"},
        {"orders", "{\"state\":\"disabled\"}", 200, "state", "disabled"},
        {"orders", "{\"state\":\"auto\"}", 200, "state", "closed"},
        {"orders", "{\"state\":\"reset\"}", 200, "state", "closed"},
        {"orders/127.0.0.1:7001", "{\"state\":\"forced_open\"}", 200, "state", "forced_open"},
        {"orders/127.0.0.1:7002", "{\"state\":\"forced_open\"}", 409, "reason", "last_instance"},
        {"orders/127.0.0.1:7001", "{\"state\":\"auto\"}", 200, "state", "closed"},
        {"orders/127.0.0.1:7001", "{\"state\":\"shadow\"}", 400, "reason", "bad_request"},
        {"web/127.0.0.1:7003", "{\"state\":\"forced_open\"}", 409, "reason", "last_instance"},
        {"web/127.0.0.1:7003", "{\"state\":\"forced_open\",\"even_last\":true}", 200, "state",
         "forced_open"},
        {"nope", "{\"state\":\"auto\"}", 404, "reason", "not_found"},
        {"orders/nope", "{\"state\":\"auto\"}", 404, "reason", "not_found"},
        {"nope", "{\"state\":\"what\"}", 400, "reason", "bad_request"},
        {"orders", "{\"state\":\"forced_open\",\"scope\":\"fleet\"}", 503, "reason", "fleet_off"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int status;
        json_t *doc = put(*state, rows[i].rest, rows[i].body, "", &status);

        if (status != rows[i].status || strcmp(text_at(doc, rows[i].key), rows[i].value) != 0)
            fail_msg("%s %s: %d %s", rows[i].rest, rows[i].body, status, text_at(doc, rows[i].key));
        json_decref(doc);
    }
}

static void the_certificate_names_the_author(void **state)
{
    int status;
    json_t *doc = put(*state, "orders", "{\"state\":\"forced_open\"}", "carol", &status);

    assert_string_equal(text_at(json_object_get(doc, "forced"), "author"), "carol");
    json_decref(doc);
    doc =
        put(*state, "orders", "{\"state\":\"forced_open\",\"author\":\"dave\"}", "carol", &status);
    assert_string_equal(text_at(json_object_get(doc, "forced"), "author"), "dave");
    assert_string_equal(text_at(json_object_get(doc, "forced"), "scope"), "local");
    json_decref(doc);
}

static void only_json_of_a_sensible_size_is_read(void **state)
{
    static const struct {
        const char *type;
        size_t n; /* bytes of body */
        int status;
    } rows[] = {
        {NULL, 20, 415},
        {"", 20, 415},
        {"text/plain", 20, 415},
        {"application/json5", 20, 415},
        {"text/plain; application/json", 20, 415},
        {"application/x-www-form-urlencoded", 20, 415},
        {"application/json", 4097, 413},
        {"application/json", 4096, 400}, /* of blanks: no JSON */
        {"APPLICATION/json ;charset=utf-8", 20, 400},
        {"application/json", 0, 400},
    };
    struct gateway *g = *state;
    char body[5000];

    memset(body, ' ', sizeof body);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct look l = look_now(&g->sources);
        struct page_answer a = {.body = evbuffer_new()};
        const struct write_request q = {.rest = "orders",
                                        .content_type = rows[i].type,
                                        .body = {body, rows[i].n},
                                        .peer = "10.1.2.3",
                                        .cert_name = ""};

        write_answer(&l, &q, &a);
        if (a.status != rows[i].status)
            fail_msg("%s: %d", rows[i].type ? rows[i].type : "(none)", a.status);
        evbuffer_free(a.body);
    }
    assert_int_equal(journal_newest(registry_journal(g->registry)), 0);
}

static void only_the_own_origin_may_write(void **state)
{
    static const struct {
        const char *origin, *host;
        bool tls, allowed;
    } rows[] = {
        {NULL, "127.0.0.1:9901", false, true},
        {NULL, NULL, false, true},
        {"http://127.0.0.1:9901", "127.0.0.1:9901", false, true},
        {"HTTP://LOCALHOST:9901", "localhost:9901", false, true},
        {"https://127.0.0.1:9901", "127.0.0.1:9901", true, true},
        {"https://127.0.0.1:9901", "127.0.0.1:9901", false, false},
        {"http://127.0.0.1:9901", "127.0.0.1:9901", true, false},
        {"http://127.0.0.1:9902", "127.0.0.1:9901", false, false},
        {"http://127.0.0.1", "127.0.0.1:9901", false, false},
        {"http://127.0.0.1:9901.evil.example", "127.0.0.1:9901", false, false},
        {"http://evil.example", "127.0.0.1:9901", false, false},
        {"null", "127.0.0.1:9901", false, false},
        {"", "127.0.0.1:9901", false, false},
        {"http://", "", false, true},
        {"http://x", NULL, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (write_origin_allowed(rows[i].origin, rows[i].host, rows[i].tls) != rows[i].allowed)
            fail_msg("row %zu", i);
}

static struct {
    bool connected, refuses;
    char service[32], author[32];
    enum operation what;
} fleet;

static int fleet_takes(void *arg, const char *service, const struct operate_request *q,
                       struct err *e)
{
    (void)arg;
    if (fleet.refuses)
        return err_set(e, "cannot be written");
    snprintf(fleet.service, sizeof fleet.service, "%s", service);
    snprintf(fleet.author, sizeof fleet.author, "%s", q->author);
    fleet.what = q->what;
    return 0;
}

static bool fleet_is_connected(void *arg)
{
    (void)arg;
    return fleet.connected;
}

static void the_fleet_is_told(void **state)
{
    static const struct {
        bool connected, refuses;
        const char *rest;
        int status;
        const char *reason;
    } rows[] = {
        {true, false, "orders", 200, "(none)"},
        {false, false, "orders", 503, "fleet_away"},
        {true, true, "orders", 400, "bad_request"},
        {true, false, "orders/127.0.0.1:7001", 400, "bad_request"},
    };
    struct gateway *g = *state;

    g->sources.fleet_force = fleet_takes;
    g->sources.fleet_connected = fleet_is_connected;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int status;
        json_t *doc;

        memset(&fleet, 0, sizeof fleet);
        fleet.connected = rows[i].connected;
        fleet.refuses = rows[i].refuses;
        doc =
            put(g, rows[i].rest,
                "{\"state\":\"forced_open\",\"scope\":\"fleet\",\"author\":\"erin\"}", "", &status);
        if (status != rows[i].status || strcmp(text_at(doc, "reason"), rows[i].reason) != 0)
            fail_msg("row %zu: %d %s", i, status, text_at(doc, "reason"));
        assert_string_equal(fleet.service, status == 200 ? "orders" : "");
        assert_string_equal(fleet.author, status == 200 ? "erin" : "");
        json_decref(doc);
    }
}

static json_int_t id_at(json_t *doc, size_t i)
{
    json_t *list = json_object_get(doc, "transitions");

    return json_integer_value(json_object_get(json_array_get(list, i), "id"));
}

static void transitions_are_paged_and_filtered(void **state)
{
    static const struct {
        bool after_given;
        uint64_t after;
        const char *service;
        size_t limit, n;
        json_int_t first;
    } rows[] = {
        {false, 0, NULL, 100, 6, 1}, {false, 0, NULL, 2, 2, 5}, {true, 0, NULL, 2, 2, 1},
        {true, 2, NULL, 2, 2, 3},    {true, 6, NULL, 10, 0, 0}, {false, 0, "web", 10, 3, 2},
        {false, 0, "web", 1, 1, 6},  {true, 2, "web", 1, 1, 4}, {false, 0, "nope", 10, 0, 0},
    };
    struct gateway *g = *state;
    struct look l;
    int status;

    for (int i = 0; i < 6; i++)
        json_decref(put(g, i % 2 ? "web" : "orders",
                        i < 3 ? "{\"state\":\"shadow\"}" : "{\"state\":\"forced_closed\"}", "",
                        &status));
    l = look_now(&g->sources);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *doc = transitions_document(&l, rows[i].after_given, rows[i].after, rows[i].service,
                                           rows[i].limit);
        size_t n = json_array_size(json_object_get(doc, "transitions"));

        if (n != rows[i].n || id_at(doc, 0) != rows[i].first)
            fail_msg("row %zu: %zu from %lld", i, n, (long long)id_at(doc, 0));
        assert_int_equal(json_integer_value(json_object_get(doc, "lost")), 0);
        json_decref(doc);
    }
}

static void what_the_journal_lost_is_counted(void **state)
{
    struct gateway *g = *state;
    struct look l;
    json_t *doc;
    int status;

    for (int i = 0; i < JOURNAL_KEPT + 10; i++)
        json_decref(put(g, "web",
                        i % 2 ? "{\"state\":\"shadow\"}" : "{\"state\":\"forced_closed\"}", "",
                        &status));
    l = look_now(&g->sources);
    doc = transitions_document(&l, true, 3, NULL, 5);
    assert_int_equal(json_integer_value(json_object_get(doc, "lost")), 7);
    assert_int_equal(id_at(doc, 0), 11);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(orders_and_their_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_certificate_names_the_author, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_json_of_a_sensible_size_is_read, set_up, tear_down),
        cmocka_unit_test(only_the_own_origin_may_write),
        cmocka_unit_test_setup_teardown(the_fleet_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(transitions_are_paged_and_filtered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_journal_lost_is_counted, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
