/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/overload.h"
#include "base/log.h"
#include "proxy/proxy_internal.h"

#include <inttypes.h>

/* IDLE_MS is also the longest time between two probes. An episode is over, for the log, when
 * nothing was refused for QUIET_MS: a gateway at its limit goes in and out of it all the time. */
enum { PROBES = 4, IDLE_MS = 250, QUIET_MS = 2000, CROWDED_PERCENT = 93 };

bool overload_refuse(struct overload *o, struct rng *rng, unsigned class)
{
    if (!shed_refuses(&o->shed, class, rng_below(rng, SHED_STEPS)))
        return false;
    stat_add(&o->shown.refused[class], 1);
    return true;
}

static const struct overload_conf *conf_of(const struct worker *w)
{
    return &w->held->snapshot->config->overload;
}

/* Without requests there is nothing to refuse: no need to wake up often. */
static uint64_t period_ms(struct worker *w)
{
    struct overload *o = &w->overload;
    uint64_t requests = atomic_load_explicit(&w->counters.requests, memory_order_relaxed);
    uint64_t ms = conf_of(w)->interval_ms / PROBES;
    bool busy = requests != o->requests_seen || o->shed.degree > 0;

    o->requests_seen = requests;
    return busy && ms < IDLE_MS ? ms : IDLE_MS;
}

static void arm(struct worker *w)
{
    uint64_t ms = period_ms(w);
    struct timeval tv = {0, (suseconds_t)(ms * 1000)};

    w->overload.due_ns = w->now_ns + ms * NS_PER_MS;
    event_add(&w->overload.probe, &tv);
}

static void tell_begin(struct worker *w, struct shed_sample seen)
{
    struct overload *o = &w->overload;

    o->told_ns = w->now_ns;
    for (int i = 0; i < SHED_LEVELS; i++)
        o->refused_before[i] = atomic_load_explicit(&o->shown.refused[i], memory_order_relaxed);
    log_warn("proxy",
             "worker %u is saturated: shedding begins (event loop %" PRIu64
             " ms late, connections at %u %%)",
             w->id, (uint64_t)(seen.late_ns / NS_PER_MS), seen.connections);
}

static void tell_end(struct worker *w)
{
    struct overload *o = &w->overload;
    uint64_t n[SHED_LEVELS];

    for (int i = 0; i < SHED_LEVELS; i++)
        n[i] =
            atomic_load_explicit(&o->shown.refused[i], memory_order_relaxed) - o->refused_before[i];
    log_info("proxy",
             "worker %u: shedding ends after %.1f s; refused %" PRIu64 " low, %" PRIu64
             " normal, %" PRIu64 " high",
             w->id, (double)(o->quiet_ns - o->told_ns) / (double)NS_PER_S, n[0], n[1], n[2]);
    o->told_ns = 0;
}

static void show_level(struct worker *w, struct shed_sample seen)
{
    struct overload *o = &w->overload;
    unsigned level = shed_level(&o->shed);

    atomic_store_explicit(&o->shown.level, level, memory_order_relaxed);
    atomic_store_explicit(&o->shown.since_ns, o->shed.since_ns, memory_order_relaxed);
    if (level > 0 && !o->told_ns)
        tell_begin(w, seen);
    if (level == 0)
        o->quiet_ns = w->now_ns;
}

static struct shed_sample look(const struct worker *w)
{
    uint64_t most = w->held->snapshot->config->limits.max_connections;
    uint64_t connections = proxy_connections(w->proxy), due = w->overload.due_ns;

    return (struct shed_sample){w->now_ns > due ? w->now_ns - due : 0,
                                (unsigned)(most > 0 ? connections * 100 / most : 0)};
}

static void on_probe(evutil_socket_t fd, short events, void *arg)
{
    struct worker *w = arg;
    struct overload *o = &w->overload;
    const struct overload_conf *conf = conf_of(w);
    struct shed_conf c = {conf->target_ms * NS_PER_MS, conf->interval_ms * NS_PER_MS};
    struct shed_sample seen;

    (void)fd;
    (void)events;
    worker_touch(w);
    seen = look(w);
    o->crowded = seen.connections >= CROWDED_PERCENT;
    if (conf->enabled ? shed_feed(&o->shed, &c, w->now_ns, seen) : shed_reset(&o->shed, w->now_ns))
        show_level(w, seen);
    if (o->told_ns && o->shed.degree == 0 && w->now_ns - o->quiet_ns >= QUIET_MS * NS_PER_MS)
        tell_end(w);
    arm(w);
}

void overload_start(struct worker *w)
{
    event_assign(&w->overload.probe, w->base, -1, 0, on_probe, w);
    worker_touch(w);
    arm(w);
}

void overload_stop(struct worker *w)
{
    event_del(&w->overload.probe);
}

void overload_show(const struct overload *o, struct proxy_overload *ret)
{
    struct proxy_shedding *s = &ret->workers[ret->nworkers++];

    s->level = atomic_load_explicit(&o->shown.level, memory_order_relaxed);
    s->since_ns = atomic_load_explicit(&o->shown.since_ns, memory_order_relaxed);
    for (int i = 0; i < PROXY_SHED_CLASSES; i++)
        ret->refused[i] += atomic_load_explicit(&o->shown.refused[i], memory_order_relaxed);
}
