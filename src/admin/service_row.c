/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/service_row.h"

#include <stdlib.h>
#include <string.h>

#define GET(x) atomic_load_explicit(&(x), memory_order_relaxed)

static void add_stats(struct service_row *row, const struct service_stats *s)
{
    row->requests += GET(s->requests);
    row->retries += GET(s->retries);
    row->hedges += GET(s->hedges);
    row->hedges_won += GET(s->hedges_won);
    row->latency_ns_sum += GET(s->latency_ns_sum);
    for (size_t i = 0; i < ARRAY_LEN(row->by_class); i++)
        row->by_class[i] += GET(s->by_class[i]);
    for (size_t i = 0; i < REASON_COUNT; i++)
        row->reasons[i] += GET(s->reasons[i]);
    for (size_t i = 0; i < GRPC_CODES; i++)
        row->grpc[i] += GET(s->grpc[i]);
    for (size_t i = 0; i < FALLBACK_KINDS; i++) {
        uint64_t n = GET(s->fallbacks[i]);

        row->fallbacks_by[i] += n;
        row->fallbacks += n;
    }
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        uint64_t n = GET(s->latency[i]);

        row->latency[i] += n;
        row->latency_count += n;
    }
}

bool instance_ejected(const struct instance_load *load, uint64_t now_ns)
{
    return GET(load->ejected_until_ns) > now_ns;
}

bool instance_available(const struct instance *i, const struct instance_load *load, uint64_t now_ns)
{
    uint32_t max = GET(load->max_in_flight);

    return instance_usable(i) && !instance_ejected(load, now_ns) &&
           !(GET(load->on_probation) && GET(load->probing)) &&
           (max == 0 || GET(load->in_flight) < max);
}

void service_row_fill(struct service_row *row, const struct service_view *v, uint64_t now_ns)
{
    struct service_state *state = v->state;

    memset(row, 0, sizeof *row);
    row->name = state->name;
    row->view = v;
    for (unsigned w = 0; w < state->nworkers; w++)
        add_stats(row, &state->stats[w]);
    breaker_info(state->breaker, now_ns, &row->breaker);
    row->in_flight = GET(state->limit.active);
    row->waiting = GET(state->limit.waiting);
    row->limit = GET(state->limit.max_active);
    row->instances = v->n;
    row->panic = balancer_in_panic(v->balancer, now_ns);
    for (unsigned i = 0; i < v->n; i++) {
        const struct instance *in = &v->set->items[i];
        const struct instance_load *load = &v->states[i]->load;

        row->by_health[in->health]++;
        row->available += instance_available(in, load, now_ns);
        row->ejected += instance_ejected(load, now_ns);
        row->in_rotation += instance_usable(in) && !instance_ejected(load, now_ns);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct service_row *)a)->name, ((const struct service_row *)b)->name);
}

struct service_row *service_rows(const struct snapshot *s, uint64_t now_ns, size_t *ret_n)
{
    uint32_t nslots = s ? s->nslots : 0;
    struct service_row *rows = calloc(nslots ? nslots : 1, sizeof *rows);
    size_t n = 0;

    if (!rows)
        abort();
    for (uint32_t i = 0; i < nslots; i++)
        if (s->services[i])
            service_row_fill(&rows[n++], s->services[i], now_ns);
    qsort(rows, n, sizeof *rows, by_name);
    *ret_n = n;
    return rows;
}

const struct service_view *service_row_find(const struct snapshot *s, const char *name)
{
    for (uint32_t i = 0; s && i < s->nslots; i++)
        if (s->services[i] && strcmp(s->services[i]->state->name, name) == 0)
            return s->services[i];
    return NULL;
}

const struct service_view *service_row_at(const struct snapshot *s, uint32_t slot)
{
    return s && slot < s->nslots ? s->services[slot] : NULL;
}

double latency_quantile(const uint64_t counts[LATENCY_BUCKETS], double q)
{
    double rank, below = 0, lower = 0;
    uint64_t total = 0;

    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        total += counts[i];
    if (total == 0)
        return -1;
    rank = q * (double)total;
    for (size_t i = 0; i < LATENCY_BUCKETS - 1; i++) {
        double n = (double)counts[i];

        if (n > 0 && below + n >= rank)
            return lower + (latency_bounds[i] - lower) * (rank - below) / n;
        below += n;
        lower = latency_bounds[i];
    }
    return latency_bounds[LATENCY_BUCKETS - 2];
}
