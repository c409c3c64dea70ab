/* SPDX-License-Identifier: Apache-2.0 */
#include "base/instance_load.h"

#define GET(f)    atomic_load_explicit(&l->f, memory_order_relaxed)
#define SET(f, v) atomic_store_explicit(&l->f, (v), memory_order_relaxed)

void instance_load_sample(struct instance_load *l, uint64_t now_ns, uint64_t sample_ns,
                          uint64_t decay_ns)
{
    uint64_t avg = GET(ewma_ns), at = GET(ewma_at_ns);

    if (avg == 0 || sample_ns >= avg) {
        avg = sample_ns ? sample_ns : 1;
    } else {
        /* w = dt / (dt + tau) is the first-order form of 1 - exp(-dt / tau): no libm per request,
         * and it keeps the two properties that matter: 0 at dt = 0, 1 as dt grows. */
        uint64_t dt = now_ns > at ? now_ns - at : 0;
        double w = (double)dt / (double)(dt + decay_ns);
        avg -= (uint64_t)((double)(avg - sample_ns) * w);
    }
    SET(ewma_ns, avg);
    SET(ewma_at_ns, now_ns);
}
