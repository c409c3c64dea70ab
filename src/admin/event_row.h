/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* event_row.h - one service as the event stream shows it. Its members are in docs/status.md.
 *
 * Two rows are the same when their bytes are: all of it is numbers, and it begins all zero. What is
 * in words (who forced it and why) changes together with `since`. */
#include "admin/attention.h"
#include "admin/json_out.h"
#include "admin/series.h"

struct event_row {
    uint64_t since_ns, until_ns; /* monotonic: a wall clock that is set changes no row */
    uint64_t trip_window_ms, rejected;
    int64_t p50, p99;                     /* tenths of a millisecond; -1 = none */
    uint32_t requests, errors, fallbacks; /* tenths per second */
    uint32_t in_flight, waiting, probes;
    uint32_t available, instances, ejected;
    uint32_t trip_failed, trip_total, trip_slow;
    uint8_t state, machine, cause, attention; /* enums of the same names */
    uint8_t forced, tripped, unused[2];
};

/* What is so at this moment; the rates stay as they are in *r. */
void event_row_state(struct event_row *r, const struct look *l, const struct service_row *s);
/* The rates between two tallies that are elapsed_ns apart. */
void event_row_rates(struct event_row *r, const struct tally *before, const struct tally *after,
                     uint64_t elapsed_ns);
/* The rates of the last step of the history, for a first row. */
void event_row_last_step(struct event_row *r, const struct series *series, uint32_t slot);

/* As JSON. `name` is in quotes already; with `history`, the series of services with traffic too. */
void event_row_write(const struct event_row *r, const struct look *l, struct service_state *s,
                     const char *name, bool history, struct json_out *out);
