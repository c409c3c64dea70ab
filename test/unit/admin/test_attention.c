/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/attention.h"
#include "admin/series.h"
#include "fixture.h"

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

struct row {
    const char *name;
    struct breaker_info breaker;
    uint32_t instances, in_rotation, ejected;
    bool panic;
    enum attention level;
    const char *says; /* NULL = not looked at */
};

static const uint64_t now = 1000 * NS_PER_S;

static const struct row rows[] = {
    {"fine", {.state = BREAKER_CLOSED}, 2, 2, 0, false, ATTENTION_NONE, NULL},
    {"open",
     {.state = BREAKER_OPEN,
      .machine = BREAKER_OPEN,
      .since_ns = 800 * NS_PER_S,
      .reopens_at_ns = 1012 * NS_PER_S,
      .trip =
          {.cause = BREAKER_BY_FAILURES, .total = 20, .failed = 18, .window_ns = 10 * NS_PER_S}},
     2,
     2,
     0,
     false,
     ATTENTION_DOWN,
     "orders: open since 11:56:40 UTC (3 min 20 s): 18 of 20 requests failed within 10 s; tried "
     "again in 12 s; clients get 503 breaker_open."},
    {"slow",
     {.state = BREAKER_OPEN,
      .machine = BREAKER_OPEN,
      .since_ns = 999 * NS_PER_S,
      .reopens_at_ns = 999 * NS_PER_S,
      .trip = {.cause = BREAKER_BY_SLOW_CALLS, .total = 20, .slow = 11, .window_ns = NS_PER_S}},
     2,
     2,
     0,
     false,
     ATTENTION_DOWN,
     "orders: open since 11:59:59 UTC (1 s): 11 of 20 requests were too slow within 1 s; the next "
     "request tries it; clients get 503 breaker_open."},
    {"half-open",
     {.state = BREAKER_HALF_OPEN,
      .machine = BREAKER_HALF_OPEN,
      .since_ns = 999 * NS_PER_S,
      .probes_succeeded = 1,
      .probes_in_flight = 2,
      .trip = {.cause = BREAKER_BY_PROBE, .total = 2, .failed = 1}},
     2,
     2,
     0,
     false,
     ATTENTION_LIMITED,
     "orders: half-open since 11:59:59 UTC (1 s): 1 of 2 probe requests failed; being tried: 1 "
     "good, 2 under way; all other clients get 503 breaker_open."},
    {"forced open",
     {.state = BREAKER_FORCED_OPEN,
      .machine = BREAKER_FORCED_OPEN,
      .forced = true,
      .since_ns = 999 * NS_PER_S,
      .forced_until_ns = now + 3725 * NS_PER_S},
     2,
     2,
     0,
     false,
     ATTENTION_LIMITED,
     "orders: forced open by an operator since 11:59:59 UTC (1 s); ends in 1 h 2 min; clients get "
     "503 breaker_open."},
    {"forced closed",
     {.state = BREAKER_FORCED_CLOSED, .machine = BREAKER_FORCED_CLOSED, .forced = true},
     2,
     2,
     0,
     false,
     ATTENTION_LIMITED,
     "forced closed (does not open by itself)"},
    {"switched off",
     {.state = BREAKER_DISABLED, .machine = BREAKER_DISABLED, .forced = true},
     2,
     2,
     0,
     false,
     ATTENTION_NOTE,
     "orders: switched off by"},
    {"disabled by configuration",
     {.state = BREAKER_DISABLED},
     2,
     2,
     0,
     false,
     ATTENTION_NONE,
     NULL},
    {"shadow", {.state = BREAKER_SHADOW}, 2, 2, 0, false, ATTENTION_NONE, NULL},
    {"shadow would reject",
     {.state = BREAKER_SHADOW, .machine = BREAKER_OPEN},
     2,
     2,
     0,
     false,
     ATTENTION_NOTE,
     "orders: in shadow mode, would be open since"},
    {"empty",
     {.state = BREAKER_CLOSED},
     0,
     0,
     0,
     false,
     ATTENTION_DOWN,
     "orders: it has no instance; clients get 503 no_healthy_instance."},
    {"all out",
     {.state = BREAKER_CLOSED},
     3,
     0,
     1,
     false,
     ATTENTION_DOWN,
     "orders: 0 of 3 instances in rotation (1 ejected); clients get 503 no_healthy_instance."},
    {"panic",
     {.state = BREAKER_CLOSED},
     3,
     0,
     3,
     true,
     ATTENTION_LIMITED,
     "orders: 0 of 3 instances in rotation (3 ejected), too few: all get requests (panic)."},
    {"ejected",
     {.state = BREAKER_CLOSED},
     3,
     2,
     1,
     false,
     ATTENTION_SUSPECT,
     "orders: 2 of 3 instances in rotation (1 ejected)."},
};

