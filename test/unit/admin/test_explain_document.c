/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

static int setup(void **state)
{
    static struct gateway g;

    gateway_init(&g);
    *state = &g;
    return 0;
}

static int teardown(void **state)
{
    gateway_release(*state);
    return 0;
}

static json_t *explain(struct gateway *g, const char *method, const char *url)
{
    struct look l = look_now(&g->sources);
    struct explain_query q = {.method = method, .url = url};
    struct err e = {""};
    json_t *doc = explain_document(&l, &q, &e);

    if (!doc)
        fail_msg("%s", e.text);
    return doc;
}

static json_t *at(json_t *doc, const char *key)
{
    json_t *value = json_object_get(doc, key);

    if (!value)
        fail_msg("no %s", key);
    return value;
}

static const char *text(json_t *doc, const char *key)
{
    const char *s = json_string_value(at(doc, key));

    return s ? s : "(null)";
}

static json_t *service(json_t *doc)
{
    return json_array_get(at(doc, "services"), 0);
}

static json_t *instance(json_t *doc, size_t i)
{
    return json_array_get(at(service(doc), "instances"), i);
}

static struct instance_state *state_of(struct gateway *g, const char *name, unsigned i)
{
    return g->snapshot->services[gateway_service(g, name)->slot]->states[i];
}

static void outcome_is(json_t *doc, const char *kind, const char *reason, int status)
{
    json_t *o = at(doc, "outcome");

    assert_string_equal(text(o, "kind"), kind);
    assert_string_equal(text(o, "reason"), reason);
    assert_int_equal(json_integer_value(at(o, "status")), status);
}

static void test_a_request_that_goes_through(void **state)
{
    json_t *doc = explain(*state, "GET", "http://h/orders/../orders/7?x=1");

    assert_string_equal(text(at(doc, "request"), "path"), "/orders/7");
    assert_string_equal(text(at(doc, "request"), "query"), "x=1");
    assert_string_equal(text(at(doc, "matched"), "path"), "/orders/");
    assert_string_equal(text(doc, "forwarded_path"), "/v2/orders/7");
    assert_string_equal(text(service(doc), "name"), "orders");
    assert_true(json_is_true(at(service(doc), "chosen")));
    assert_string_equal(text(at(service(doc), "limit"), "would"), "pass");
    assert_int_equal(json_array_size(at(service(doc), "instances")), 2);
    outcome_is(doc, "forward", "(null)", 0);
    assert_string_equal(text(at(doc, "outcome"), "instance"), text(service(doc), "pick"));
    json_decref(doc);
}

static void test_answers_of_the_gateway_itself(void **state)
{
    static const struct {
        const char *method, *url, *kind, *reason;
        int status;
    } rows[] = {
        {"GET", "http://h/none", "refuse", "no_route", 404},
        {"PUT", "http://h/orders/", "refuse", "method_not_allowed", 405},
        {"GET", "http://h/old/x", "redirect", "(null)", 308},
        {"GET", "http://h/void/x", "refuse", "no_healthy_instance", 503},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *doc = explain(*state, rows[i].method, rows[i].url);

        outcome_is(doc, rows[i].kind, rows[i].reason, rows[i].status);
        json_decref(doc);
    }
}

static void test_others_and_why_they_lost(void **state)
{
    json_t *doc = explain(*state, "GET", "http://shop.example/orders/7");
    json_t *first = json_array_get(at(doc, "others"), 0);

    assert_string_equal(text(at(doc, "matched"), "host"), "shop.example");
    assert_string_equal(text(first, "path"), "/orders/");
    assert_string_equal(text(first, "lost_by"), "more_specific_host");
    assert_true(json_is_null(at(first, "field")));
    json_decref(doc);
    doc = explain(*state, "PUT", "http://h/orders/7");
    first = json_array_get(at(doc, "others"), 0);
    assert_string_equal(text(first, "lost_by"), "method");
    json_decref(doc);
}

