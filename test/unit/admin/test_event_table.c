/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/event_table.h"
#include "fixture.h"

#include <event2/buffer.h>
#include <stdlib.h>

struct watched {
    struct gateway g;
    struct event_table *table;
    uint64_t ahead_ns; /* the table's clock: as far ahead of the real one */
};

static int set_up(void **state)
{
    struct watched *w = calloc(1, sizeof *w);

    assert_non_null(w);
    gateway_init(&w->g);
    w->g.sources.series = series_new();
    w->table = event_table_new();
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct watched *w = *state;

    event_table_free(w->table);
    series_free(w->g.sources.series);
    gateway_release(&w->g);
    free(w);
    return 0;
}

static struct look second_later(struct watched *w)
{
    struct look l = look_now(&w->g.sources);

    w->ahead_ns += NS_PER_S;
    l.now_ns += w->ahead_ns;
    return l;
}

static void refresh(struct watched *w, bool first)
{
    struct look l = second_later(w);

    event_table_refresh(w->table, &l, first);
}

/* The only event in the buffer, which is emptied; NULL when it is empty. */
static json_t *event_of(struct evbuffer *b)
{
    static const char begin[] = "event: services\ndata: ";
    size_t n = evbuffer_get_length(b);
    const char *text = (const char *)evbuffer_pullup(b, -1);
    json_t *doc;

    if (n == 0)
        return NULL;
    assert_memory_equal(text, begin, sizeof begin - 1);
    assert_memory_equal(text + n - 2, "\n\n", 2);
    doc = json_loadb(text + sizeof begin - 1, n - sizeof begin + 1, 0, NULL);
    assert_non_null(doc);
    evbuffer_drain(b, n);
    return doc;
}

static json_t *changes(struct watched *w)
{
    struct look l = look_now(&w->g.sources);
    struct evbuffer *b = evbuffer_new();
    json_t *doc;

    event_table_changes(w->table, &l, b);
    doc = event_of(b);
    evbuffer_free(b);
    return doc;
}

static json_t *row_of(json_t *doc, const char *name)
{
    size_t i;
    json_t *row;

    json_array_foreach(json_object_get(doc, "rows"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "n")), name) == 0)
            return row;
    }
    return NULL;
}

static double number(json_t *row, const char *key)
{
    return json_number_value(json_object_get(row, key));
}

static json_t *whole(struct watched *w)
{
    struct look l = look_now(&w->g.sources);
    struct evbuffer *b = evbuffer_new();
    uint32_t slot = 0;
    json_t *doc;

    assert_false(event_table_part(w->table, &l, &slot, b));
    doc = event_of(b);
    evbuffer_free(b);
    return doc;
}

static void count(struct watched *w, const char *name, uint64_t n, unsigned class, unsigned bucket)
{
    struct service_stats *s = gateway_service(&w->g, name)->stats;

    stat_add(&s->requests, n);
    stat_add(&s->by_class[class], n);
    stat_add(&s->latency[bucket], n);
}

static void the_whole_comes_first_and_then_changes_alone(void **state)
{
    struct watched *w = *state;
    json_t *doc;

    refresh(w, true);
    doc = whole(w);
    assert_true(json_is_true(json_object_get(doc, "full")));
    assert_int_equal(json_array_size(json_object_get(doc, "rows")), 3);
    assert_int_equal(number(row_of(doc, "nobody"), "a"), 4);
    assert_null(json_object_get(row_of(doc, "web"), "h"));
    json_decref(doc);
    assert_null(changes(w));
    refresh(w, false);
    assert_null(changes(w));
    count(w, "web", 30, 2, 4);
    count(w, "web", 10, 5, 4);
    refresh(w, false);
    doc = changes(w);
    assert_true(json_is_false(json_object_get(doc, "full")));
    assert_int_equal(json_array_size(json_object_get(doc, "rows")), 1);
    assert_true(number(row_of(doc, "web"), "r") > 39 && number(row_of(doc, "web"), "r") < 41);
    assert_true(number(row_of(doc, "web"), "e") > 9 && number(row_of(doc, "web"), "e") < 11);
    assert_true(number(row_of(doc, "web"), "p99") > number(row_of(doc, "web"), "p50"));
    json_decref(doc);
    refresh(w, false);
    doc = changes(w);
    assert_true(number(row_of(doc, "web"), "r") == 0);
    assert_true(json_is_null(json_object_get(row_of(doc, "web"), "p99")));
    json_decref(doc);
    refresh(w, false);
    assert_null(changes(w));
}

