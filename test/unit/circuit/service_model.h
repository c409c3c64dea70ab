/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* service_model.h - a service with so many servers and one queue before them, and gateways that
 * send to it under an adaptive limit each: a discrete-event simulation on a clock of its own. The
 * seed decides everything.
 *
 * Clients are either closed (each sends its next request when the last one ended, a moment later
 * when it was refused) or open (Poisson arrivals; what is refused is gone). */
#include "base/macros.h"
#include "base/rng.h"
#include "circuit/adaptive.h"

#include <assert.h>
#include <math.h>

enum { MODEL_EVENTS = 16384, MODEL_QUEUE = 8192, MODEL_GATEWAYS = 2 };

struct model_request {
    unsigned gateway;
    bool closed; /* of a closed client */
    uint64_t begin_ns;
};

struct model_event {
    uint64_t at_ns;
    enum { MODEL_SEND, MODEL_OPEN_SEND, MODEL_DONE } what;
    struct model_request request;
};

struct model_gateway {
    struct limit limit;
    struct adaptive adaptive;
    uint64_t answered, refused, latency_sum_ns;
    uint32_t lowest, highest; /* limits seen */
    double rate;              /* of open arrivals, a second; 0 = none */
};

struct model {
    struct rng rng;
    uint64_t now_ns;
    unsigned servers, busy;
    double service_ns; /* mean, exponential */
    bool fixed;        /* not exponential: always the mean */
    struct model_gateway gateways[MODEL_GATEWAYS];
    unsigned ngateways;
    struct model_event heap[MODEL_EVENTS];
    unsigned nheap;
    struct model_request queue[MODEL_QUEUE];
    unsigned head, nqueue;
};

static inline double model_exponential(struct model *m, double mean)
{
    return -mean * log(1 - rng_double(&m->rng));
}

static inline void model_push(struct model *m, struct model_event e)
{
    unsigned i = m->nheap++;

    assert(m->nheap <= MODEL_EVENTS);
    for (; i > 0 && m->heap[(i - 1) / 2].at_ns > e.at_ns; i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = e;
}

static inline struct model_event model_pop(struct model *m)
{
    struct model_event first = m->heap[0], last = m->heap[--m->nheap];
    unsigned i = 0;

    for (;;) {
        unsigned child = 2 * i + 1;

        if (child + 1 < m->nheap && m->heap[child + 1].at_ns < m->heap[child].at_ns)
            child++;
        if (child >= m->nheap || m->heap[child].at_ns >= last.at_ns)
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return first;
}

/* Starts as many of those who wait as there are free servers. */
static inline void model_serve(struct model *m)
{
    while (m->busy < m->servers && m->nqueue > 0) {
        struct model_request r = m->queue[m->head];
        double took = m->fixed ? m->service_ns : model_exponential(m, m->service_ns);

        m->head = (m->head + 1) % MODEL_QUEUE;
        m->nqueue--;
        m->busy++;
        model_push(m, (struct model_event){m->now_ns + 1 + (uint64_t)took, MODEL_DONE, r});
    }
}

static inline void model_send(struct model *m, struct model_request r)
{
    struct model_gateway *g = &m->gateways[r.gateway];

    if (!limit_acquire(&g->limit)) {
        g->refused++;
        if (r.closed)
            model_push(m, (struct model_event){m->now_ns + 20 * NS_PER_MS +
                                                   (uint64_t)model_exponential(m, 20e6),
                                               MODEL_SEND, r});
        return;
    }
    r.begin_ns = m->now_ns;
    assert(m->nqueue < MODEL_QUEUE);
    m->queue[(m->head + m->nqueue++) % MODEL_QUEUE] = r;
    model_serve(m);
}

static inline void model_done(struct model *m, struct model_request r)
{
    struct model_gateway *g = &m->gateways[r.gateway];
    uint32_t limit;

    m->busy--;
    g->answered++;
    g->latency_sum_ns += m->now_ns - r.begin_ns;
    adaptive_sample(&g->adaptive, m->now_ns, m->now_ns - r.begin_ns, false);
    limit_release(&g->limit);
    limit = g->limit.max_active;
    g->lowest = limit < g->lowest ? limit : g->lowest;
    g->highest = limit > g->highest ? limit : g->highest;
    if (r.closed)
        model_push(m, (struct model_event){m->now_ns + 1, MODEL_SEND, r});
    model_serve(m);
}

static inline void model_open_send(struct model *m, struct model_request r)
{
    double rate = m->gateways[r.gateway].rate;

    if (rate > 0)
        model_send(m, r);
    model_push(m, (struct model_event){
                      m->now_ns + 1 + (uint64_t)model_exponential(m, 1e9 / (rate > 0 ? rate : 100)),
                      MODEL_OPEN_SEND, r});
}

static inline void model_run(struct model *m, double seconds)
{
    uint64_t until = m->now_ns + (uint64_t)(seconds * 1e9);

    while (m->nheap > 0 && m->heap[0].at_ns <= until) {
        struct model_event e = model_pop(m);

        m->now_ns = e.at_ns;
        if (e.what == MODEL_SEND)
            model_send(m, e.request);
        else if (e.what == MODEL_OPEN_SEND)
            model_open_send(m, e.request);
        else
            model_done(m, e.request);
    }
    m->now_ns = until;
    model_serve(m);
}

/* Forgets what was counted, so that the next reading is of a steady state. */
static inline void model_count_anew(struct model *m)
{
    for (unsigned i = 0; i < m->ngateways; i++) {
        struct model_gateway *g = &m->gateways[i];

        g->answered = g->refused = g->latency_sum_ns = 0;
        g->lowest = g->highest = g->limit.max_active;
    }
}

static inline void model_add_clients(struct model *m, unsigned gateway, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        model_push(m, (struct model_event){m->now_ns + rng_below(&m->rng, 10 * NS_PER_MS),
                                           MODEL_SEND,
                                           {gateway, true, 0}});
}

static inline void model_add_arrivals(struct model *m, unsigned gateway, double rate)
{
    m->gateways[gateway].rate = rate;
    model_push(m, (struct model_event){m->now_ns, MODEL_OPEN_SEND, {gateway, false, 0}});
}

static inline void model_init(struct model *m, uint64_t seed, unsigned ngateways, unsigned servers,
                              double service_ms, const struct adaptive_options *o)
{
    *m = (struct model){.rng = {seed},
                        .now_ns = 1000 * NS_PER_S + seed % 977 * NS_PER_MS,
                        .servers = servers,
                        .service_ns = service_ms * 1e6,
                        .ngateways = ngateways};
    for (unsigned i = 0; i < ngateways; i++) {
        limit_init(&m->gateways[i].limit, 0, 0);
        adaptive_init(&m->gateways[i].adaptive, &m->gateways[i].limit);
        adaptive_configure(&m->gateways[i].adaptive, o, m->now_ns);
    }
    model_count_anew(m);
}

static inline double model_latency_ms(const struct model *m)
{
    uint64_t n = 0, sum = 0;

    for (unsigned i = 0; i < m->ngateways; i++) {
        n += m->gateways[i].answered;
        sum += m->gateways[i].latency_sum_ns;
    }
    return n ? (double)sum / (double)n / 1e6 : 0;
}
