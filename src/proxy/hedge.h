/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* hedge.h - hedged requests (Dean and Barroso, "The Tail at Scale", CACM 2013): when an answer does
 * not begin in time, the same request goes to a second instance too, and the first answer wins.
 *
 * While two tries are under way the exchange is at one of them (x->attempt, x->step and the
 * deadline of its wait), and the other one is parked in struct hedge; each gets its turn of the
 * steps by changing places. So no step knows of more than one try, and each of the two has timeouts
 * of its own. A request is hedged at most once. */
#include "proxy/exchange.h"

struct hedge {
    bool running; /* two tries are under way */
    /* The one that is parked. */
    struct attempt *parked;
    enum exchange_step step;
    uint64_t step_deadline_ns;
    enum reason step_timeout;

    struct attempt second; /* last: its answer is not cleared */
};

static inline bool hedge_running(const struct exchange *x)
{
    return x->hedge && x->hedge->running;
}

/* A try has begun: decides whether and when a second one is to be sent. */
void hedge_plan(struct exchange *x);
/* The present try waits. True when the exchange is at the other one now, whose turn it is; that may
 * be the second one, whose time has come. */
bool hedge_turn(struct exchange *x);
/* The present try has failed. True when the other one takes its place. */
bool hedge_goes_on(struct exchange *x, enum reason why);
/* The present try has the head of the answer that the client gets: the other try is over. */
void hedge_decide(struct exchange *x);
/* The request is over, and with it the parked try and what was planned. */
void hedge_cancel(struct exchange *x);
void hedge_free(struct exchange *x);

/* `at_ns` (0 = none) or the deadline of the parked try's wait, whichever is earlier. */
uint64_t hedge_earlier(const struct exchange *x, uint64_t at_ns);
/* A deadline has passed: turns to the try whose deadline it was. */
void hedge_face_deadline(struct exchange *x);
