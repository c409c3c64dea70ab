/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* series.h - the last five minutes of every service with traffic: requests, errors and p99 for each
 * of 60 steps of five seconds. What the sparklines of a page show that was opened just now.
 *
 * A service that never had a request costs a pointer; one that has, about 1 KiB for as long as the
 * process lives. Thread: control. */
#include "admin/service_row.h"

enum { SERIES_STEPS = 60, SERIES_STEP_S = 5 };

/* What a service has counted since the start, summed over the workers. */
struct tally {
    uint64_t requests, errors; /* errors: answers 5xx of any kind, and no answer */
    uint64_t fallbacks;        /* answers in place of the service's */
    uint64_t latency[LATENCY_BUCKETS];
};
void tally_read(struct tally *t, const struct service_state *s);
/* The same from a row that was summed already. */
void tally_of(struct tally *t, const struct service_row *row);
/* The q-quantile of what came between two tallies, in tenths of a millisecond; -1 = nothing. */
int64_t tally_quantile(const struct tally *before, const struct tally *after, double q);

struct series_step {
    uint32_t requests, errors; /* in this step */
    int32_t p99;               /* tenths of a millisecond; -1 = no answer in it */
};

struct series;

struct series *series_new(void);
void series_free(struct series *s);
/* One step is over: call it every SERIES_STEP_S seconds. */
void series_sample(struct series *s, const struct snapshot *snapshot);
/* Copies the steps of a service, the oldest first. false when it never had traffic. */
bool series_copy(const struct series *s, uint32_t slot, struct series_step ret[SERIES_STEPS]);
/* Requests and errors of the last `steps` steps. */
void series_recent(const struct series *s, uint32_t slot, unsigned steps, uint64_t *ret_requests,
                   uint64_t *ret_errors);
