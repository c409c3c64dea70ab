/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* breaker_internal.h - what breaker.c (requests) and breaker_force.c (operator, options, time)
 * share. Private.
 *
 * One word says everything that admission has to know: generation << 5 | machine << 3 | state. The
 * machine's position (closed, open, half-open) equals the state, but for SHADOW, where it goes its
 * own way, and for the forced states and DISABLED, where it is closed and means nothing. */
#include "circuit/breaker.h"
#include "circuit/relaxed.h"
#include "circuit/window.h"

#include <pthread.h>

#define NEVER UINT64_MAX

struct breaker {
    /* Read without the mutex, written under it. `word` is published with release order after the
     * fields that belong to the new state. */
    struct {
        _Atomic uint64_t word;
        _Atomic uint64_t slow_ns;
        _Atomic uint64_t reopens_at_ns;     /* machine OPEN: when it becomes half-open; FORCED_OPEN:
                                               when that ends */
        _Atomic uint64_t probes_lost_at_ns; /* HALF_OPEN: when probes that are out count as lost */
        _Atomic uint32_t probes_free;       /* half-open slots left */
        _Atomic uint64_t due_ns; /* when breaker_settle() has something to do: a forced state's
                                    end; 0 = at once, for new options; NEVER */
        _Atomic uint64_t rejected, would_reject;
        struct window window;
    } shared;

    pthread_mutex_t lock; /* guards the rest */
    struct breaker_options options;
    uint64_t since_ns;
    uint32_t trips_in_a_row;
    uint64_t trips;
    uint32_t probes_in_flight, probes_succeeded, probes_slow;
    bool forced;
    struct breaker_info last; /* only `trip` of it is used */

    breaker_watch_fn *watch; /* set before the breaker is shared */
    void *watch_arg;
};

static inline enum breaker_state word_state(uint64_t word)
{
    return (enum breaker_state)(word & 7);
}

static inline enum breaker_state word_machine(uint64_t word)
{
    return (enum breaker_state)(word >> 3 & 3);
}

static inline uint32_t word_generation(uint64_t word)
{
    return (uint32_t)(word >> 5);
}

/* What outcomes in the window may trip. */
static inline bool word_trips(uint64_t word)
{
    return word_machine(word) == BREAKER_CLOSED &&
           (word_state(word) == BREAKER_CLOSED || word_state(word) == BREAKER_SHADOW);
}

/* A call causes one transition at most; it is told after the mutex is free. */
struct told {
    bool happened;
    struct breaker_change change;
};
void breaker_tell(const struct breaker *b, const struct told *t);

/* The mutex is held for all below. */

void breaker_use_options(struct breaker *b, const struct breaker_options *o);
void breaker_count_free_probes(struct breaker *b);
/* Goes there, whatever the state before; the window at that moment is what is told. */
struct told breaker_enter(struct breaker *b, enum breaker_state to, enum breaker_cause cause,
                          uint64_t now_ns);
/* What the options say a breaker is that nobody forces: CLOSED, DISABLED or SHADOW. */
enum breaker_state breaker_rest_state(const struct breaker_options *o);
/* Ends a forced state whose time is over, and follows new options. Without effect before due_ns. */
struct told breaker_settle(struct breaker *b, uint64_t now_ns);
