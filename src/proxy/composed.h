/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* composed.h - an answer that the gateway makes of the answers to requests of its own: that of a
 * route with `aggregate` or `batch`.
 *
 * Whoever makes it embeds struct composed as its first member and has two functions. It belongs to
 * one exchange, and so to one worker. */
#include "base/bytes.h"
#include "proxy/exchange.h"

struct writer;

struct composed_ops {
    /* V_WAIT: more is to come, and what brings it calls conn_run(x->conn). V_FINISH: the answer is
     * in `made`, or x->fail says why there is none. */
    enum verdict (*run)(struct exchange *x);
    /* The request is over or has gone: what is under way is broken off, and all is freed. */
    void (*free)(struct exchange *x);
};

struct composed {
    const struct composed_ops *ops;
    bool timed_out;      /* the wait that exchange_wait() bounded is over; run() clears it */
    bool made;           /* the rest is valid */
    unsigned status;     /* of the answer */
    struct bytes fields; /* lines of its head, Content-Type among them: no framing */
    struct bytes body;
    const char *log; /* for the access log: what became of each part; NULL = nothing */
};

/* The step between cached and admit. */
enum verdict composed_run(struct exchange *x);
void composed_free(struct exchange *x);

static inline bool composed_has_answer(const struct exchange *x)
{
    return x->composed && x->composed->made;
}

/* Writes the head into x->out, for reply_prepare(); returns the body. */
struct str composed_reply(struct exchange *x);
