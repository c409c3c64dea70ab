/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* adaptive.h - finds the concurrency limit of a service by its latency.
 *
 * Why: a fixed limit is a guess that is wrong after the next deployment. What can be seen from
 * outside is that a service with too many requests under way answers later, and no faster in sum.
 * So once a window of samples
 *
 *     limit = limit * min(1, tolerance * baseline / measured) + headroom
 *
 * It falls while answers take longer than `tolerance` times the baseline, by half at most, and
 * grows by the headroom (0.7 roots of the limit) while they do not and the limit is in use. Falling
 * by a factor and growing by a root is what makes gateways that share a service end with similar
 * limits. A share of timeouts and 503s is congestion whatever the latency is. The ideas are those
 * of TCP Vegas, Gradient2 and Envoy's gradient controller.
 *
 * The baseline is the hard part: measured under load it would hold the queue, and each queue would
 * excuse a longer one; kept for ever it would strangle a service that has become slower for good. A
 * probe decides: for a few answer times the limit is held at a share f of what was in flight, with
 * f * tolerance < 1, and what is measured then is the baseline. If the latency was queueing it
 * falls with the concurrency and the baseline with it, further with each probe; if it was the
 * service itself it stays, and becomes the baseline. Probes are made only while the limit holds
 * requests back or answers are late, never of a service that has room: there the baseline follows
 * slowly, and never above what the last probe found. Gateways that share a service probe together,
 * at whole multiples of 5 s on the wall clock: one that halves alone would take the queue of the
 * others for the service, so a probe in between can only lower the baseline. Between two probes
 * latency takes at most half of the limit.
 *
 * Threads: any. A sample is a few relaxed atomic additions; whoever closes a window takes a mutex,
 * and nobody waits for it. Time is an argument. Writes limit.max_active. */
#include "circuit/limit.h"

#include <pthread.h>

struct adaptive_options {
    bool enabled;
    uint32_t minimum, maximum, initial;
    uint32_t tolerance_percent; /* 150 = answers may take 1.5 times the baseline */
    int64_t wall_offset_ns;     /* wall clock minus the monotonic one: when to probe */
};

enum adaptive_cause {
    ADAPTIVE_BY_NOTHING,
    ADAPTIVE_BY_CONFIGURATION,
    ADAPTIVE_BY_ROOM,    /* the limit was in use, and answers came in time */
    ADAPTIVE_BY_LATENCY, /* answers were later than tolerated */
    ADAPTIVE_BY_DROPS,   /* timeouts and 503s */
    ADAPTIVE_BY_PROBE    /* what a probe found */
};
/* "" "configuration" "room" "latency" "drops" "probe" */
const char *adaptive_cause_name(enum adaptive_cause c);

struct adaptive {
    struct limit *limit; /* borrowed */
    _Atomic bool enabled;
    _Atomic uint64_t from_ns; /* samples before this are not counted */
    _Atomic uint64_t due_ns;  /* when the window may be closed */
    _Atomic uint64_t sum_ns;
    _Atomic uint32_t samples, drops, peak; /* of the window; peak = most in flight */

    pthread_mutex_t lock; /* guards the rest */
    struct adaptive_options options;
    double now;            /* the limit outside of probes, with its fraction */
    double floor;          /* where latency may take it before the next probe */
    double baseline_ns;    /* 0 = not known yet */
    double probed_ns;      /* what the last probe found; the baseline is not above it */
    double measured_ns;    /* mean of the last window */
    bool quick;            /* first growth, by half a window: nothing was ever late */
    bool held_back;        /* the last window: the limit was reached */
    unsigned late;         /* windows in a row that were clearly late */
    uint32_t peak_before;  /* in flight in the last window */
    double rate;           /* samples a nanosecond in the last window */
    bool probing, at_tick; /* at_tick: together with all others */
    uint64_t tick_ns;      /* the next probe of all */
    uint64_t early_ns;     /* one before that; UINT64_MAX = none */
    uint64_t probes;
    enum adaptive_cause cause; /* of the last change */
    uint32_t changed_from, changed_to;
    uint64_t changed_ns;
};

void adaptive_init(struct adaptive *a, struct limit *l);
void adaptive_release(struct adaptive *a);
/* Switching it on starts with `initial`; other settings keep what has been learnt. Switched off, it
 * leaves limit.max_active to its caller. */
void adaptive_configure(struct adaptive *a, const struct adaptive_options *o, uint64_t now_ns);

/* Is there anybody who wants samples? For the path of every request. */
static inline bool adaptive_enabled(const struct adaptive *a)
{
    return atomic_load_explicit(&a->enabled, memory_order_relaxed);
}

/* An attempt that the service has answered, or that failed for congestion (dropped: it timed out or
 * was answered 503). To be called before its place under the limit is given back. Nothing when not
 * enabled. */
void adaptive_sample(struct adaptive *a, uint64_t now_ns, uint64_t latency_ns, bool dropped);

struct adaptive_info {
    bool enabled, probing;
    uint32_t limit; /* in force; during a probe lower than what it goes back to */
    uint64_t baseline_ns, measured_ns; /* 0 = not known yet */
    uint64_t probes;
    enum adaptive_cause cause; /* of the last change */
    uint32_t changed_from, changed_to;
    uint64_t changed_ns; /* monotonic */
};
void adaptive_info(struct adaptive *a, struct adaptive_info *ret_info);
