/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* instance_load.h - what all workers know about an instance right now.
 *
 * Lives in the registry beside the snapshots, so a catalog change or a reload never resets it.
 * Every field is atomic and read with relaxed order: a balancer may act on a value that is a
 * microsecond old. Written by the proxy (in_flight, latency, refused), by the outlier
 * detector (ejection) and by who builds snapshots (usable, doubted); read by the balancer. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct instance_load {
    _Atomic uint32_t in_flight;     /* requests sent there and not finished */
    _Atomic uint32_t max_in_flight; /* 0 = no limit */
    _Atomic uint64_t ewma_ns;       /* peak-EWMA of the time to the first byte; 0 = no sample yet */
    _Atomic uint64_t ewma_at_ns;    /* monotonic time of the last sample */
    _Atomic uint64_t usable_since_ns;  /* when it last became usable: start of its slow start */
    _Atomic uint64_t ejected_until_ns; /* 0 = not ejected; UINT64_MAX = until someone restores it */
    _Atomic bool held_out;             /* ejected by hand: not even panic mode sends there */
    _Atomic bool on_probation;         /* after an ejection: one request at a time */
    _Atomic bool probing;              /* that request is under way */
    _Atomic bool doubted; /* Consul does not list it any more, which is not believed yet */
    _Atomic uint64_t
        refused_until_ns; /* doubted, and nothing listens there: not asked until then */
};

/* Enters a latency sample. Peak-EWMA (Finagle): a sample above the average replaces it at once,
 * below it the average decays with time constant `decay_ns`. Lock-free; a lost race loses one
 * sample. */
void instance_load_sample(struct instance_load *l, uint64_t now_ns, uint64_t sample_ns,
                          uint64_t decay_ns);
