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
#include "base/grpc_code.h"
#include "base/instance.h"
#include "base/instance_load.h"
#include "base/list.h"
#include "base/reason.h"
#include "circuit/adaptive.h"
#include "circuit/breaker.h"
#include "circuit/limit.h"
#include "circuit/outlier.h"
#include "circuit/quantile.h"
#include "circuit/retry_budget.h"
#include "config/config.h"
#include "snapshot/journal.h"

struct tls_clients;

enum { LATENCY_BUCKETS = 16, LAST_ERROR_MAX = 160 };

/* Upper bounds in seconds, as the metrics page gives them; the last bucket is +Inf. */
extern const double latency_bounds[LATENCY_BUCKETS - 1];

/* Written by one worker, read by the control thread: relaxed loads and stores, never an atomic
 * read-modify-write. */
struct service_stats {
    _Atomic uint64_t requests, retries;
    _Atomic uint64_t fallbacks[FALLBACK_KINDS]; /* answers that stood in for this service's */
    _Atomic uint64_t hedges, hedges_won;        /* second tries sent; answers that were theirs */
    _Atomic uint64_t by_class[6]; /* 0 = no answer given, 1..5 = 1xx..5xx to the client */
    _Atomic uint64_t reasons[REASON_COUNT];
    _Atomic uint64_t grpc[GRPC_CODES]; /* how calls of gRPC ended, by status */
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

/* Who forced a state, and why. Written by the control thread (operate.h) under the history's lock
 * of the service or instance; read by whoever tells of a transition. */
struct forced {
    bool active;
    bool fleet; /* by the fleet's word */
    int64_t at_wall_ms, until_wall_ms;
    uint64_t until_ns;
    char author[AUTHOR_MAX], why[WHY_MAX];
};

/* Lives as long as the process: a slot is never given to another service. */
struct service_state {
    struct registry *registry; /* borrowed: its owner */
    uint32_t slot;             /* small and stable: index into snapshot.services */
    const char *name;
    unsigned nworkers;
    struct breaker *breaker;
    struct outlier_group outliers;
    struct limit limit;
    struct adaptive adaptive; /* sets limit.max_active when it is enabled */
    struct retry_budget budget;
    struct quantile first_byte;       /* of first tries; fed only where requests are hedged */
    _Atomic uint64_t cursor;          /* round-robin position */
    _Atomic uint64_t waiting_workers; /* bit w: worker w has requests queued for this service */
    struct service_stats *stats;      /* [nworkers] */
    struct journal *journal;          /* borrowed from the registry */
    struct history history;           /* of its breaker and of its instances */
    struct forced forced;             /* guarded by history.lock */
    struct list ticking; /* control thread: in the registry's list while its breaker is forced */
    bool configured;     /* control thread */
};

/* Freed by the control thread only (registry_sweep), when nobody else has a reference. */
struct instance_state {
    _Atomic int refs;
    uint32_t slot;                 /* small, reused: index into a worker's connection pools */
    struct service_state *service; /* borrowed from the registry */
    const char *key;               /* "service|node/id/address:port" */
    const char *node, *id;         /* in Consul */
    struct instance_load load;
    struct outlier outlier;
    struct history history;
    struct forced forced;            /* guarded by history.lock */
    char last_error[LAST_ERROR_MAX]; /* words to its last failure; guarded by history.lock */
    struct list ticking;             /* control thread: in the registry's list while it is held */
    _Atomic bool present;            /* in the newest snapshot */
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

/* The TLS settings of all services. Never NULL. */
struct tls_clients *registry_tls(struct registry *r);
/* Remembers in a person's words why the instance failed. True when they are others than the last
 * time. Any thread. */
bool instance_state_error(struct instance_state *i, const char *text);
/* Never NULL. */
struct journal *registry_journal(struct registry *r);
/* Ends forced states whose time is over and tells of it; reads the files of upstream TLS again when
 * they have changed. Call it a few times a second. */
void registry_tick(struct registry *r, uint64_t now_ns);
/* Puts one that is forced among those that registry_tick() looks at. */
void registry_watch_service(struct service_state *s);
void registry_watch_instance(struct instance_state *i);
/* Those of the service that are present. */
void registry_each_instance(struct service_state *s,
                            void (*fn)(struct instance_state *i, const void *arg, uint64_t now_ns),
                            const void *arg, uint64_t now_ns);
/* One ejection or restoration that the outlier detector has decided: log line and journal. Any
 * thread; `why` is the last failure, REASON_NONE when it is none. */
void registry_tell_instance(struct instance_state *i, enum outlier_event e, enum reason why,
                            uint64_t now_ns);

/* Drops instances that have been absent for ten minutes and are not held by an operator; looks for
 * them every ten seconds. */
void registry_sweep(struct registry *r, uint64_t now_ns);

struct instance_state *instance_state_ref(struct instance_state *i);
/* Clears the caller's pointer. Any thread. */
void instance_state_unref(struct instance_state **i);
