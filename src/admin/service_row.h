/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* service_row.h - a service's numbers summed over the workers: what its line on any page shows. */
#include "snapshot/snapshot.h"

struct service_row {
    const char *name;
    const struct service_view *view;
    uint64_t requests, retries, hedges, hedges_won;
    uint64_t by_class[6];
    uint64_t reasons[REASON_COUNT];
    uint64_t grpc[GRPC_CODES];
    uint64_t fallbacks; /* answers that stood in for this service's, of any kind */
    uint64_t fallbacks_by[FALLBACK_KINDS];
    uint64_t latency_ns_sum, latency_count;
    uint64_t latency[LATENCY_BUCKETS];
    struct breaker_info breaker;
    uint32_t in_flight, waiting;
    uint32_t limit;       /* of requests under way; 0 = none */
    uint32_t instances;   /* in all */
    uint32_t available;   /* instances that a request could go to now */
    uint32_t in_rotation; /* usable by Consul's word and not ejected; may be at their limit */
    uint32_t ejected;
    uint32_t by_health[HEALTH_MAINTENANCE + 1];
    bool panic;
};

void service_row_fill(struct service_row *row, const struct service_view *v, uint64_t now_ns);
/* All services of the snapshot (may be NULL), sorted by name. Free with free(). */
struct service_row *service_rows(const struct snapshot *s, uint64_t now_ns, size_t *ret_n);
/* NULL when the snapshot has no such service. */
const struct service_view *service_row_find(const struct snapshot *s, const char *name);

/* By slot of the registry; NULL when the snapshot (may be NULL) does not use it. */
const struct service_view *service_row_at(const struct snapshot *s, uint32_t slot);

/* Could a new request go there now? The balancer's rule, for one instance. */
bool instance_available(const struct instance *i, const struct instance_load *load,
                        uint64_t now_ns);
bool instance_ejected(const struct instance_load *load, uint64_t now_ns);

/* The q-quantile (0..1) in seconds, linear within a bucket; a value above the last bound counts as
 * that bound. Negative when nothing was counted. */
double latency_quantile(const uint64_t counts[LATENCY_BUCKETS], double q);
