/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* breaker.h - the circuit breaker of one service (Nygard, "Release It!", 2nd ed., chapter 5).
 *
 *   CLOSED --(failure rate or slow-call rate over a window, minimum volume)--> OPEN
 *   OPEN   --(open_for, growing x2 with each trip in a row, jittered)--------> HALF_OPEN
 *   HALF_OPEN --(enough probes succeed)--> CLOSED     --(any fails)------> OPEN, longer
 *
 * Time and randomness are arguments: every state is reached in a unit test. One breaker is shared
 * by all workers. While it is closed, admitting is one relaxed load and a success is one atomic
 * add; while it is open or all probes are out, turning a request away is a few loads and one add.
 * The mutex inside is taken only for a failure, a slow call, a probe or a transition, and is never
 * held over I/O or a callback. It outlives snapshots: a catalog change or a reload never resets it.
 */
#include "base/macros.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
    BREAKER_FORCED_OPEN,   /* an operator's word: rejects everything */
    BREAKER_FORCED_CLOSED, /* an operator's word: admits everything, counts, does not trip */
    BREAKER_DISABLED,      /* configured so, or an operator's word: as FORCED_CLOSED */
    BREAKER_SHADOW,        /* the machine below runs and is told of, but nothing is rejected */
    BREAKER_STATES
};
/* "closed" "open" "half_open" "forced_open" "forced_closed" "disabled" "shadow" */
const char *breaker_state_name(enum breaker_state s);
/* BREAKER_STATES when the word is not known. */
enum breaker_state breaker_state_parse(const char *word);

struct breaker_options {
    bool enabled;              /* false: DISABLED */
    bool shadow;               /* SHADOW; has no meaning when not enabled */
    uint32_t failure_percent;  /* trips at or above this; 0 = not by failures */
    uint32_t slow_percent;     /* trips at or above this; 0 = not by slow calls */
    uint64_t slow_ns;          /* a call that takes at least this is slow; 0 = none is */
    uint32_t minimum_requests; /* in the window, before any rate counts */
    uint64_t window_ns;
    uint64_t open_ns;            /* first open time */
    uint64_t max_open_ns;        /* cap of the growth */
    uint32_t half_open_requests; /* probes allowed at once, and successes needed to close */
};

enum breaker_cause {
    BREAKER_BY_NOTHING,
    BREAKER_BY_FAILURES,
    BREAKER_BY_SLOW_CALLS,
    BREAKER_BY_PROBE,
    BREAKER_BY_PROBES_PASSED, /* half-open to closed */
    BREAKER_BY_TIME,          /* open to half-open */
    BREAKER_BY_OPERATOR,      /* forced, taken back or reset */
    BREAKER_BY_EXPIRY,        /* a forced state's time was over */
    BREAKER_BY_CONFIGURATION
};
/* "" "failure_rate" "slow_call_rate" "probe_failed" "probes_passed" "open_time_over" "operator"
 * "expired" "configuration" */
const char *breaker_cause_name(enum breaker_cause c);

struct breaker;

struct breaker *breaker_new(const struct breaker_options *o, uint64_t now_ns) MUST_CHECK;
void breaker_free(struct breaker *b);
/* New options from a reload: state and counts stay; a changed window length clears the window.
 * Where `enabled` or `shadow` ask for another state it goes there with the next call that tells it
 * the time (admit unless it is closed, report, info, tick), but not before a forced state is over.
 * Control thread; safe while workers use it. */
void breaker_configure(struct breaker *b, const struct breaker_options *o);

/* What admission gave; hand it back to breaker_report() or breaker_cancel(), exactly once. */
struct breaker_ticket {
    bool admitted;
    bool probe;              /* took one of the half-open slots */
    uint32_t generation;     /* state changes since: a late report must not judge a newer state */
    uint64_t retry_after_ns; /* when not admitted, for Retry-After: time until half-open; 1 s when
                                it is half-open already and all probes are out */
};

