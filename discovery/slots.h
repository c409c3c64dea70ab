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
    SLOTS_MIN = 8,          /* however often the agent says it */
    SLOTS_FEWER_MS = 1000,  /* many watches are told at once; that counts as one */
    SLOTS_MORE_MS = 600000, /* after the last time that it said so, and between steps */
};

struct slots {
    unsigned n;
    uint64_t since_ns; /* the agent last said it, or there are so many */
};

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
