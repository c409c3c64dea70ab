/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/series.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define GET(x) atomic_load_explicit(&(x), memory_order_relaxed)

struct track {
    struct tally last;
    struct series_step steps[SERIES_STEPS]; /* ring */
};

struct series {
    struct track **tracks; /* [n] by slot; owned; NULL until the first request */
    uint32_t n;
    uint64_t samples; /* in all; the newest is at (samples - 1) % SERIES_STEPS */
};

void tally_read(struct tally *t, const struct service_state *s)
{
    memset(t, 0, sizeof *t);
    for (unsigned w = 0; w < s->nworkers; w++) {
        const struct service_stats *one = &s->stats[w];

        t->requests += GET(one->requests);
        t->errors += GET(one->by_class[5]) + GET(one->by_class[0]);
        for (size_t i = 0; i < ARRAY_LEN(one->fallbacks); i++)
            t->fallbacks += GET(one->fallbacks[i]);
        for (size_t i = 0; i < LATENCY_BUCKETS; i++)
            t->latency[i] += GET(one->latency[i]);
    }
}

void tally_of(struct tally *t, const struct service_row *row)
{
    *t = (struct tally){
        .requests = row->requests,
        .errors = row->by_class[5] + row->by_class[0],
        .fallbacks = row->fallbacks,
    };
    memcpy(t->latency, row->latency, sizeof t->latency);
}

int64_t tally_quantile(const struct tally *before, const struct tally *after, double q)
{
    uint64_t counts[LATENCY_BUCKETS];
    double seconds;

    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        counts[i] = after->latency[i] - before->latency[i];
    seconds = latency_quantile(counts, q);
    return seconds < 0 ? -1 : (int64_t)(seconds * 10000 + 0.5);
}

struct series *series_new(void)
{
    return alloc_or_abort(sizeof(struct series));
}

void series_free(struct series *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        free(s->tracks[i]);
    free(s->tracks);
    free(s);
}

static void grow(struct series *s, uint32_t n)
{
    if (n <= s->n)
        return;
    s->tracks = realloc(s->tracks, n * sizeof(struct track *));
    if (!s->tracks)
        abort();
    memset(s->tracks + s->n, 0, (n - s->n) * sizeof(struct track *));
    s->n = n;
}

static bool has_traffic(const struct service_state *s)
{
    uint64_t requests = 0;

    for (unsigned w = 0; w < s->nworkers; w++)
        requests += GET(s->stats[w].requests);
    return requests > 0;
}

/* What was counted before the first step of all is no part of any. */
static struct track *track_new(const struct service_state *state, bool first_step)
{
    struct track *t = alloc_or_abort(sizeof *t);

    for (size_t i = 0; i < SERIES_STEPS; i++)
        t->steps[i].p99 = -1;
    if (first_step)
        tally_read(&t->last, state);
    return t;
}

static uint32_t cut(uint64_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void sample_track(struct track *t, const struct service_state *state, struct series_step *to)
{
    struct tally now;

    tally_read(&now, state);
    to->requests = cut(now.requests - t->last.requests);
    to->errors = cut(now.errors - t->last.errors);
    to->p99 = (int32_t)tally_quantile(&t->last, &now, 0.99);
    t->last = now;
}

void series_sample(struct series *s, const struct snapshot *snapshot)
{
    uint32_t at = (uint32_t)(s->samples % SERIES_STEPS);

    grow(s, snapshot ? snapshot->nslots : 0);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct service_view *v = service_row_at(snapshot, i);

        if (v && !s->tracks[i] && has_traffic(v->state))
            s->tracks[i] = track_new(v->state, s->samples == 0);
        if (!s->tracks[i])
            continue;
        if (v)
            sample_track(s->tracks[i], v->state, &s->tracks[i]->steps[at]);
        else
            s->tracks[i]->steps[at] = (struct series_step){.p99 = -1};
    }
    s->samples++;
}

bool series_copy(const struct series *s, uint32_t slot, struct series_step ret[SERIES_STEPS])
{
    if (!s || slot >= s->n || !s->tracks[slot])
        return false;
    for (uint64_t i = 0; i < SERIES_STEPS; i++)
        ret[i] = s->tracks[slot]->steps[(s->samples + i) % SERIES_STEPS];
    return true;
}

void series_recent(const struct series *s, uint32_t slot, unsigned steps, uint64_t *ret_requests,
                   uint64_t *ret_errors)
{
    *ret_requests = *ret_errors = 0;
    if (!s || slot >= s->n || !s->tracks[slot])
        return;
    for (uint64_t i = 1; i <= steps && i <= SERIES_STEPS && i <= s->samples; i++) {
        const struct series_step *one = &s->tracks[slot]->steps[(s->samples - i) % SERIES_STEPS];

        *ret_requests += one->requests;
        *ret_errors += one->errors;
    }
}
