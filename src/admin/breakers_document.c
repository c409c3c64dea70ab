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

/* Milliseconds until then; 0 when it is over. */
static json_t *left_ms(const struct look *l, uint64_t at_ns)
{
    return json_integer(at_ns > l->now_ns ? (json_int_t)((at_ns - l->now_ns) / NS_PER_MS) : 0);
}

json_t *breaker_summary(const struct look *l, const struct service_row *row)
{
    const struct breaker_info *b = &row->breaker;
    struct service_state *state = row->view->state;
    json_t *window = json_pack("{s:I,s:I,s:I}", "total", (json_int_t)b->now_total, "failed",
                               (json_int_t)b->now_failed, "slow", (json_int_t)b->now_slow);
    json_t *forced =
        b->forced ? forced_part(l, &state->history, &state->forced, breaker_state_name(b->state))
                  : json_null();

    return json_pack(
        "{s:b,s:s,s:s,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "enabled",
        row->view->conf->breaker.enabled, "state", breaker_state_name(b->state), "machine",
        breaker_state_name(b->machine), "since", look_time(l, b->since_ns), "since_ms_ago",
        look_age_ms(l, b->since_ns), "reopens_in_ms",
        b->machine == BREAKER_OPEN ? left_ms(l, b->reopens_at_ns) : json_null(), "trips",
        (json_int_t)b->trips, "trips_in_a_row", (json_int_t)b->trips_in_a_row, "rejected",
        (json_int_t)b->rejected, "would_reject", (json_int_t)b->would_reject, "probes_in_flight",
        (json_int_t)b->probes_in_flight, "probes_succeeded", (json_int_t)b->probes_succeeded,
        "window", window, "last_trip", trip_part(l, b), "forced", forced);
}

static json_t *ejection_part(const struct look *l, const struct outlier_info *o)
{
    if (o->ejections == 0)
        return json_null();
    return json_pack("{s:s,s:o,s:I,s:I}", "cause", outlier_cause_name(o->cause), "at",
                     look_time(l, o->ejected_at_ns), "failed", (json_int_t)o->cause_failed, "total",
                     (json_int_t)o->cause_total);
}

json_t *instance_breaker_part(const struct look *l, const struct service_view *v, unsigned i)
{
    const struct instance *in = &v->set->items[i];
    struct instance_state *state = v->states[i];
    struct outlier_info o;

    outlier_info(&state->outlier, l->now_ns, &o);
    return json_pack(
        "{s:o,s:o,s:o,s:i,s:s,s:o,s:o,s:o,s:b,s:I,s:I,s:o,s:o}", "id", json_text(in->id), "node",
        json_text(in->node), "address", json_text(in->address), "port", (int)in->port, "state",
        outlier_state_name(o.state), "since", look_time(l, o.since_ns), "since_ms_ago",
        look_age_ms(l, o.since_ns), "reopens_in_ms",
        o.state == OUTLIER_IS_EJECTED ? left_ms(l, o.until_ns) : json_null(), "probe_in_flight",
        o.probe_in_flight, "ejections", (json_int_t)o.ejections, "in_a_row", (json_int_t)o.in_a_row,
        "last_trip", ejection_part(l, &o), "forced",
        forced_part(l, &state->history, &state->forced, outlier_state_name(o.state)));
}

static json_t *instances_part(const struct look *l, const struct service_view *v, bool history)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < v->n; i++) {
        json_t *part = instance_breaker_part(l, v, i);

        if (history)
            json_object_set_new(part, "transitions", history_part(&v->states[i]->history));
        json_array_append_new(list, part);
    }
    return list;
}

static json_t *breaker_part(const struct look *l, const struct service_row *row, bool whole)
{
    json_t *doc = json_pack("{s:o}", "service", json_text(row->name));
    json_t *summary = breaker_summary(l, row);

    json_object_update(doc, summary);
    json_object_set_new(doc, "transitions", history_part(&row->view->state->history));
    json_object_set_new(doc, "instances", instances_part(l, row->view, whole));
    json_decref(summary);
    return doc;
}

json_t *breakers_document(const struct look *l)
{
    size_t n;
    struct service_row *rows = service_rows(l->snapshot, l->now_ns, &n);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, breaker_part(l, &rows[i], false));
    free(rows);
    return json_pack("{s:o}", "breakers", list);
}

json_t *breaker_document(const struct look *l, const struct breaker_target *t)
{
    struct service_row row;
    json_t *doc;

    if (!t->whole) {
        doc = instance_breaker_part(l, t->view, t->instance);
        json_object_set_new(doc, "service", json_text(t->view->state->name));
        json_object_set_new(doc, "transitions",
                            history_part(&t->view->states[t->instance]->history));
        return doc;
    }
    service_row_fill(&row, t->view, l->now_ns);
    return breaker_part(l, &row, true);
}
