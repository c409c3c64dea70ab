/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/h2_guard.h"
#include "base/macros.h"

enum {
    FRAME_BURST = 10000,
    FRAME_RATE = 200,        /* a second */
    FRAMES_PER_REQUEST = 20, /* what a request may bring along */
    BYTES_PER_FRAME = 1024   /* of what the client has taken, for each window update */
};

#define FRAME_NS (NS_PER_S / FRAME_RATE)

/* A bucket of `burst` tokens, one more each `interval`, is full at full_ns. */
static bool take(struct h2_bucket *b, uint64_t burst, uint64_t interval_ns, uint64_t now_ns)
{
    uint64_t full = b->full_ns > now_ns ? b->full_ns : now_ns;

    b->full_ns = full + interval_ns;
    return b->full_ns - now_ns <= burst * interval_ns;
}

bool h2_guard_reset(struct h2_guard *g, const struct http2_conf *c, uint64_t now_ns)
{
    return take(&g->resets, c->reset_burst, NS_PER_S / c->reset_rate, now_ns);
}

bool h2_guard_frame(struct h2_guard *g, uint64_t now_ns)
{
    return take(&g->frames, FRAME_BURST, FRAME_NS, now_ns);
}

void h2_guard_worked(struct h2_guard *g, unsigned requests, uint64_t bytes)
{
    uint64_t back = (requests * (uint64_t)FRAMES_PER_REQUEST + bytes / BYTES_PER_FRAME) * FRAME_NS;

    g->frames.full_ns -= back < g->frames.full_ns ? back : g->frames.full_ns;
}

const char *h2_flood_word(enum h2_flood f)
{
    return f == H2_FLOOD_RESETS ? "resets" : f == H2_FLOOD_FRAMES ? "frames" : "none";
}
