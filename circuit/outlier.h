/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* outlier.h - takes a failing instance out of rotation for a while (Envoy's outlier detection).
 *
 *   IN --(consecutive failures, or failure rate over a window)--> EJECTED for base x 2^n, capped
 *   EJECTED --(time over)--> PROBATION: one request at a time
 *   PROBATION --success--> IN        --failure--> EJECTED, twice as long
 *
 * It comes before the service's breaker: when one instance of several fails, it is ejected long
 * before the service's failure rate says anything. At most `max_ejected_percent` of a service's
 * instances, rounded up, are out at once (at least one may be when there are two or more, never the
 * last one).
 * An instance on probation counts as out too, since it takes one request at a time; but only for
 * base_ejection_ns, so that one which gets no request (Consul calls it critical) does not protect
 * the others for ever. When the cap forbids an ejection, the streak stays and the next failure
 * tries again; when it forbids one on probation, the instance is back in rotation.
 *
 * n is the number of ejections in a row: it falls back to 0 only when an instance has been in
 * rotation for 10 x base_ejection_ns, so one that answers a probe and then fails under load again
 * is out longer each time. Each ejection time has a jitter of up to +10 %.
 *
 * The state that balancers read is in struct instance_load (ejected_until_ns, on_probation,
 * probing); this module is its only writer. No timer is needed: on_probation is set together with
 * ejected_until_ns and means something when that is over. Shared by all workers: a success outside
 * probation costs a few relaxed loads and one atomic add; a failure takes the mutex of the
 * service's group.
 */
#include "base/instance_load.h"
#include "base/macros.h"
#include "base/rng.h"

#include "circuit/window.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct outlier_options {
    bool enabled;
    uint32_t consecutive_failures; /* 0 = not by a streak */
    uint32_t failure_percent;      /* 0 = not by rate */
    uint32_t minimum_requests;     /* for the rate */
    uint64_t window_ns;
    uint64_t base_ejection_ns, max_ejection_ns;
    uint32_t max_ejected_percent;
};

/* One for each service. */
struct outlier_group {
    pthread_mutex_t lock;
    struct outlier_options options; /* guarded by lock */
    _Atomic bool enabled;           /* copy for the fast path */
    _Atomic uint32_t instances;     /* usable ones in the present set */
    uint32_t ejected;               /* guarded by lock: out when last counted */
    struct outlier *members;        /* guarded by lock: list of all outliers of the group */
};

enum outlier_force { OUTLIER_AUTO, OUTLIER_OUT, OUTLIER_IN };

/* One for each instance. */
struct outlier {
    struct outlier_group *group; /* borrowed; outlives it */
    struct instance_load *load;  /* borrowed: same owner */
    struct outlier *next;        /* guarded by group lock */
    _Atomic uint32_t streak;     /* consecutive failures */
    struct window window;
    uint32_t ejections_in_a_row;    /* guarded by group lock */
    uint64_t restored_at_ns;        /* guarded by group lock */
    uint64_t since_ns;              /* guarded by group lock: of the present state */
    uint64_t held_at_ns;            /* guarded by group lock */
    enum outlier_force held;        /* written by the control thread, under the group lock; in force
                                       until held_until_ns */
    _Atomic uint64_t held_until_ns; /* UINT64_MAX when nothing is held */
    _Atomic uint64_t ejections;     /* since start */
    _Atomic uint64_t last_ejected_at_ns;
    _Atomic int last_cause;                     /* enum outlier_cause */
    _Atomic uint32_t cause_failed, cause_total; /* the numbers that ejected it */
};

enum outlier_cause {
    OUTLIER_NONE,
    OUTLIER_STREAK,
    OUTLIER_RATE,
    OUTLIER_PROBATION,
    OUTLIER_OPERATOR
};
/* "" "consecutive_failures" "failure_rate" "probation_failed" "operator" */
const char *outlier_cause_name(enum outlier_cause c);

enum outlier_event { OUTLIER_NOTHING, OUTLIER_EJECTED, OUTLIER_RESTORED };

void outlier_group_init(struct outlier_group *g, const struct outlier_options *o);
void outlier_group_release(struct outlier_group *g);
/* Disabling restores everyone at once. A changed window length clears the windows. */
void outlier_group_configure(struct outlier_group *g, const struct outlier_options *o);
/* The number of usable instances has changed. When fewer may be out now than are, those whose time
 * is over soonest go on probation at once: the last instance is never kept out. */
void outlier_group_resize(struct outlier_group *g, uint32_t instances, uint64_t now_ns);

void outlier_init(struct outlier *o, struct outlier_group *g, struct instance_load *load);
void outlier_release(struct outlier *o);

/* The request is about to be sent to this instance. Returns true when it is a probation request:
 * then exactly one of report/cancel must follow with probation = true. Between the balancer's look
 * and this call another worker may have taken the only slot: then *ret_lost is set, and the caller
 * picks again. *ret_lost is always written. An instance whose ejection is not over is sent to in
 * panic mode only: that is no probation. */
bool outlier_begin(struct outlier *o, uint64_t now_ns, bool *ret_lost);
enum outlier_event outlier_report(struct outlier *o, uint64_t now_ns, struct rng *rng,
                                  bool probation, bool failed);
/* The request says nothing about the instance (the client left): frees the probation slot. */
void outlier_cancel(struct outlier *o, bool probation);

/* By hand. OUT holds the instance out until until_ns, whatever the cap says, and not even panic
 * mode sends there; afterwards it is on probation. IN keeps it in rotation until until_ns whatever
 * it does. AUTO ends either, and any ejection: the instance is in rotation, its streak is 0.
 * Returns false, and does nothing, when OUT would take the last instance of the group that is in
 * rotation and `even_last` is false. Instances that are held out do not use up the cap of the
 * automatic ejections, but these still leave one instance in rotation. OUT counts as an ejection;
 * AUTO forgets those in a row. Control thread; safe while workers use it. */
bool outlier_force(struct outlier *o, enum outlier_force word, uint64_t until_ns, bool even_last,
                   uint64_t now_ns) MUST_CHECK;
/* Ends OUT or IN whose time is over; true when it did. Cheap when there is none. */
bool outlier_tick(struct outlier *o, uint64_t now_ns);

enum outlier_state {
    OUTLIER_IN_ROTATION,
    OUTLIER_IS_EJECTED,
    OUTLIER_ON_PROBATION,
    OUTLIER_HELD_OUT,
    OUTLIER_HELD_IN
};
/* The instance's breaker has the words of a service's: "closed" "open" "half_open" "forced_open"
 * "forced_closed". */
const char *outlier_state_name(enum outlier_state s);

struct outlier_info {
    enum outlier_state state;
    uint64_t since_ns;        /* of the state; 0 = since it was first seen */
    uint64_t until_ns;        /* EJECTED, HELD_*: when that ends; else 0 */
    bool probe_in_flight;     /* ON_PROBATION */
    uint64_t ejections;       /* since start */
    uint32_t in_a_row;        /* ejections without a long time in rotation between */
    enum outlier_cause cause; /* of the last ejection, with its numbers */
    uint64_t ejected_at_ns;
    uint32_t cause_failed, cause_total;
};
void outlier_info(struct outlier *o, uint64_t now_ns, struct outlier_info *ret_info);