static void levels_and_sentences(void **state)
{
    struct gateway *g = *state;
    struct look l = look_now(&g->sources);
    const struct service_view *v = g->snapshot->services[gateway_service(g, "orders")->slot];

    l.now_ns = now;
    l.wall_ms = 1764072000000; /* 12:00:00 UTC */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct service_row row = {.name = "orders",
                                        .view = v,
                                        .breaker = rows[i].breaker,
                                        .instances = rows[i].instances,
                                        .in_rotation = rows[i].in_rotation,
                                        .ejected = rows[i].ejected,
                                        .panic = rows[i].panic};
        char text[1024];

        if (attention_of(&l, &row) != rows[i].level)
            fail_msg("%s: level %d", rows[i].name, attention_of(&l, &row));
        attention_text(&l, &row, text, sizeof text);
        if (rows[i].says && !strstr(text, rows[i].says))
            fail_msg("%s: %s", rows[i].name, text);
        for (size_t cap = 1; cap < 40; cap++) {
            memset(text, '#', sizeof text);
            attention_text(&l, &row, text, cap);
            assert_true(strlen(text) < cap);
        }
    }
}

static void many_errors_are_suspect(void **state)
{
    struct gateway *g = *state;
    struct service_state *s = gateway_service(g, "orders");
    struct series *series = series_new();
    struct service_row row;
    struct look l;
    char text[1024];

    series_sample(series, g->snapshot);
    stat_add(&s->stats[0].requests, 200);
    stat_add(&s->stats[0].by_class[5], 10);
    series_sample(series, g->snapshot);
    g->sources.series = series;
    l = look_now(&g->sources);
    service_row_fill(&row, g->snapshot->services[s->slot], l.now_ns);
    assert_int_equal(attention_of(&l, &row), ATTENTION_NONE); /* just 5 % */
    stat_add(&s->stats[0].requests, 1);
    stat_add(&s->stats[0].by_class[0], 1);
    series_sample(series, g->snapshot);
    assert_int_equal(attention_of(&l, &row), ATTENTION_SUSPECT);
    attention_text(&l, &row, text, sizeof text);
    assert_string_equal(text, "orders: 5.5 % errors in the last 30 s (11 of 201).");
    g->sources.series = NULL;
    series_free(series);
}

static void the_worst_come_first_and_no_more_than_twenty(void **state)
{
    struct gateway *g = *state;
    struct look l = look_now(&g->sources);
    const struct service_view *v = g->snapshot->services[gateway_service(g, "orders")->slot];
    struct service_row many[30];
    json_t *list;

    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = (struct service_row){
            .name = i == 29  ? "down"
                    : i == 0 ? "fine"
                             : "ejected",
            .view = v,
            .instances = 2,
            .in_rotation = i == 29 ? 0 : 2,
            .ejected = i > 0,
        };
    list = attention_list(&l, many, ARRAY_LEN(many));
    assert_int_equal(json_array_size(list), 20);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "service")),
                        "down");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "level")), 4);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "service")),
                        "ejected");
    json_decref(list);
    list = attention_list(&l, many, 1);
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(levels_and_sentences, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_errors_are_suspect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_worst_come_first_and_no_more_than_twenty, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
