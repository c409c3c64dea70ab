/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/documents.h"

#include <stdlib.h>

static json_t *trip_part(const struct look *l, const struct breaker_info *b)
{
    if (b->trips == 0)
        return json_null();
    return json_pack("{s:s,s:o,s:I,s:I,s:I,s:I}", "cause", breaker_cause_name(b->trip.cause), "at",
                     look_time(l, b->trip.at_ns), "total", (json_int_t)b->trip.total, "failed",
                     (json_int_t)b->trip.failed, "slow", (json_int_t)b->trip.slow, "window_ms",
                     (json_int_t)(b->trip.window_ns / NS_PER_MS));
}

/* Milliseconds until half-open; null when it is not open. */
static json_t *reopens_in(const struct look *l, const struct breaker_info *b)
{
    if (b->state != BREAKER_OPEN)
        return json_null();
    if (b->reopens_at_ns <= l->now_ns)
        return json_integer(0);
    return json_integer((json_int_t)((b->reopens_at_ns - l->now_ns) / NS_PER_MS));
}

json_t *breaker_summary(const struct look *l, const struct service_row *row)
{
    const struct breaker_info *b = &row->breaker;
    json_t *window = json_pack("{s:I,s:I,s:I}", "total", (json_int_t)b->now_total, "failed",
                               (json_int_t)b->now_failed, "slow", (json_int_t)b->now_slow);

    return json_pack(
        "{s:b,s:s,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "enabled",
        row->view->conf->breaker.enabled, "state", breaker_state_name(b->state), "since",
        look_time(l, b->since_ns), "since_ms_ago", look_age_ms(l, b->since_ns), "reopens_in_ms",
        reopens_in(l, b), "trips", (json_int_t)b->trips, "trips_in_a_row",
        (json_int_t)b->trips_in_a_row, "rejected", (json_int_t)b->rejected, "probes_in_flight",
        (json_int_t)b->probes_in_flight, "probes_succeeded", (json_int_t)b->probes_succeeded,
        "window", window, "last_trip", trip_part(l, b));
}

static json_t *transition_part(const struct transition *t)
{
    return json_pack("{s:o,s:s,s:s,s:s,s:I,s:I,s:I}", "at", json_wall_time(t->wall_ms), "from",
                     breaker_state_name(t->from), "to", breaker_state_name(t->to), "cause",
                     breaker_cause_name(t->cause), "total", (json_int_t)t->total, "failed",
                     (json_int_t)t->failed, "slow", (json_int_t)t->slow);
}

/* Newest first. */
static json_t *history_part(struct service_state *s)
{
    struct transition copy[TRANSITIONS_KEPT];
    json_t *list = json_array();
    uint64_t n, kept;

    pthread_mutex_lock(&s->lock);
    n = s->ntransitions;
    kept = n < TRANSITIONS_KEPT ? n : TRANSITIONS_KEPT;
    for (uint64_t i = 0; i < kept; i++)
        copy[i] = s->transitions[(n - 1 - i) % TRANSITIONS_KEPT];
    pthread_mutex_unlock(&s->lock);
    for (uint64_t i = 0; i < kept; i++)
        json_array_append_new(list, transition_part(&copy[i]));
    return list;
}

static json_t *breaker_part(const struct look *l, const struct service_row *row)
{
    json_t *doc = json_pack("{s:o}", "service", json_text(row->name));
    json_t *summary = breaker_summary(l, row);

    json_object_update(doc, summary);
    json_object_set_new(doc, "transitions", history_part(row->view->state));
    json_decref(summary);
    return doc;
}

json_t *breakers_document(const struct look *l)
{
    size_t n;
    struct service_row *rows = service_rows(l->snapshot, l->now_ns, &n);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, breaker_part(l, &rows[i]));
    free(rows);
    return json_pack("{s:o}", "breakers", list);
}

json_t *breaker_document(const struct look *l, const char *name)
{
    const struct service_view *v = service_row_find(l->snapshot, name);
    struct service_row row;

    if (!v)
        return NULL;
    service_row_fill(&row, v, l->now_ns);
    return breaker_part(l, &row);
}
