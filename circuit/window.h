/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* window.h - counts of outcomes over the last N seconds, in ten slices.
 *
 * Any worker may add at any time without a lock. The first one that needs a slice whose content is
 * too old closes it for an instant, clears it and opens it again; a count that falls into that
 * instant for longer than a short spin is dropped, never mixed with old content: a rate over a
 * window needs no more. Totals are read rarely (on a failure, by the status page). */
#include <stdatomic.h>
#include <stdint.h>

enum { WINDOW_SLICES = 10 };

struct window_counts {
    uint32_t total, failed, slow;
};

struct window {
    _Atomic uint64_t slice_ns; /* length / WINDOW_SLICES */
    struct window_slice {
        _Atomic uint64_t epoch; /* now / slice_ns of its content; UINT64_MAX while cleared */
        _Atomic uint32_t total, failed, slow;
    } slices[WINDOW_SLICES];
};

void window_init(struct window *w, uint64_t length_ns);
void window_clear(struct window *w);
/* Another length; clears the window. Safe while workers add (a few counts may be lost). */
void window_resize(struct window *w, uint64_t length_ns);
uint64_t window_length(const struct window *w);
/* One outcome more: always one in total, and one in failed or slow when that is not 0. */
void window_add(struct window *w, uint64_t now_ns, int failed, int slow);
/* What happened in the window that ends now; failed and slow never exceed total. */
struct window_counts window_sum(const struct window *w, uint64_t now_ns);
