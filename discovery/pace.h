/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* pace.h - how many requests a second: a token bucket. Pure: the time is an argument. */
#include "base/macros.h"

#include <stdint.h>

struct pace {
    uint64_t every_ns; /* one more for each */
    unsigned burst;    /* that may follow each other at once */
    uint64_t full_ns;  /* when the bucket is full again */
};

static inline struct pace pace_of(unsigned a_second, unsigned burst)
{
    return (struct pace){.every_ns = NS_PER_S / a_second, .burst = burst};
}

/* Takes one and returns 0, or takes none and returns how long to wait, in ns. */
static inline uint64_t pace_take(struct pace *p, uint64_t now_ns)
{
    uint64_t depth = (p->burst - 1) * p->every_ns;

    if (p->full_ns < now_ns)
        p->full_ns = now_ns;
    if (p->full_ns > now_ns + depth)
        return p->full_ns - now_ns - depth;
    p->full_ns += p->every_ns;
    return 0;
}
