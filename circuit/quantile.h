/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* quantile.h - a quantile of recent durations, as "95 % of the answers began within 12 ms".
 *
 * A log-linear histogram (as HdrHistogram's): 16 cells an octave, from 65 us to 68 s. There are two
 * of them, one for the present half minute and one for the one before, so an estimate speaks of the
 * last 30 to 60 s. What it says is the upper edge of a cell: never below the quantile of the
 * durations that were added, and above it by at most 1/16 or 65 us; beyond 68 s it stays at 68 s.
 *
 * Lock-free; any worker may add and read at any time. Reading is a few relaxed loads: the estimate
 * is kept and made anew at most every 100 ms. All zero is an empty one. */
#include <stdatomic.h>
#include <stdint.h>

enum {
    QUANTILE_CELLS = 272,
    QUANTILE_MIN_SAMPLES = 100 /* fewer say nothing about a tail */
};

struct quantile {
    _Atomic uint64_t refresh_at_ns, known_ns; /* of the estimate that is kept */
    _Atomic unsigned percent;
    struct quantile_half {
        _Atomic uint64_t epoch; /* number of its half minute; UINT64_MAX while it is cleared */
        _Atomic uint32_t cells[QUANTILE_CELLS];
    } halves[2];
};

void quantile_add(struct quantile *q, uint64_t now_ns, uint64_t took_ns);
/* `percent` from 1 to 99. 0 = not enough samples yet. */
uint64_t quantile_read(struct quantile *q, uint64_t now_ns, unsigned percent);
