/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* slots.h - how many services may have a blocking query of their own over HTTP/1.1. Fewer when the
 * agent says that we are too many, and more again, a few at a time, when it has not said so for a
 * while: what took its connections may be gone. Pure: the time is an argument. */
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SLOTS_MAX = 100,
    SLOTS_MIN = 8,             /* however often the agent says it */
    SLOTS_FEWER_MS = 1000,     /* many watches are told at once; that counts as one */
    SLOTS_MORE_MS = 600000,    /* after the last time that it said so, and between steps */
    SLOTS_SHUT_OUT = 3,        /* connections closed at once, */
    SLOTS_SHUT_OUT_MS = 10000, /* within so long, while others are answered: Consul up to 1.8 does
                                  not say that they are too many */
};

struct slots {
    unsigned n;
    uint64_t since_ns; /* the agent last said it, or there are so many */
    unsigned shut_out; /* since shut_out_ns */
    uint64_t shut_out_ns, held_until_ns;
};

/* A connection was closed at once, while `busy` others wait in blocking queries. True: that is as
 * good as told that we are too many, and there are fewer slots now. They get free only as those
 * queries end, within hold_ms: until then nothing more is taken from it. */
static inline bool slots_shut_out(struct slots *s, unsigned busy, uint64_t hold_ms, uint64_t now_ns)
{
    unsigned fewer = busy / 2; /* others need connections too, and so do polls */

    if (now_ns - s->shut_out_ns > SLOTS_SHUT_OUT_MS * NS_PER_MS) {
        s->shut_out_ns = now_ns;
        s->shut_out = 0;
    }
    if (now_ns < s->held_until_ns || ++s->shut_out < SLOTS_SHUT_OUT)
        return false;
    s->held_until_ns = now_ns + hold_ms * NS_PER_MS;
    s->since_ns = now_ns;
    if (fewer < SLOTS_MIN)
        fewer = SLOTS_MIN;
    if (fewer >= s->n)
        return false;
    s->n = fewer;
    return true;
}

/* The agent says that we are too many. True: there are fewer now. */
static inline bool slots_fewer(struct slots *s, uint64_t now_ns)
{
    unsigned fewer = s->n - s->n / 4;

    if (now_ns - s->since_ns < SLOTS_FEWER_MS * NS_PER_MS)
        return false;
    s->since_ns = now_ns;
    if (fewer < SLOTS_MIN)
        return false;
    s->n = fewer;
    return true;
}

/* It answers. True: there are more now. */
static inline bool slots_more(struct slots *s, uint64_t now_ns)
{
    unsigned more = s->n + s->n / 4 + 1;

    if (s->n == SLOTS_MAX || now_ns - s->since_ns < SLOTS_MORE_MS * NS_PER_MS)
        return false;
    s->since_ns = now_ns;
    s->n = more < SLOTS_MAX ? more : SLOTS_MAX;
    return true;
}
