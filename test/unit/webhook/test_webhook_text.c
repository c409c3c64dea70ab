/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "config/config.h"
#include "webhook/webhook_text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ON(e) (1u << (WEBHOOK_##e))

enum { SECOND = 1000 };
static const int64_t noon = 1790000000123; /* 2026-09-21T14:13:20.123Z */

/* One row for each kind of transition that a breaker or an instance can make. */
static const struct {
    const char *name;
    struct transition t;
    unsigned events;
    const char *says;
} rows[] = {
    {"failure rate",
     {.from = "closed",
      .to = "open",
      .cause = "failure_rate",
      .total = 20,
      .failed = 12,
      .window_ms = 10 * SECOND,
      .until_wall_ms = noon + 5 * SECOND},
     ON(OPEN),
     "orders: circuit breaker open, requests are turned away (12 of 20 requests failed in 10 s), "
     "until 14:13:25 UTC"},
    {"slow calls",
     {.from = "closed",
      .to = "open",
      .cause = "slow_call_rate",
      .total = 20,
      .failed = 1,
      .slow = 15,
      .window_ms = 2500},
     ON(OPEN),
     "orders: circuit breaker open, requests are turned away (15 of 20 requests were slow in "
     "2500 ms)"},
    {"a probe failed",
     {.from = "half_open", .to = "open", .cause = "probe_failed", .total = 1, .failed = 1},
     ON(OPEN),
     "orders: circuit breaker open, requests are turned away (a probe failed)"},
    {"half-open",
     {.from = "open", .to = "half_open", .cause = "open_time_over"},
     ON(HALF_OPEN),
     "orders: circuit breaker half-open, a few probes decide (its time is over)"},
    {"closed",
     {.from = "half_open", .to = "closed", .cause = "probes_passed"},
     ON(CLOSED),
     "orders: circuit breaker closed, requests pass (the probes passed)"},
    {"forced open",
     {.from = "closed",
      .to = "forced_open",
      .cause = "operator",
      .author = "alice",
      .why = "disk full",
      .until_wall_ms = noon + 86400 * SECOND},
     ON(FORCED),
     "orders: circuit breaker forced open, every request is turned away (by alice: disk full), "
     "until 2026-09-22 14:13:20 UTC"},
    {"forced closed by nobody for nothing",
     {.from = "open", .to = "forced_closed", .cause = "operator"},
     ON(FORCED),
     "orders: circuit breaker forced closed, nothing trips it (by an operator, no reason given)"},
    {"forced open ends",
     {.from = "forced_open", .to = "half_open", .cause = "expired", .author = "alice"},
     ON(FORCED) | ON(HALF_OPEN),
     "orders: circuit breaker half-open, a few probes decide (the time set by alice is over)"},
    {"reset",
     {.from = "closed", .to = "closed", .cause = "operator", .author = "al", .why = "new"},
     ON(FORCED) | ON(CLOSED),
     "orders: circuit breaker closed, requests pass (by al: new)"},
    {"disabled",
     {.from = "closed", .to = "disabled", .cause = "configuration"},
     ON(FORCED),
     "orders: circuit breaker disabled, nothing trips it (configuration)"},
    {"enabled",
     {.from = "disabled", .to = "closed", .cause = "configuration"},
     ON(FORCED) | ON(CLOSED),
     "orders: circuit breaker closed, requests pass (configuration)"},
    {"shadow mode",
     {.from = "closed", .to = "shadow", .cause = "configuration"},
     ON(FORCED),
     "orders: circuit breaker in shadow mode, it tells but turns nothing away (configuration)"},
    {"would trip",
     {.from = "closed",
      .to = "open",
      .cause = "failure_rate",
      .shadow = true,
      .total = 20,
      .failed = 20,
      .window_ms = 10 * SECOND},
     ON(SHADOW),
     "orders: circuit breaker would be open, nothing is turned away (20 of 20 requests failed in "
     "10 s)"},
    {"would close",
     {.from = "half_open", .to = "closed", .cause = "probes_passed", .shadow = true},
     ON(SHADOW),
     "orders: circuit breaker would be closed again (the probes passed)"},
    {"ejected by a streak",
     {.instance = "orders-1",
      .from = "closed",
      .to = "open",
      .cause = "consecutive_failures",
      .total = 5,
      .failed = 5,
      .until_wall_ms = noon + 30 * SECOND},
     ON(EJECTED),
     "orders, instance orders-1: out of rotation (5 requests in a row failed), until 14:13:50 UTC"},
    {"ejected again",
     {.instance = "orders-1", .from = "half_open", .to = "open", .cause = "probation_failed"},
     ON(EJECTED),
     "orders, instance orders-1: out of rotation (the request on probation failed)"},
    {"restored",
     {.instance = "orders-1", .from = "half_open", .to = "closed", .cause = "probes_passed"},
     ON(RESTORED),
     "orders, instance orders-1: in rotation again (it answers again)"},
    {"ejected by hand",
     {.instance = "orders-1",
      .from = "closed",
      .to = "forced_open",
      .cause = "operator",
      .author = "alice",
      .why = "looks odd"},
     ON(EJECTED) | ON(FORCED),
     "orders, instance orders-1: taken out of rotation by hand (by alice: looks odd)"},
    {"kept in by hand",
     {.instance = "orders-1", .from = "open", .to = "forced_closed", .cause = "operator"},
     ON(RESTORED) | ON(FORCED),
     "orders, instance orders-1: kept in rotation by hand (by an operator, no reason given)"},
    {"restored by hand",
     {.instance = "orders-1", .from = "open", .to = "closed", .cause = "operator"},
     ON(RESTORED) | ON(FORCED),
     "orders, instance orders-1: in rotation again (by an operator, no reason given)"},
    {"ejection by hand ends",
     {.instance = "orders-1", .from = "forced_open", .to = "half_open", .cause = "expired"},
     ON(HALF_OPEN) | ON(FORCED),
     "orders, instance orders-1: on probation, one request at a time (the time set by an operator "
     "is over)"},
    {"a word of a later version",
     {.from = "closed", .to = "melted", .cause = "sunshine"},
     0,
     "orders: melted (sunshine)"},
};