static void a_touched_row_keeps_its_rates(void **state)
{
    struct watched *w = *state;
    struct look l;
    json_t *doc, *row;

    refresh(w, true);
    count(w, "web", 50, 2, 4);
    refresh(w, false);
    json_decref(changes(w));
    gateway_trip(&w->g, "web");
    l = look_now(&w->g.sources);
    event_table_touch(w->table, &l, gateway_service(&w->g, "web")->slot);
    event_table_touch(w->table, &l, 4711);
    doc = changes(w);
    assert_int_equal(json_array_size(json_object_get(doc, "rows")), 1);
    row = row_of(doc, "web");
    assert_string_equal(json_string_value(json_object_get(row, "s")), "open");
    assert_string_equal(json_string_value(json_object_get(row, "cause")), "failure_rate");
    assert_int_equal(json_array_size(json_object_get(row, "trip")), 4);
    assert_true(number(row, "r") > 49);
    assert_int_equal(number(row, "a"), 4);
    assert_true(number(row, "until") > number(row, "since"));
    json_decref(doc);
    assert_null(changes(w));
}

static void a_forced_row_says_who_and_why(void **state)
{
    struct watched *w = *state;
    const struct operate_request q = {
        .what = OPERATE_CLOSE, .ttl_ms = 60000, .author = "al\"ice", .why = "a\\b"};
    json_t *doc, *row;

    refresh(w, true);
    operate_service(gateway_service(&w->g, "web"), &q, clock_now_ns() + w->ahead_ns);
    refresh(w, false);
    doc = changes(w);
    row = row_of(doc, "web");
    assert_string_equal(json_string_value(json_object_get(row, "s")), "forced_closed");
    assert_string_equal(json_string_value(json_object_get(row, "fby")), "al\"ice");
    assert_string_equal(json_string_value(json_object_get(row, "fwhy")), "a\\b");
    assert_true(json_is_null(json_object_get(row, "trip")));
    json_decref(doc);
}

static void who_is_gone_is_named(void **state)
{
    struct watched *w = *state;
    uint32_t slot = gateway_service(&w->g, "web")->slot;
    struct service_view *kept = w->g.snapshot->services[slot];
    json_t *doc, *gone;

    refresh(w, true);
    w->g.snapshot->services[slot] = NULL;
    refresh(w, false);
    doc = changes(w);
    gone = json_object_get(doc, "gone");
    assert_int_equal(json_array_size(gone), 1);
    assert_string_equal(json_string_value(json_array_get(gone, 0)), "web");
    json_decref(doc);
    doc = whole(w);
    assert_int_equal(json_array_size(json_object_get(doc, "rows")), 2);
    json_decref(doc);
    refresh(w, false);
    assert_null(changes(w));
    w->g.snapshot->services[slot] = kept;
    refresh(w, false);
    doc = changes(w);
    assert_non_null(row_of(doc, "web"));
    json_decref(doc);
}

static void the_history_comes_with_the_whole(void **state)
{
    struct watched *w = *state;
    json_t *doc, *h;

    series_sample(w->g.sources.series, w->g.snapshot);
    count(w, "web", 50, 2, 4);
    count(w, "web", 5, 5, 4);
    series_sample(w->g.sources.series, w->g.snapshot);
    refresh(w, true);
    doc = whole(w);
    h = json_object_get(row_of(doc, "web"), "h");
    assert_int_equal(json_array_size(json_object_get(h, "r")), SERIES_STEPS);
    assert_true(json_number_value(json_array_get(json_object_get(h, "r"), 59)) == 11);
    assert_true(json_number_value(json_array_get(json_object_get(h, "e"), 59)) == 1);
    assert_true(json_number_value(json_array_get(json_object_get(h, "p"), 59)) > 0);
    assert_true(json_is_null(json_array_get(json_object_get(h, "p"), 0)));
    assert_true(number(row_of(doc, "web"), "r") == 11);
    json_decref(doc);
}

static void nothing_before_the_first_snapshot(void **state)
{
    struct watched *w = *state;
    struct snapshot *kept = w->g.snapshot;
    json_t *doc;

    w->g.snapshot = NULL;
    refresh(w, true);
    doc = whole(w);
    assert_int_equal(json_array_size(json_object_get(doc, "rows")), 0);
    json_decref(doc);
    w->g.snapshot = kept;
    refresh(w, false);
    doc = changes(w);
    assert_int_equal(json_array_size(json_object_get(doc, "rows")), 3);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_whole_comes_first_and_then_changes_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_touched_row_keeps_its_rates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_forced_row_says_who_and_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_gone_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_history_comes_with_the_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_before_the_first_snapshot, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
