/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* registry.h - what must outlive a snapshot: breakers, ejections, in-flight counts, latencies,
 * statistics.
 *
 * Keyed by service name and by (node, service id, address, port). The control thread finds and
 * makes entries; workers reach them through the snapshot they hold and touch only what is atomic or
 * locks itself. A catalog change or a reload never resets one; an instance that left the catalog
 * keeps its state for ten minutes, in case it comes back.
 */
#include "base/instance.h"
#include "base/instance_load.h"
#include "base/reason.h"
#include "circuit/breaker.h"
#include "circuit/limit.h"
#include "circuit/outlier.h"
#include "circuit/retry_budget.h"
#include "config/config.h"

#include <pthread.h>

enum { LATENCY_BUCKETS = 16, TRANSITIONS_KEPT = 50 };

/* Upper bounds in seconds, as the metrics page gives them; the last bucket is +Inf. */
extern const double latency_bounds[LATENCY_BUCKETS - 1];

/* Written by one worker, read by the control thread: relaxed loads and stores, never an atomic
 * read-modify-write. */
struct service_stats {
    _Atomic uint64_t requests, retries;
    _Atomic uint64_t by_class[6]; /* 0 = no answer given, 1..5 = 1xx..5xx to the client */
    _Atomic uint64_t reasons[REASON_COUNT];
    _Atomic uint64_t latency_ns_sum;
    _Atomic uint64_t latency[LATENCY_BUCKETS];
    _Atomic uint64_t bytes_in, bytes_out;
};

/* Adds to a counter that only the calling worker writes. */
static inline void stat_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

struct transition {
    int64_t wall_ms;
    enum breaker_state from, to;
    enum breaker_cause cause;
    uint32_t total, failed, slow; /* the numbers in the window at that moment */
};

/* Lives as long as the process: a slot is never given to another service. */
struct service_state {
    uint32_t slot; /* small and stable: index into snapshot.services */
    const char *name;
    unsigned nworkers;
    struct breaker *breaker;
    struct outlier_group outliers;
    struct limit limit;
    struct retry_budget budget;
    _Atomic uint64_t cursor;          /* round-robin position */
    _Atomic uint64_t waiting_workers; /* bit w: worker w has requests queued for this service */
    struct service_stats *stats;      /* [nworkers] */
    pthread_mutex_t lock;             /* guards the transitions */
    struct transition transitions[TRANSITIONS_KEPT];
    uint64_t ntransitions; /* in all; the newest is at (n - 1) % TRANSITIONS_KEPT */
};

/* Freed by the control thread only (registry_sweep), when nobody else has a reference. */
struct instance_state {
    _Atomic int refs;
    uint32_t slot;                 /* small, reused: index into a worker's connection pools */
    struct service_state *service; /* borrowed from the registry */
    const char *key;               /* "service|node/id/address:port" */
    struct instance_load load;
    struct outlier outlier;
    _Atomic bool present; /* in the newest snapshot */
    _Atomic uint64_t requests, failures;
    _Atomic uint64_t last_failure_ms; /* wall clock */
    _Atomic int last_reason;          /* enum reason of the last failure */
    uint64_t absent_since_ns;         /* control thread */
    unsigned seen_in;                 /* control thread: number of the last build that has it */
    bool usable;                      /* control thread: usable at the last look */
};

struct registry;

struct registry *registry_new(unsigned nworkers);
/* All workers must have ended. */
void registry_free(struct registry *r);

/* Finds or makes; the returned pointer is borrowed from the registry. registry_configure() applies
 * settings to a new or a living one. Thread: control, as all below. */
struct service_state *registry_service(struct registry *r, const char *name);
void registry_configure(struct service_state *s, const struct service_conf *conf);
struct instance_state *registry_instance(struct registry *r, struct service_state *s,
                                         const struct instance *i);
uint32_t registry_slots(const struct registry *r);
/* NULL when there is no such service. */
struct service_state *registry_find(struct registry *r, const char *name);

/* Drops instances that have been absent for ten minutes. */
void registry_sweep(struct registry *r, uint64_t now_ns);

struct instance_state *instance_state_ref(struct instance_state *i);
/* Clears the caller's pointer. Any thread. */
void instance_state_unref(struct instance_state **i);
