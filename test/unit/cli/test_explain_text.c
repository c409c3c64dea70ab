/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explain_text.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"

static const struct term plain = {.utf8 = false};

#define REQUEST                                                                                    \
    "\"request\": {\"method\": \"GET\", \"scheme\": \"http\", \"host\": \"h\", \"path\": \"/a\","  \
    " \"query\": \"x=1\", \"http\": \"1.1\", \"client\": \"10.0.0.1\"}"

static json_t *doc_of(const char *text)
{
    json_error_t e;
    json_t *doc = json_loads(text, 0, &e);

    if (!doc)
        fail_msg("%s", e.text);
    return doc;
}

static void test_from_request_to_outcome(void **state)
{
    json_t *doc = doc_of(
        "{" REQUEST
        ", \"matched\": {\"name\": \"/a\", \"source\": \"r.yaml:3\", \"match\": \"prefix\","
        " \"path\": \"/a\", \"host\": \"\", \"methods\": [\"GET\", \"PUT\"], \"conditions\": 1},"
        " \"others\": [{\"host\": \"h\", \"path\": \"/a/b\", \"source\": \"r.yaml:9\","
        "  \"lost_by\": \"path\"}, {\"host\": \"\", \"path\": \"/a\", \"source\": \"tag\","
        "  \"lost_by\": \"header\", \"field\": \"X-Beta\"}],"
        " \"auth\": null, \"forwarded_path\": \"/v2/a\", \"location\": null, \"services\": ["
        " {\"name\": \"new\", \"share\": 0.1, \"chosen\": false, \"breaker\": \"open\"},"
        " {\"name\": \"old\", \"share\": 0.9, \"chosen\": true, \"breaker\": \"closed\","
        "  \"circuit\": {\"state\": \"closed\", \"would_reject_now\": false, \"reopens_in_ms\": "
        "null},"
        "  \"limit\": {\"in_flight\": 3, \"max_requests\": 10, \"waiting\": 0, \"queue\": 5,"
        "   \"would\": \"pass\"}, \"policy\": {\"balance\": \"random\", \"timeouts\": "
        "{\"whole_ms\":"
        "   2000, \"connect_ms\": 1000, \"first_byte_ms\": null, \"idle_ms\": 60000}, \"retries\": "
        "{"
        "   \"attempts\": 2, \"on\": [\"connect_failed\", \"503\"], \"only_unsent\": true},"
        "   \"hedge\": {\"after_ms\": null, \"after_percentile\": 95, \"at_least_ms\": 10},"
        "   \"fallback\": [{\"kind\": \"cache\", \"max_age_ms\": 60000, \"on\": [\"503\"]},"
        "    {\"kind\": \"service\", \"service\": \"spare\", \"on\": [\"breaker_open\"]}]},"
        "  \"forwarded_host\": \"10.0.0.9:80\", \"panic\": false, \"instances\": ["
        "   {\"id\": \"o-1\", \"address\": \"10.0.0.9\", \"port\": 80, \"health\": \"passing\","
        "    \"state\": \"closed\", \"weight\": 1, \"in_flight\": 2, \"chance\": 0.5, \"pick\": "
        "true,"
        "    \"why_not\": null, \"preferred\": null},"
        "   {\"id\": \"o-2\", \"address\": \"10.0.0.8\", \"port\": 80, \"health\": \"critical\","
        "    \"state\": \"closed\", \"weight\": 1, \"in_flight\": 0, \"chance\": 0, \"pick\": "
        "false,"
        "    \"why_not\": \"critical\", \"preferred\": false}]}],"
        " \"outcome\": {\"kind\": \"forward\", \"service\": \"old\", \"instance\": \"o-1\","
        "  \"certain\": false}}");
    struct capture c;

    (void)state;
    capture_begin(&c);
    explain_text(c.out, &plain, doc);
    assert_string_equal(
        capture_end(&c),
        "request    GET http://h/a?x=1  HTTP/1.1, from 10.0.0.1\n"
        "route      /a  (r.yaml:3)\n"
        "           prefix /a, host any, methods GET, PUT, with conditions\n"
        "  not      h/a/b  (r.yaml:9): the path does not match\n"
        "  not      /a  (tag): a header field is not as it wants: X-Beta\n"
        "auth       no policy\n"
        "  beside   new  (10 % of the requests), breaker open\n"
        "service    old  (90 % of the requests; the side of this one)\n"
        "breaker    closed: lets it pass\n"
        "limit      3 of 10 in flight, 0 of 5 waiting: room for it\n"
        "timeouts   whole 2s, connect 1s, first byte none, idle 1m\n"
        "retries    2 attempts, on connect_failed, 503; only while nothing was sent (the method is "
        "not idempotent)\n"
        "hedge      a second try after p95, 10ms at least\n"
        "fallback   last good answer, at most 1m old, on 503\n"
        "fallback   service spare, on breaker_open\n"
        "sent as    /v2/a  Host: 10.0.0.9:80\n"
        "instances  random\n"
        "             INSTANCE               ADDRESS                HEALTH      STATE         "
        "WEIGHT "
        "IN FLIGHT  CHOSEN\n"
        "           > o-1                    10.0.0.9:80            passing     closed             "
        "1 "
        "        2  about 50 %\n"
        "             o-2                    10.0.0.8:80            critical    closed             "
        "1 "
        "        0  no: critical, another zone\n"
        "outcome    goes to old, instance o-1, or another: chance decides\n");
    assert_int_equal(explain_exit(doc), 0);
    capture_free(&c);
    json_decref(doc);
}

