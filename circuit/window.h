/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* window.h - counts of outcomes over the last N seconds, in ten slices.
 *
 * Any worker may add at any time without a lock; a slice that is too old is cleared by the first
 * one that needs it. A count may go to the neighbouring slice in that instant: a rate over a window
 * needs no more. Totals are read rarely (on a failure, by the status page). */
#include <stdatomic.h>
#include <stdint.h>

enum { WINDOW_SLICES = 10 };

struct window_counts {
    uint32_t total, failed, slow;
};

struct window {
    uint64_t slice_ns; /* length / WINDOW_SLICES; set before it is shared, see window_resize() */
    struct window_slice {
        _Atomic uint64_t epoch; /* now / slice_ns of its content */
        _Atomic uint32_t total, failed, slow;
    } slices[WINDOW_SLICES];
};

void window_init(struct window *w, uint64_t length_ns);
void window_clear(struct window *w);
void window_add(struct window *w, uint64_t now_ns, int failed, int slow);
struct window_counts window_sum(const struct window *w, uint64_t now_ns);
