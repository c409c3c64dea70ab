/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/pages.h"
#include "fixture.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>

struct got {
    int status;
    const char *type, *policy;
    char *text;  /* owned */
    json_t *doc; /* owned; NULL when it is no JSON */
};

static struct got get(struct gateway *g, const char *path, const char *query)
{
    struct look l = look_now(&g->sources);
    struct page_answer a = {.body = evbuffer_new()};
    struct evkeyvalq pairs;
    struct got got;
    size_t n;

    assert_int_equal(evhttp_parse_query_str(query, &pairs), 0);
    pages_answer(&l, &(struct page_request){path, &pairs}, &a);
    evhttp_clear_headers(&pairs);
    n = evbuffer_get_length(a.body);
    got = (struct got){a.status, a.type, a.policy, calloc(1, n + 1), NULL};
    assert_non_null(got.text);
    evbuffer_remove(a.body, got.text, n);
    evbuffer_free(a.body);
    got.doc = json_loads(got.text, 0, NULL);
    return got;
}

static void drop(struct got *got)
{
    json_decref(got->doc);
    free(got->text);
}

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

static const char *string_at(json_t *doc, const char *key)
{
    return json_string_value(json_object_get(doc, key));
}

static void every_path_has_its_answer(void **state)
{
    static const struct {
        const char *path;
        int status;
        const char *type;
    } cases[] = {
        {"/", 200, "text/html; charset=utf-8"},
        {"/dashboard.js", 200, "text/javascript; charset=utf-8"},
        {"/dashboard.css", 200, "text/css; charset=utf-8"},
        {"/dashboard/words.js", 200, "text/javascript; charset=utf-8"},
        {"/dashboard/icon-bad.svg", 200, "image/svg+xml"},
        {"/dashboard/", 404, "application/json"},
        {"/dashboard/nope.js", 404, "application/json"},
        {"/livez", 200, "text/plain; charset=utf-8"},
        {"/readyz", 200, "text/plain; charset=utf-8"},
        {"/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"},
        {"/v1/status", 200, "application/json"},
        {"/v1/services", 200, "application/json"},
        {"/v1/services/orders", 200, "application/json"},
        {"/v1/services/order%73", 200, "application/json"},
        {"/v1/services/nope", 404, "application/json"},
        {"/v1/services/orders%00", 404, "application/json"},
        {"/v1/services/orders/", 404, "application/json"},
        {"/v1/services/", 404, "application/json"},
        {"/v1/servicesx", 404, "application/json"},
        {"/v1/breakers", 200, "application/json"},
        {"/v1/breakers/web", 200, "application/json"},
        {"/v1/breakers/nope", 404, "application/json"},
        {"/v1/routes", 200, "application/json"},
        {"/v1/explain", 400, "application/json"},
        {"/v1", 404, "application/json"},
        {"/x", 404, "application/json"},
        {"/../etc/passwd", 404, "application/json"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct got got = get(*state, cases[i].path, "");

        if (got.status != cases[i].status || strcmp(got.type, cases[i].type) != 0)
            fail_msg("%s: %d %s", cases[i].path, got.status, got.type);
        if (strcmp(cases[i].type, "application/json") == 0 && !got.doc)
            fail_msg("%s: no JSON: %s", cases[i].path, got.text);
        assert_non_null(strstr(got.policy, "default-src 'none'"));
        assert_true(got.text[0] != '\0');
        drop(&got);
    }
}

static void readiness_says_why_not(void **state)
{
    struct gateway *g = *state;
    struct snapshot *kept = g->snapshot;
    struct got got;

    g->snapshot = NULL;
    got = get(g, "/readyz", "");
    assert_int_equal(got.status, 503);
    assert_non_null(strstr(got.text, "no snapshot"));
    drop(&got);
    got = get(g, "/v1/status", "");
    assert_int_equal(got.status, 200);
    assert_true(json_is_null(json_object_get(got.doc, "snapshot")));
    assert_true(json_is_false(json_object_get(got.doc, "ready")));
    drop(&got);
    got = get(g, "/livez", "");
    assert_int_equal(got.status, 200);
    drop(&got);
    g->snapshot = kept;
    g->workers.draining = true;
    got = get(g, "/readyz", "");
    assert_int_equal(got.status, 503);
    assert_non_null(strstr(got.text, "draining"));
    drop(&got);
}

static void status_counts_breakers(void **state)
{
    struct got got;
    json_t *breakers;

    gateway_trip(*state, "web");
    got = get(*state, "/v1/status", "");
    breakers = json_object_get(got.doc, "breakers");
    assert_int_equal(json_integer_value(json_object_get(breakers, "open")), 1);
    assert_int_equal(json_integer_value(json_object_get(breakers, "closed")), 2);
    assert_string_equal(string_at(got.doc, "started"), "2025-11-24T23:01:06.123Z");
    drop(&got);
}

static void a_breaker_tells_what_tripped_it(void **state)
{
    struct got got;
    json_t *trip, *moves, *move;

    gateway_trip(*state, "orders");
    got = get(*state, "/v1/breakers/orders", "");
    assert_string_equal(string_at(got.doc, "service"), "orders");
    assert_string_equal(string_at(got.doc, "state"), "open");
    assert_int_equal(json_integer_value(json_object_get(got.doc, "trips")), 1);
    assert_true(json_integer_value(json_object_get(got.doc, "reopens_in_ms")) > 0);
    trip = json_object_get(got.doc, "last_trip");
    assert_string_equal(string_at(trip, "cause"), "failure_rate");
    assert_true(json_integer_value(json_object_get(trip, "failed")) > 0);
    moves = json_object_get(got.doc, "transitions");
    assert_int_equal(json_array_size(moves), 1);
    move = json_array_get(moves, 0);
    assert_string_equal(string_at(move, "from"), "closed");
    assert_string_equal(string_at(move, "to"), "open");
    drop(&got);
    got = get(*state, "/v1/breakers/web", "");
    assert_true(json_is_null(json_object_get(got.doc, "last_trip")));
    assert_true(json_is_null(json_object_get(got.doc, "reopens_in_ms")));
    drop(&got);
}

static void an_ejected_instance_is_shown_as_such(void **state)
{
    struct gateway *g = *state;
    const struct service_view *v = g->snapshot->services[gateway_service(g, "orders")->slot];
    struct instance_state *first = v->states[0];
    struct got got;
    json_t *list, *one;

    first->load.ejected_until_ns = clock_now_ns() + 10 * NS_PER_S;
    first->outlier.last_cause = OUTLIER_STREAK;
    first->outlier.cause_failed = 5;
    first->outlier.cause_total = 5;
    first->last_reason = REASON_CONNECT_FAILED;
    got = get(g, "/v1/services/orders", "");
    list = json_object_get(got.doc, "instances");
    assert_int_equal(json_array_size(list), 2);
    one = json_array_get(list, 0);
    assert_true(json_is_true(json_object_get(one, "ejected")));
    assert_true(json_is_false(json_object_get(one, "available")));
    assert_string_equal(string_at(one, "ejection_cause"), "consecutive_failures");
    assert_string_equal(string_at(one, "last_reason"), "connect_failed");
    assert_non_null(string_at(one, "ejected_until"));
    one = json_array_get(list, 1);
    assert_true(json_is_false(json_object_get(one, "ejected")));
    assert_true(json_is_true(json_object_get(one, "available")));
    assert_true(json_is_null(json_object_get(one, "ejection_cause")));
    assert_string_equal(string_at(got.doc, "watch"), "static");
    assert_int_equal(json_integer_value(json_object_get(got.doc, "available")), 1);
    one = json_object_get(json_object_get(got.doc, "config"), "breaker");
    assert_int_equal(json_integer_value(json_object_get(one, "window_ms")), 10000);
    drop(&got);
    first->load.ejected_until_ns = 0;
}

static void explain_finds_what_a_request_would(void **state)
{
    static const struct {
        const char *query, *source_path, *path, *forwarded, *location, *allow;
    } cases[] = {
        {"url=/orders/1", "/orders/", "/orders/1", "/v2/orders/1", NULL, NULL},
        {"url=http://any.example/orders/a/../b?x=1", "/orders/", "/orders/b", "/v2/orders/b", NULL,
         NULL},
        {"method=POST&url=/orders/1", NULL, "/orders/1", NULL, NULL, "GET, HEAD"},
        {"url=https://shop.example", "/", "/", "/", NULL, NULL},
        {"url=https://SHOP.example:443/a", "/", "/a", "/a", NULL, NULL},
        {"url=http://other.example/", NULL, "/", NULL, NULL, NULL},
        {"url=/old/x", "/old/", "/old/x", NULL, "https://shop.example/old/x", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct got got = get(*state, "/v1/explain", cases[i].query);
        json_t *matched = json_object_get(got.doc, "matched");
        const struct {
            const char *got, *expected;
        } pairs[] = {
            {string_at(matched, "path"), cases[i].source_path},
            {string_at(got.doc, "path"), cases[i].path},
            {string_at(got.doc, "forwarded_path"), cases[i].forwarded},
            {string_at(got.doc, "location"), cases[i].location},
            {string_at(got.doc, "allow"), cases[i].allow},
        };

        assert_int_equal(got.status, 200);
        for (size_t k = 0; k < ARRAY_LEN(pairs); k++) {
            const char *a = pairs[k].got ? pairs[k].got : "(none)";
            const char *b = pairs[k].expected ? pairs[k].expected : "(none)";

            if (strcmp(a, b) != 0)
                fail_msg("%s, %zu: got %s, expected %s", cases[i].query, k, a, b);
        }
        drop(&got);
    }
}

static void explain_refuses_what_is_no_request(void **state)
{
    static const char *const queries[] = {
        "",
        "method=GET",
        "url=",
        "method=&url=/",
        "url=orders/1",
        "url=ftp://h/",
        "url=http://",
        "url=http:///x",
        "url=/a%0d%0aHost:%20evil",
        "url=/a%20HTTP/1.1",
        "url=/a%20HTTP/1.0%0d%0aX:%20y",
        "method=GET%20/x%20HTTP/1.0%0d%0aX:&url=/",
        "method=GET%20/x&url=/",
        "method=GET%0d%0a&url=/",
        "url=http://user@host/",
        "url=/%25zz",
        "url=/a%2523b%23c",
        "url=/../../x",
        "url=http://h%0ax/",
        "url=/%C3%A9",
    };

    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct got got = get(*state, "/v1/explain", queries[i]);

        if (got.status != 400 || !string_at(got.doc, "error"))
            fail_msg("%s: %d %s", queries[i], got.status, got.text);
        drop(&got);
    }
}

static void explain_survives_a_very_long_url(void **state)
{
    char *query = malloc(20000);
    struct got got;

    assert_non_null(query);
    for (size_t n = 4000; n < 20000; n = n + (n < 4200 ? 1 : 5000)) {
        memset(query, 'a', n);
        memcpy(query, "url=/orders/", 12);
        query[n] = '\0';
        got = get(*state, "/v1/explain", query);
        assert_int_equal(got.status, n - 4 <= 4096 ? 200 : 400);
        drop(&got);
    }
    free(query);
}

static void routes_and_services_are_listed(void **state)
{
    struct got got = get(*state, "/v1/routes", "");

    assert_int_equal(json_array_size(json_object_get(got.doc, "routes")), 4);
    assert_int_equal(json_array_size(json_object_get(got.doc, "problems")), 0);
    drop(&got);
    got = get(*state, "/v1/services", "");
    assert_int_equal(json_array_size(json_object_get(got.doc, "services")), 3);
    assert_int_equal(json_array_size(json_object_get(got.doc, "latency_bounds_ms")),
                     LATENCY_BUCKETS - 1);
    drop(&got);
}

static void text_that_is_no_utf8_is_still_shown(void **state)
{
    json_t *text = json_text("caf\xc3");

    (void)state;
    assert_string_equal(json_string_value(text), "caf?");
    json_decref(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_path_has_its_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readiness_says_why_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(status_counts_breakers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_breaker_tells_what_tripped_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_ejected_instance_is_shown_as_such, set_up, tear_down),
        cmocka_unit_test_setup_teardown(explain_finds_what_a_request_would, set_up, tear_down),
        cmocka_unit_test_setup_teardown(explain_refuses_what_is_no_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(explain_survives_a_very_long_url, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_and_services_are_listed, set_up, tear_down),
        cmocka_unit_test(text_that_is_no_utf8_is_still_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