/* May this request go to the service? Moves OPEN to HALF_OPEN when its time has come. When all
 * probes are out and none came back for max_open_ns, they count as lost and a new round begins. */
struct breaker_ticket breaker_admit(struct breaker *b, uint64_t now_ns) MUST_CHECK;
/* The outcome. `slow` is judged by the breaker itself from `took_ns`. */
void breaker_report(struct breaker *b, struct breaker_ticket t, uint64_t now_ns, struct rng *rng,
                    bool failed, uint64_t took_ns);
/* The request never reached the service, or the client left: counts as nothing, frees the slot. */
void breaker_cancel(struct breaker *b, struct breaker_ticket t, uint64_t now_ns);

/* The operator's word over the machine's. `to` is FORCED_OPEN, FORCED_CLOSED, DISABLED or SHADOW;
 * it ends by itself at until_ns, with the next call that tells the breaker the time (breaker_tick
 * for one without traffic). A new word replaces the one before. When FORCED_OPEN ends, probes
 * decide: HALF_OPEN; the others end CLOSED (or as the options say). Control thread, like the two
 * below; safe while workers use it. */
void breaker_force(struct breaker *b, enum breaker_state to, uint64_t until_ns, uint64_t now_ns);
/* Does an operator keep it open? One load; any thread. */
bool breaker_forced_open(const struct breaker *b);
/* Back to the machine. Nothing happens when nothing is forced. */
void breaker_unforce(struct breaker *b, uint64_t now_ns);
/* As new: nothing forced, CLOSED (or as the options say), window empty, no trips in a row. Totals
 * since start stay. Always tells the watcher. */
void breaker_reset(struct breaker *b, uint64_t now_ns);
/* Ends a forced state whose time is over. Cheap when none is. */
void breaker_tick(struct breaker *b, uint64_t now_ns);

/* For the status page. Taken under the mutex, so consistent. */
struct breaker_info {
    enum breaker_state state;
    enum breaker_state machine; /* differs from state in SHADOW only: what would be */
    bool forced;                /* an operator's word is in force */
    uint64_t forced_until_ns;
    uint64_t would_reject;  /* since start: admitted only because of SHADOW */
    uint64_t since_ns;      /* monotonic; of the last transition, the machine's in SHADOW too */
    uint64_t reopens_at_ns; /* machine OPEN: when half-open begins; else 0 */
    uint32_t trips_in_a_row;
    uint64_t trips, rejected; /* since start; trips in SHADOW count too */
    uint32_t probes_in_flight, probes_succeeded;
    uint32_t now_total, now_failed, now_slow; /* the window at this moment */
    /* What tripped it last; all zero when it never tripped. For BREAKER_BY_PROBE the numbers are of
     * the probes since half-open began, and window_ns is 0. */
    struct {
        enum breaker_cause cause;
        uint64_t at_ns;
        uint32_t total, failed, slow;
        uint64_t window_ns;
    } trip;
};
void breaker_info(struct breaker *b, uint64_t now_ns, struct breaker_info *ret_info);

/* A transition that has happened. */
struct breaker_change {
    enum breaker_state from, to;
    enum breaker_cause cause;
    bool shadow; /* from and to are the machine's, and nothing is rejected for it */
    uint64_t at_ns;
    uint64_t until_ns;   /* OPEN: when half-open begins; forced: when it ends; else 0 */
    uint32_t generation; /* grows by one with each: two threads may tell theirs in either order */
    /* The window, or the probes, that decided; else the window at that moment. */
    uint32_t total, failed, slow;
    uint64_t window_ns; /* 0 when they are of the probes */
};

/* Called after every transition, outside the mutex, on the thread that caused it. Set once, before
 * the breaker is shared. */
typedef void breaker_watch_fn(void *arg, const struct breaker_change *change);
void breaker_watch(struct breaker *b, breaker_watch_fn *fn, void *arg);
