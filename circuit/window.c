/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit/window.h"

#include "circuit/relaxed.h"

#include <stdbool.h>

enum { SPINS = 64 };
#define CLEARING UINT64_MAX

static void set_length(struct window *w, uint64_t length_ns)
{
    uint64_t slice_ns = length_ns / WINDOW_SLICES;

    SET(&w->slice_ns, slice_ns ? slice_ns : 1);
}

static void zero(struct window_slice *s)
{
    SET(&s->total, 0);
    SET(&s->failed, 0);
    SET(&s->slow, 0);
}

void window_init(struct window *w, uint64_t length_ns)
{
    set_length(w, length_ns);
    for (unsigned i = 0; i < WINDOW_SLICES; i++)
        SET(&w->slices[i].epoch, 0);
    window_clear(w);
}

void window_clear(struct window *w)
{
    for (unsigned i = 0; i < WINDOW_SLICES; i++)
        zero(&w->slices[i]);
}

void window_resize(struct window *w, uint64_t length_ns)
{
    set_length(w, length_ns);
    window_clear(w);
}

uint64_t window_length(const struct window *w)
{
    return GET(&w->slice_ns) * WINDOW_SLICES;
}

/* Makes the slice the one of this epoch. False: someone else is at it and takes too long.
 * Any other epoch is replaced, a greater one too: it can only come from another window length, or
 * from a clock a whole window ahead. */
static bool slice_open(struct window_slice *s, uint64_t epoch)
{
    for (unsigned i = 0; i < SPINS; i++) {
        uint64_t found = atomic_load_explicit(&s->epoch, memory_order_acquire);

        if (found == epoch)
            return true;
        if (found == CLEARING)
            continue;
        if (atomic_compare_exchange_strong_explicit(&s->epoch, &found, CLEARING,
                                                    memory_order_acq_rel, memory_order_relaxed)) {
            zero(s);
            atomic_store_explicit(&s->epoch, epoch, memory_order_release);
            return true;
        }
    }
    return false;
}

void window_add(struct window *w, uint64_t now_ns, int failed, int slow)
{
    uint64_t epoch = now_ns / GET(&w->slice_ns);
    struct window_slice *s = &w->slices[epoch % WINDOW_SLICES];

    if (!slice_open(s, epoch))
        return;
    INC(&s->total);
    if (failed)
        INC(&s->failed);
    if (slow)
        INC(&s->slow);
}

struct window_counts window_sum(const struct window *w, uint64_t now_ns)
{
    uint64_t now = now_ns / GET(&w->slice_ns);
    struct window_counts sum = {0};

    for (unsigned i = 0; i < WINDOW_SLICES; i++) {
        const struct window_slice *s = &w->slices[i];
        uint64_t epoch = atomic_load_explicit(&s->epoch, memory_order_acquire);

        /* One slice ahead is in: another worker's clock may be a moment ahead of ours. */
        if (epoch > now + 1 || epoch + WINDOW_SLICES <= now)
            continue;
        sum.total += GET(&s->total);
        sum.failed += GET(&s->failed);
        sum.slow += GET(&s->slow);
    }
    if (sum.failed > sum.total)
        sum.failed = sum.total;
    if (sum.slow > sum.total)
        sum.slow = sum.total;
    return sum;
}
