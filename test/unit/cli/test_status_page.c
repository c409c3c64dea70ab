/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_page.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "gateway_documents.h"

#define INSTANCE(available, ejected)                                                               \
    "[{\"id\": \"a\", \"available\": " available ", \"ejected\": " ejected "},"                    \
    " {\"id\": \"b\", \"available\": true}]"

static void test_attention_and_exit(void **state)
{
    static const struct {
        const char *name;
        struct service_said said;
        enum attention attention;
        int exit;
    } rows[] = {
        {"fine", {.name = "s"}, ATTENTION_NONE, 0},
        {"open", {.name = "s", .breaker = "\"state\": \"open\""}, ATTENTION_DOWN, 3},
        {"nothing available", {.name = "s", .instances = "[{\"id\": \"a\"}]"}, ATTENTION_DOWN, 3},
        {"no instance", {.name = "s", .instances = "[]"}, ATTENTION_DOWN, 3},
        {"half open", {.name = "s", .breaker = "\"state\": \"half_open\""}, ATTENTION_SERIOUS, 3},
        {"forced open",
         {.name = "s", .breaker = FORCED("forced_open", "a", "b")},
         ATTENTION_SERIOUS,
         3},
        {"forced closed",
         {.name = "s", .breaker = FORCED("forced_closed", "a", "b")},
         ATTENTION_SERIOUS,
         3},
        {"ejected", {.name = "s", .instances = INSTANCE("false", "true")}, ATTENTION_WARNING, 3},
        {"an instance is held in",
         {.name = "s",
          .breaker = "\"state\": \"closed\", \"instances\": [{\"id\": \"a\", " FORCED(
              "forced_closed", "a", "b") "}]"},
         ATTENTION_WARNING,
         3},
        {"disabled by hand",
         {.name = "s", .breaker = FORCED("disabled", "a", "b")},
         ATTENTION_NOTICE,
         3},
        {"disabled by configuration",
         {.name = "s", .breaker = "\"state\": \"disabled\", \"machine\": \"closed\""},
         ATTENTION_NONE,
         0},
        {"shadow, content",
         {.name = "s", .breaker = "\"state\": \"shadow\", \"machine\": \"closed\""},
         ATTENTION_NONE,
         0},
        {"comes from another place",
         {.name = "s",
          .failover = "{\"active\": \"dc2\", \"preferred\": false, \"why\": \"dc1: away\"}"},
         ATTENTION_NOTICE,
         3},
        {"comes from where it should",
         {.name = "s", .failover = "{\"active\": \"dc1\", \"preferred\": true}"},
         ATTENTION_NONE,
         0},
        {"from where is not known yet",
         {.name = "s", .failover = "{\"active\": null, \"preferred\": false}"},
         ATTENTION_NONE,
         0},
        {"Consul is not believed yet",
         {.name = "s", .failover = "null, \"held\": {\"instances\": 8}"},
         ATTENTION_NOTICE,
         3},
        {"all that Consul says is believed",
         {.name = "s", .failover = "null, \"held\": {\"instances\": 0}, \"damped\": 1"},
         ATTENTION_NONE,
         0},
        {"shadow would reject",
         {.name = "s", .breaker = "\"state\": \"shadow\", \"machine\": \"open\""},
         ATTENTION_NOTICE,
         3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct status_page *p = page_of(&rows[i].said, 1, 1, NULL, NULL);

        if (p->lines[0].attention != rows[i].attention || status_page_exit(p) != rows[i].exit)
            fail_msg("%s: %d, exit %d", rows[i].name, p->lines[0].attention, status_page_exit(p));
        status_page_free(&p);
        assert_null(p);
    }
}

static void test_worst_first_then_by_name(void **state)
{
    static const struct service_said s[] = {
        {.name = "b"},
        {.name = "a"},
        {.name = "half", .breaker = "\"state\": \"half_open\""},
        {.name = "z-open", .breaker = "\"state\": \"open\""},
        {.name = "out", .instances = INSTANCE("false", "true")},
    };
    static const char *const order[] = {"z-open", "half", "out", "a", "b"};
    struct status_page *p = page_of(s, ARRAY_LEN(s), 1, NULL, NULL);

    (void)state;
    assert_int_equal(p->n, ARRAY_LEN(order));
    for (size_t i = 0; i < p->n; i++)
        assert_string_equal(p->lines[i].name, order[i]);
    status_page_free(&p);
    p = page_of(s, ARRAY_LEN(s), 1, NULL, "half");
    assert_int_equal(p->n, 1);
    assert_string_equal(p->lines[0].name, "half");
    status_page_free(&p);
}

static void test_rates_between_two_looks(void **state)
{
    static const struct service_said first = {
        .name = "s", .requests = 100, .failed = 10, .counts = "90, 10, 0"};
    struct service_said second = {
        .name = "s", .requests = 120, .failed = 15, .counts = "90, 28, 2"};
    struct status_page *a = page_of(&first, 1, NS_PER_S, NULL, NULL), *b;

    (void)state;
    assert_false(a->rates);
    assert_true(a->lines[0].rate < 0);
    assert_true(a->lines[0].p50_ms > 5.4 && a->lines[0].p50_ms < 5.6);
    b = page_of(&second, 1, 3 * NS_PER_S, a, NULL);
    assert_true(b->rates);
    assert_int_equal((int)(b->lines[0].rate * 10), 100);
    assert_int_equal((int)(b->lines[0].failure_rate * 10), 25);
    /* All 20 new ones are above 10 ms: 18 below 100, two above. */
    assert_int_equal((int)b->lines[0].p50_ms, 60);
    assert_int_equal((int)b->lines[0].p99_ms, 100);
    /* A quarter of failures ranks the line, but is no state. */
    assert_int_equal(b->lines[0].attention, ATTENTION_WARNING);
    assert_int_equal(status_page_exit(b), 0);
    status_page_free(&b);
    /* Nor does it hide one. */
    second.failover = "null, \"held\": {\"instances\": 8}";
    b = page_of(&second, 1, 3 * NS_PER_S, a, NULL);
    assert_int_equal(b->lines[0].attention, ATTENTION_WARNING);
    assert_int_equal(status_page_exit(b), 3);
    status_page_free(&a);
    status_page_free(&b);
}

/* After a restart the counts begin again. */
static void test_no_rates_over_a_restart(void **state)
{
    static const struct service_said s = {.name = "s", .requests = 100};
    struct status_page *a = page_of(&s, 1, NS_PER_S, NULL, NULL), *b;

    (void)state;
    json_object_set_new(a->status, "started", json_string("2026-11-24T00:00:00.000Z"));
    b = page_of(&s, 1, 2 * NS_PER_S, a, NULL);
    assert_false(b->rates);
    assert_true(b->lines[0].rate < 0);
    status_page_free(&a);
    status_page_free(&b);
}

/* A service that was not there before has come with all its requests. */
static void test_a_new_service(void **state)
{
    static const struct service_said old = {.name = "old"};
    static const struct service_said both[] = {{.name = "old"}, {.name = "new", .requests = 8}};
    struct status_page *a = page_of(&old, 1, NS_PER_S, NULL, NULL);
    struct status_page *b = page_of(both, 2, 2 * NS_PER_S, a, NULL);

    (void)state;
    assert_string_equal(b->lines[0].name, "new");
    assert_int_equal((int)b->lines[0].rate, 8);
    assert_int_equal((int)b->lines[1].rate, 0);
    assert_true(b->lines[1].p99_ms < 0);
    status_page_free(&a);
    status_page_free(&b);
}

static void test_document(void **state)
{
    static const struct service_said s[] = {
        {.name = "fine"}, {.name = "bad", .breaker = FORCED("forced_open", "anna", "x")}};
    struct status_page *p = page_of(s, 2, 1, NULL, NULL);
    json_t *doc = status_page_document(p), *worst = json_object_get(doc, "worst");
    json_t *row = json_array_get(json_object_get(doc, "services"), 0);

    (void)state;
    assert_non_null(doc);
    assert_string_equal(doc_text(worst, "service"), "bad");
    assert_string_equal(doc_text(worst, "state"), "forced_open");
    assert_int_equal(doc_int(doc, "exit"), 3);
    assert_string_equal(doc_text(row, "name"), "bad");
    assert_string_equal(doc_text(json_object_get(row, "forced"), "author"), "anna");
    assert_true(json_is_null(json_object_get(row, "requests_per_s")));
    json_decref(doc);
    status_page_free(&p);
    p = page_of(s, 1, 1, NULL, NULL);
    doc = status_page_document(p);
    assert_true(json_is_null(json_object_get(doc, "worst")));
    json_decref(doc);
    json_object_set_new(json_object_get(p->status, "consul"), "connected", json_false());
    doc = status_page_document(p);
    assert_string_equal(doc_text(json_object_get(doc, "worst"), "state"), "consul_away");
    assert_int_equal(status_page_exit(p), 3);
    json_decref(doc);
    json_object_set_new(json_object_get(p->status, "consul"), "connected", json_true());
    assert_int_equal(status_page_exit(p), 0);
    json_object_set_new(json_object_get(p->status, "consul"), "access",
                        said("{\"missing\": [{\"optional\": true}], \"token\": {}}"));
    assert_int_equal(status_page_exit(p), 0);
    json_object_set_new(json_object_get(p->status, "consul"), "access",
                        said("{\"missing\": [{\"optional\": false}], \"token\": {}}"));
    doc = status_page_document(p);
    assert_string_equal(doc_text(json_object_get(doc, "worst"), "state"), "consul_rights");
    assert_int_equal(status_page_exit(p), 3);
    json_decref(doc);
    json_object_del(json_object_get(p->status, "consul"), "access");
    json_object_set_new(p->status, "overload", said("{\"level\": 1}"));
    doc = status_page_document(p);
    assert_string_equal(doc_text(json_object_get(doc, "worst"), "state"), "shedding");
    assert_int_equal(status_page_exit(p), 3);
    json_decref(doc);
    status_page_free(&p);
}

/* Whatever answers there: nothing that is missing or of another type may hurt. */
static void test_odd_documents(void **state)
{
    static const char *const odd[] = {
        "{}",
        "[]",
        "null",
        "{\"services\": 1, \"breakers\": {}}",
        "{\"services\": [1, null, {}, {\"name\": 2, \"breaker\": [], \"instances\": {}}]}",
        ("{\"breakers\": [{\"service\": \"s\", \"forced\": 1}, 2],"
         " \"services\": [{\"name\": \"s\", \"latency_ms\": 3}]}"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        json_t *doc = json_loads(odd[i], JSON_DECODE_ANY, NULL);
        struct status_page *a, *b;

        assert_non_null(doc);
        a = status_page_new(json_incref(doc), json_incref(doc), json_incref(doc), 1, NULL, NULL);
        b = status_page_new(json_incref(doc), json_incref(doc), doc, NS_PER_S, a, NULL);
        json_decref(status_page_document(b));
        status_page_exit(b);
        status_page_free(&a);
        status_page_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_and_exit),
        cmocka_unit_test(test_worst_first_then_by_name),
        cmocka_unit_test(test_rates_between_two_looks),
        cmocka_unit_test(test_no_rates_over_a_restart),
        cmocka_unit_test(test_a_new_service),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_odd_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
