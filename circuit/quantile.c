/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit/quantile.h"

#include "base/macros.h"
#include "circuit/relaxed.h"

#include <stdbool.h>

enum {
    UNIT_BITS = 16,  /* 65 us: what is shorter is all the same */
    OCTAVE_BITS = 4, /* 16 cells */
    OCTAVE = 1 << OCTAVE_BITS,
    SPINS = 64
};
#define HALF_NS    (30 * NS_PER_S)
#define REFRESH_NS (100 * NS_PER_MS)
#define CLEARING   UINT64_MAX

/* The first 16 cells are one unit wide, the next 16 too, and from then on each octave twice as
 * much. */
static unsigned cell_of(uint64_t ns)
{
    uint64_t units = ns >> UNIT_BITS;
    unsigned shift, cell;

    if (units < OCTAVE)
        return (unsigned)units;
    shift = 63 - (unsigned)__builtin_clzll(units) - OCTAVE_BITS;
    cell = (shift + 1) * OCTAVE + ((unsigned)(units >> shift) & (OCTAVE - 1));
    return cell < QUANTILE_CELLS ? cell : QUANTILE_CELLS - 1;
}

static uint64_t upper_edge(unsigned cell)
{
    unsigned shift = cell < OCTAVE ? 0 : cell / OCTAVE - 1;
    uint64_t units = cell < OCTAVE ? cell : OCTAVE + cell % OCTAVE;

    return (units + 1) << shift << UNIT_BITS;
}

static void clear(struct quantile_half *h)
{
    for (unsigned i = 0; i < QUANTILE_CELLS; i++)
        SET(&h->cells[i], 0);
}

/* Makes it the one of this epoch. False: it is a newer one already, or someone else is at it and
 * takes too long; one sample less does no harm. */
static bool half_open(struct quantile_half *h, uint64_t epoch)
{
    for (unsigned i = 0; i < SPINS; i++) {
        uint64_t found = atomic_load_explicit(&h->epoch, memory_order_acquire);

        if (found == epoch)
            return true;
        if (found == CLEARING)
            continue;
        if (found > epoch)
            return false;
        if (atomic_compare_exchange_strong_explicit(&h->epoch, &found, CLEARING,
                                                    memory_order_acq_rel, memory_order_relaxed)) {
            clear(h);
            atomic_store_explicit(&h->epoch, epoch, memory_order_release);
            return true;
        }
    }
    return false;
}

void quantile_add(struct quantile *q, uint64_t now_ns, uint64_t took_ns)
{
    uint64_t epoch = now_ns / HALF_NS;
    struct quantile_half *h = &q->halves[epoch & 1];

    if (half_open(h, epoch))
        INC(&h->cells[cell_of(took_ns)]);
}

static uint64_t estimate(const struct quantile *q, uint64_t now_ns, unsigned percent)
{
    uint64_t now = now_ns / HALF_NS, total = 0, rank, seen = 0;
    uint32_t cells[QUANTILE_CELLS] = {0};

    for (unsigned half = 0; half < 2; half++) {
        const struct quantile_half *h = &q->halves[half];
        uint64_t epoch = atomic_load_explicit(&h->epoch, memory_order_acquire);

        /* One ahead is in: another worker's clock may be a moment ahead of ours. */
        if (epoch > now + 1 || epoch + 1 < now)
            continue;
        for (unsigned i = 0; i < QUANTILE_CELLS; i++) {
            uint32_t n = GET(&h->cells[i]);

            cells[i] += n;
            total += n;
        }
    }
    if (total < QUANTILE_MIN_SAMPLES)
        return 0;
    rank = (total * percent + 99) / 100;
    for (unsigned i = 0; i < QUANTILE_CELLS - 1; i++) {
        seen += cells[i];
        if (seen >= rank)
            return upper_edge(i);
    }
    return upper_edge(QUANTILE_CELLS - 1);
}

uint64_t quantile_read(struct quantile *q, uint64_t now_ns, unsigned percent)
{
    uint64_t due_ns = GET(&q->refresh_at_ns);

    if (now_ns < due_ns && GET(&q->percent) == percent)
        return GET(&q->known_ns);
    /* One makes it anew; the others go on with what is known. */
    if (!atomic_compare_exchange_strong_explicit(&q->refresh_at_ns, &due_ns, now_ns + REFRESH_NS,
                                                 memory_order_relaxed, memory_order_relaxed))
        return GET(&q->known_ns);
    SET(&q->percent, percent);
    SET(&q->known_ns, estimate(q, now_ns, percent));
    return GET(&q->known_ns);
}
