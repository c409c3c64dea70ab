/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* shed.h - how much of its work a saturated gateway refuses, so that the rest is served in time.
 *
 * Fed from time to time with how late the event loop is and how full the table of connections.
 * As in CoDel the MINIMUM over an interval counts: a burst that has drained once within the
 * interval does no harm, a standing queue does.
 *
 *   an interval that was over target throughout     the degree rises by half a level
 *   one in which it was below half the target once  it falls by an eighth of a level
 *   anything between                                it stays
 *
 * The degree goes from 0 to SHED_FULL in eighths of a level. Class c (0 = the first to go) loses
 * none of its requests up to c levels, all of them from c + 1 levels, and in between a share; so
 * the class beyond the last level is never touched. Connections at 95 %, 97 % and 99 % of their
 * limit ask for one, two and three levels and no more; each is kept until there is room of 2 %
 * more.
 *
 * A pause is not a queue: an interval is judged with at least SHED_SAMPLES samples only.
 * For one thread. All zero is one at rest. */
#include <stdbool.h>
#include <stdint.h>

enum { SHED_STEPS = 8, SHED_LEVELS = 3, SHED_FULL = SHED_LEVELS * SHED_STEPS, SHED_SAMPLES = 3 };

struct shed_conf {
    uint64_t target_ns, interval_ns;
};

struct shed_sample {
    uint64_t late_ns;
    unsigned connections; /* percent of the limit */
};

struct shed {
    unsigned degree;          /* 0..SHED_FULL */
    uint64_t since_ns;        /* when the level became what it is; 0 = it always was */
    uint64_t begin_ns;        /* of the present interval */
    unsigned samples;         /* in it; 0 = none has begun */
    struct shed_sample least; /* in it */
};

/* 0 = nothing is refused; 1..SHED_LEVELS = how many classes lose requests. */
static inline unsigned shed_level(const struct shed *s)
{
    return (s->degree + SHED_STEPS - 1) / SHED_STEPS;
}

/* May a request of this class have to go? The answer is no at rest, and always for the class
 * SHED_LEVELS. */
static inline bool shed_touches(const struct shed *s, unsigned class)
{
    return s->degree > class * SHED_STEPS;
}

/* Of a class that is touched, `dice` from 0 to SHED_STEPS - 1. */
static inline bool shed_refuses(const struct shed *s, unsigned class, unsigned dice)
{
    return s->degree > class * SHED_STEPS + dice;
}

/* `sample` is what was seen last. True when the level has changed. */
bool shed_feed(struct shed *s, const struct shed_conf *c, uint64_t now_ns,
               struct shed_sample sample);
/* Nothing is refused any more, at once. True when the level has changed. */
bool shed_reset(struct shed *s, uint64_t now_ns);
