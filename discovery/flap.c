/* SPDX-License-Identifier: Apache-2.0 */
#include "flap.h"
#include "base/macros.h"

static const uint64_t memory_ns = 60 * NS_PER_S;

void flap_fell(struct flap *f, uint64_t now_ns)
{
    f->fell_ns[f->nfell++ % FLAP_FALLS] = now_ns;
    f->well_ns = 0;
}

void flap_recovered(struct flap *f, uint64_t now_ns)
{
    f->well_ns = now_ns;
}

/* All falls of the ring were within a minute, seen from the recovery. */
static bool is_flapping(const struct flap *f)
{
    uint64_t oldest = f->fell_ns[f->nfell % FLAP_FALLS];

    return f->nfell >= FLAP_FALLS && f->well_ns - oldest < memory_ns;
}

uint64_t flap_until(const struct flap *f, uint64_t damping_ms, uint64_t now_ns)
{
    uint64_t until = f->well_ns + damping_ms * NS_PER_MS;

    return f->well_ns != 0 && is_flapping(f) && until > now_ns ? until : 0;
}

bool flap_over(const struct flap *f, uint64_t damping_ms, uint64_t now_ns)
{
    uint64_t last = f->nfell ? f->fell_ns[(f->nfell - 1) % FLAP_FALLS] : 0;

    return flap_until(f, damping_ms, now_ns) == 0 && (f->nfell == 0 || now_ns - last >= memory_ns);
}