static void test_an_open_breaker(void **state)
{
    struct breaker_info before, after;
    uint64_t now = clock_now_ns();
    json_t *doc;

    gateway_trip(*state, "orders");
    breaker_info(gateway_service(*state, "orders")->breaker, now, &before);
    doc = explain(*state, "GET", "http://h/orders/");
    outcome_is(doc, "refuse", "breaker_open", 503);
    assert_string_equal(text(service(doc), "breaker"), "open");
    assert_true(json_is_true(at(at(service(doc), "circuit"), "would_reject_now")));
    breaker_info(gateway_service(*state, "orders")->breaker, now, &after);
    assert_int_equal(before.rejected, after.rejected);
    json_decref(doc);
}

static void test_a_full_service(void **state)
{
    struct service_state *s = gateway_service(*state, "orders");
    json_t *doc;

    limit_configure(&s->limit, 1, 0);
    assert_true(limit_acquire(&s->limit));
    doc = explain(*state, "GET", "http://h/orders/");
    outcome_is(doc, "refuse", "overloaded", 503);
    assert_int_equal(json_integer_value(at(at(service(doc), "limit"), "max_requests")), 1);
    json_decref(doc);
    limit_configure(&s->limit, 1, 2);
    doc = explain(*state, "GET", "http://h/orders/");
    outcome_is(doc, "wait", "(null)", 0);
    assert_string_equal(text(at(service(doc), "limit"), "would"), "queue");
    json_decref(doc);
    limit_release(&s->limit);
}

/* Where it is left to chance the picks are spread; where it is not, one is named, and a hundred
 * questions move nothing. */
static void test_chances(void **state)
{
    struct service_state *s = gateway_service(*state, "orders");
    uint64_t cursor = atomic_load(&s->cursor);
    char first[64];

    for (int i = 0; i < 20; i++) {
        json_t *doc = explain(*state, "GET", "http://h/orders/");

        if (i == 0)
            snprintf(first, sizeof first, "%s", text(service(doc), "pick"));
        assert_string_equal(text(service(doc), "pick"), first);
        assert_true(json_is_true(at(at(doc, "outcome"), "certain")));
        json_decref(doc);
    }
    assert_int_equal(atomic_load(&s->cursor), cursor);
    assert_int_equal(atomic_load(&state_of(*state, "orders", 0)->load.in_flight), 0);
}

static void test_why_an_instance_gets_nothing(void **state)
{
    struct instance_load *load = &state_of(*state, "orders", 0)->load;
    json_t *doc;

    atomic_store(&load->ejected_until_ns, UINT64_MAX);
    doc = explain(*state, "GET", "http://h/orders/");
    assert_string_equal(text(instance(doc, 0), "why_not"), "ejected");
    assert_true(json_is_false(at(instance(doc, 0), "could_be_chosen")));
    assert_true(json_real_value(at(instance(doc, 0), "chance")) < 0.001);
    assert_true(json_real_value(at(instance(doc, 1), "chance")) > 0.999);
    assert_true(json_is_true(at(instance(doc, 1), "pick")));
    json_decref(doc);
    atomic_store(&load->ejected_until_ns, 0);
    atomic_store(&load->max_in_flight, 1);
    atomic_store(&load->in_flight, 1);
    doc = explain(*state, "GET", "http://h/orders/");
    assert_string_equal(text(instance(doc, 0), "why_not"), "at_its_limit");
    json_decref(doc);
    atomic_store(&load->in_flight, 0);
    atomic_store(&load->max_in_flight, 0);
}

static void test_before_the_first_snapshot(void **state)
{
    struct gateway *g = *state;
    struct snapshot *kept = g->snapshot;
    json_t *doc;

    g->snapshot = NULL;
    doc = explain(g, "GET", "http://h/");
    outcome_is(doc, "refuse", "catalog_unknown", 503);
    assert_int_equal(json_array_size(at(doc, "others")), 0);
    json_decref(doc);
    g->snapshot = kept;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_request_that_goes_through),
        TEST(test_answers_of_the_gateway_itself),
        TEST(test_others_and_why_they_lost),
        TEST(test_an_open_breaker),
        TEST(test_a_full_service),
        TEST(test_chances),
        TEST(test_why_an_instance_gets_nothing),
        TEST(test_before_the_first_snapshot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
