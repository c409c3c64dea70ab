/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/event_row.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct event_row) == 6 * 8 + 12 * 4 + 8,
               "no padding: rows are compared whole");

void event_row_state(struct event_row *r, const struct look *l, const struct service_row *s)
{
    const struct breaker_info *b = &s->breaker;

    r->since_ns = b->since_ns;
    r->until_ns = b->forced ? b->forced_until_ns : b->reopens_at_ns;
    r->rejected = b->rejected;
    r->in_flight = s->in_flight;
    r->waiting = s->waiting;
    r->probes = b->probes_in_flight;
    r->available = s->available;
    r->instances = s->instances;
    r->ejected = s->ejected;
    r->state = (uint8_t)b->state;
    r->machine = (uint8_t)b->machine;
    r->attention = (uint8_t)attention_of(l, s);
    r->forced = b->forced;
    r->tripped = !b->forced && (b->machine == BREAKER_OPEN || b->machine == BREAKER_HALF_OPEN);
    r->cause = r->tripped ? (uint8_t)b->trip.cause : b->forced ? BREAKER_BY_OPERATOR : 0;
    r->trip_failed = r->tripped ? b->trip.failed : 0;
    r->trip_total = r->tripped ? b->trip.total : 0;
    r->trip_slow = r->tripped ? b->trip.slow : 0;
    r->trip_window_ms = r->tripped ? b->trip.window_ns / NS_PER_MS : 0;
}

static uint32_t tenths_per_s(uint64_t n, uint64_t elapsed_ns)
{
    double rate = elapsed_ns ? (double)n * 10 * (double)NS_PER_S / (double)elapsed_ns : 0;

    return rate > UINT32_MAX ? UINT32_MAX : (uint32_t)(rate + 0.5);
}

void event_row_rates(struct event_row *r, const struct tally *before, const struct tally *after,
                     uint64_t elapsed_ns)
{
    r->requests = tenths_per_s(after->requests - before->requests, elapsed_ns);
    r->errors = tenths_per_s(after->errors - before->errors, elapsed_ns);
    r->fallbacks = tenths_per_s(after->fallbacks - before->fallbacks, elapsed_ns);
    if (memcmp(before->latency, after->latency, sizeof before->latency) == 0) {
        r->p50 = r->p99 = -1;
        return;
    }
    r->p50 = tally_quantile(before, after, 0.50);
    r->p99 = tally_quantile(before, after, 0.99);
}

void event_row_last_step(struct event_row *r, const struct series *series, uint32_t slot)
{
    struct series_step steps[SERIES_STEPS];
    const struct series_step *last = &steps[SERIES_STEPS - 1];

    r->p50 = r->p99 = -1;
    if (!series_copy(series, slot, steps))
        return;
    r->requests = tenths_per_s(last->requests, SERIES_STEP_S * NS_PER_S);
    r->errors = tenths_per_s(last->errors, SERIES_STEP_S * NS_PER_S);
    r->p99 = last->p99;
}

static uint64_t wall_ms(const struct look *l, uint64_t monotonic_ns)
{
    int64_t ahead_ns = (int64_t)(monotonic_ns - l->now_ns);

    return (uint64_t)(l->wall_ms + ahead_ns / (int64_t)NS_PER_MS);
}

static void member(struct json_out *o, const char *key, uint64_t n)
{
    json_out_raw(o, key);
    json_out_number(o, n);
}

static void tenths(struct json_out *o, const char *key, int64_t n)
{
    json_out_raw(o, key);
    json_out_tenths(o, n);
}

static void word(struct json_out *o, const char *key, const char *text)
{
    json_out_raw(o, key);
    json_out_raw(o, text);
    json_out_raw(o, "\"");
}

static void quoted_or_null(struct json_out *o, const char *key, const char *text)
{
    char *quoted = text[0] ? json_quoted(text) : NULL;

    json_out_raw(o, key);
    json_out_raw(o, quoted ? quoted : "null");
    free(quoted);
}

static void write_state(const struct event_row *r, const struct look *l, struct json_out *o)
{
    word(o, ",\"s\":\"", breaker_state_name((enum breaker_state)r->state));
    word(o, ",\"m\":\"", breaker_state_name((enum breaker_state)r->machine));
    member(o, ",\"since\":", wall_ms(l, r->since_ns));
    member(o, ",\"until\":", r->until_ns ? wall_ms(l, r->until_ns) : 0);
    word(o, ",\"cause\":\"", breaker_cause_name((enum breaker_cause)r->cause));
    if (!r->tripped) {
        json_out_raw(o, ",\"trip\":null");
        return;
    }
    member(o, ",\"trip\":[", r->trip_failed);
    member(o, ",", r->trip_total);
    member(o, ",", r->trip_slow);
    member(o, ",", r->trip_window_ms);
    json_out_raw(o, "]");
}

static void write_forced(const struct event_row *r, struct service_state *s, struct json_out *o)
{
    struct forced f = {0};

    if (r->forced) {
        pthread_mutex_lock(&s->history.lock);
        f = s->forced;
        pthread_mutex_unlock(&s->history.lock);
    }
    quoted_or_null(o, ",\"fby\":", f.author);
    quoted_or_null(o, ",\"fwhy\":", f.why);
}

/* Of one step, in tenths. */
static int64_t per_s(uint32_t n)
{
    return tenths_per_s(n, SERIES_STEP_S * NS_PER_S);
}

static void write_history(const struct look *l, const struct service_state *s, struct json_out *o)
{
    struct series_step steps[SERIES_STEPS];

    if (!series_copy(l->sources->series, s->slot, steps))
        return;
    for (size_t i = 0; i < SERIES_STEPS; i++)
        tenths(o, i ? "," : ",\"h\":{\"r\":[", per_s(steps[i].requests));
    for (size_t i = 0; i < SERIES_STEPS; i++)
        tenths(o, i ? "," : "],\"e\":[", per_s(steps[i].errors));
    for (size_t i = 0; i < SERIES_STEPS; i++)
        tenths(o, i ? "," : "],\"p\":[", steps[i].p99);
    json_out_raw(o, "]}");
}

void event_row_write(const struct event_row *r, const struct look *l, struct service_state *s,
                     const char *name, bool history, struct json_out *out)
{
    json_out_raw(out, "{\"n\":");
    json_out_raw(out, name);
    write_state(r, l, out);
    write_forced(r, s, out);
    tenths(out, ",\"r\":", r->requests);
    tenths(out, ",\"e\":", r->errors);
    tenths(out, ",\"fb\":", r->fallbacks);
    tenths(out, ",\"p50\":", r->p50);
    tenths(out, ",\"p99\":", r->p99);
    member(out, ",\"f\":", r->in_flight);
    member(out, ",\"w\":", r->waiting);
    member(out, ",\"rej\":", r->rejected);
    member(out, ",\"probes\":", r->probes);
    member(out, ",\"i\":[", r->available);
    member(out, ",", r->instances);
    member(out, "],\"ej\":", r->ejected);
    member(out, ",\"a\":", r->attention);
    if (history)
        write_history(l, s, out);
    json_out_raw(out, "}");
}