static void every_kind(void **state)
{
    char text[WEBHOOK_SENTENCE_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct transition t = rows[i].t;

        t.service = "orders";
        t.wall_ms = noon;
        if (strcmp(webhook_sentence(&t, text), rows[i].says) != 0)
            fail_msg("%s: %s", rows[i].name, text);
    }
}

static void events(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (webhook_events(&rows[i].t) != rows[i].events)
            fail_msg("%s: %#x", rows[i].name, webhook_events(&rows[i].t));
}

static void odd_bytes(void **state)
{
    static const struct {
        const char *why, *says;
    } odd[] = {
        {"two\r\nlines\tand\x7f\x1b[31m", "two  lines and  [31m"},
        {"<!channel> <http://evil|x>", "(!channel) (http://evil|x)"},
        {"@here alice@example.com (@all)", "(at)here alice@example.com ((at)all)"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"c1 \xc2\x85 nbsp \xc2\xa0.", "c1   nbsp \xc2\xa0."},
        {"bidi \xe2\x80\xae"
         "evil\xe2\x81\xa6.",
         "bidi  evil ."},
        {"line \xe2\x80\xa8 dash \xe2\x80\x93.", "line   dash \xe2\x80\x93."},
        {"cut \xe2", "cut \xe2"},
        {"cut \xe2\x80", "cut \xe2\x80"},
        {"100% %s %n", "100% %s %n"},
    };
    char text[WEBHOOK_SENTENCE_MAX], says[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        struct transition t = {.service = "a", .to = "forced_open", .cause = "operator"};

        snprintf(t.why, sizeof t.why, "%s", odd[i].why);
        snprintf(says, sizeof says, "(by an operator: %s)", odd[i].says);
        if (!strstr(webhook_sentence(&t, text), says))
            fail_msg("%zu: %s", i, text);
    }
}