static void test_outcomes(void **state)
{
    static const struct {
        const char *name, *doc, *shown;
        int exit;
    } rows[] = {
        {"no route",
         "{" REQUEST ", \"matched\": null, \"allow\": null, \"outcome\": {\"kind\": \"refuse\","
         " \"status\": 404, \"reason\": \"no_route\", \"certain\": true}}",
         "route      none\noutcome    the gateway answers 404 no_route\n", 3},
        {"method",
         "{" REQUEST ", \"matched\": null, \"allow\": \"PUT\", \"outcome\": {\"kind\": \"refuse\","
         " \"status\": 405, \"reason\": \"method_not_allowed\", \"certain\": true}}",
         "route      none: the path has routes, but for PUT\n", 3},
        {"redirect",
         "{" REQUEST ", \"matched\": {\"name\": \"r\", \"source\": \"s\", \"match\": \"exact\","
         " \"path\": \"/a\", \"host\": \"h\", \"redirect\": {\"status\": 308}}, \"auth\": null,"
         " \"location\": \"https://h/b\", \"outcome\": {\"kind\": \"redirect\", \"status\": 308}}",
         "redirect   308 to https://h/b\noutcome    the gateway redirects: 308 https://h/b\n", 0},
        {"fallback",
         "{" REQUEST ", \"outcome\": {\"kind\": \"refuse\", \"status\": 503, \"reason\":"
         " \"no_healthy_instance\", \"detail\": \"every instance is out\", \"fallback\": "
         "\"cache\"}}",
         "503 no_healthy_instance: every instance is out; fallback: cache\n", 3},
        {"queue",
         "{" REQUEST ", \"outcome\": {\"kind\": \"wait\", \"service\": \"s\", \"instance\": \"i\","
         " \"certain\": true}}",
         "outcome    waits for its turn, then goes to s, instance i\n", 0},
        {"nothing at all", "{}", "outcome    goes to -, instance -", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *doc = doc_of(rows[i].doc);
        struct capture c;

        capture_begin(&c);
        explain_text(c.out, &plain, doc);
        if (!strstr(capture_end(&c), rows[i].shown) || explain_exit(doc) != rows[i].exit)
            fail_msg("%s:\n%s", rows[i].name, c.text);
        capture_free(&c);
        json_decref(doc);
    }
}

static void test_a_forced_breaker(void **state)
{
    json_t *doc = doc_of(
        "{" REQUEST ", \"services\": [{\"name\": \"s\\u001b\", \"share\": 1, \"chosen\": true,"
        " \"circuit\": {\"state\": \"forced_open\", \"would_reject_now\": true, \"forced\": "
        "{\"state\":"
        " \"forced_open\", \"ends_in_ms\": 60000, \"author\": \"anna\", \"why\": \"a\\nb\"}},"
        " \"limit\": {\"max_requests\": 0, \"in_flight\": 4}, \"instances\": []}]}");
    struct capture c;

    (void)state;
    capture_begin(&c);
    explain_text(c.out, &plain, doc);
    assert_non_null(strstr(capture_end(&c),
                           "service    s?\n"
                           "breaker    forced_open: would reject it now (503 breaker_open)\n"
                           "           forced by anna, 1m left: a?b\n"
                           "limit      none, 4 in flight\n"));
    capture_free(&c);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_request_to_outcome),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_a_forced_breaker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
