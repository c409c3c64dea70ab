/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* overload.h - whether a worker has more to do than it can, and whose requests it then refuses.
 *
 * How late the event loop is, is measured with a timer (the probe): libevent runs timers behind all
 * events that are ready, so a probe is as late as a request that arrives in the worst moment. A
 * request costs nothing for it but one comparison. What is made of the measurements is in
 * circuit/shed.h. Nothing else than the routes' importance decides who goes. */
#include "base/rng.h"
#include "circuit/shed.h"
#include "config/config.h"
#include "proxy/proxy.h"

#include <event2/event_struct.h>
#include <stdatomic.h>

struct worker;

struct overload {
    struct shed shed;
    struct event probe;
    uint64_t due_ns;        /* when the probe should run */
    bool crowded;           /* few connections are left */
    uint64_t requests_seen; /* as of the last one */
    uint64_t told_ns;       /* when it was logged that shedding begins; 0 = it has ended */
    uint64_t quiet_ns;      /* since when nothing is refused, while told */
    uint64_t refused_before[SHED_LEVELS];
    struct { /* written here, read by the control thread */
        _Atomic unsigned level;
        _Atomic uint64_t since_ns;
        _Atomic uint64_t refused[SHED_LEVELS]; /* by importance, lowest first */
    } shown;
};

/* On the worker's thread, once it has a snapshot, and before it ends. */
void overload_start(struct worker *w);
void overload_stop(struct worker *w);
/* Throws the dice for a request whose class is touched, and counts. */
bool overload_refuse(struct overload *o, struct rng *rng, unsigned class);

/* Must a request of this importance go? */
static inline bool overload_refuses(struct overload *o, struct rng *rng, enum importance i)
{
    unsigned class = (unsigned)(i - IMPORTANCE_LOW);

    return shed_touches(&o->shed, class) && overload_refuse(o, rng, class);
}

/* Any thread: adds one worker's numbers. */
void overload_show(const struct overload *o, struct proxy_overload *ret);