static json_t *body_of(const struct webhook_item *item, int64_t now)
{
    struct webhook_teller who = {"gw-1", "0.1.0"};
    char *text = webhook_body(item, &who, now);
    json_t *body = json_loads(text, 0, NULL);

    free(text);
    assert_non_null(body);
    assert_string_equal(json_string_value(json_object_get(body, "gateway")), "gw-1");
    assert_string_equal(json_string_value(json_object_get(body, "version")), "0.1.0");
    return body;
}

static void body(void **state)
{
    struct webhook_item item = {
        .t = {
            .id = 7, .service = "a", .from = "open", .to = "half_open", .cause = "open_time_over"}};
    json_t *j = body_of(&item, noon), *t = json_object_get(j, "transition");

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(t, "id")), 7);
    assert_string_equal(json_string_value(json_object_get(t, "service")), "a");
    assert_int_equal(json_integer_value(json_object_get(j, "more")), 0);
    assert_string_equal(
        json_string_value(json_object_get(j, "text")),
        "a: circuit breaker half-open, a few probes decide (its time is over) [gw-1]");
    json_decref(j);
}

static void body_of_odd_bytes(void **state)
{
    struct webhook_item item = {
        .t = {.service = "a\xff\x01", .from = "open", .to = "closed", .cause = "operator"}};
    json_t *j, *t;

    (void)state;
    memset(item.t.why, '\xe2', sizeof item.t.why - 1);
    memset(item.t.author, '<', sizeof item.t.author - 1);
    memset(item.t.instance, '\x01', sizeof item.t.instance - 1);
    j = body_of(&item, noon);
    t = json_object_get(j, "transition");
    assert_string_equal(json_string_value(json_object_get(t, "service")), "a?\x01");
    assert_non_null(strstr(json_string_value(json_object_get(j, "text")), "a? , instance "));
    json_decref(j);
}

static void the_longest_fits(void **state)
{
    char service[2000];
    struct webhook_item item = {
        .t = {.service = service, .from = "open", .to = "forced_open", .cause = "operator"}};
    json_t *j;

    (void)state;
    memset(service, '@', sizeof service);
    service[sizeof service - 1] = '\0';
    memset(item.t.why, '@', sizeof item.t.why - 1);
    memset(item.t.author, '@', sizeof item.t.author - 1);
    memset(item.t.instance, '@', sizeof item.t.instance - 1);
    j = body_of(&item, noon);
    assert_true(strlen(json_string_value(json_object_get(j, "text"))) < WEBHOOK_SENTENCE_MAX + 10);
    json_decref(j);
}

static void summaries(void **state)
{
    static const struct {
        int64_t age_ms;
        const char *says;
    } ages[] = {
        {0, "37 more transitions in the last minute, see the status page [gw-1]"},
        {60 * SECOND, "37 more transitions in the last minute, see the status page [gw-1]"},
        {600 * SECOND, "37 more transitions since 14:03:20 UTC, see the status page [gw-1]"},
        {86400 * SECOND,
         "37 more transitions since 2026-09-20 14:13:20 UTC, see the status page [gw-1]"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
        struct webhook_item item = {.more = 37, .since_wall_ms = noon - ages[i].age_ms};
        json_t *j = body_of(&item, noon);

        assert_string_equal(json_string_value(json_object_get(j, "text")), ages[i].says);
        assert_true(json_is_null(json_object_get(j, "transition")));
        assert_int_equal(json_integer_value(json_object_get(j, "more")), 37);
        json_decref(j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),        cmocka_unit_test(events),
        cmocka_unit_test(odd_bytes),         cmocka_unit_test(body),
        cmocka_unit_test(body_of_odd_bytes), cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(summaries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
