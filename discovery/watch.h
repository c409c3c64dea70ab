/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* watch.h - what to ask next, and when: the rules of one Consul blocking query. Pure: time and
 * random numbers are arguments, so every rule is tested without a socket.
 *
 *            +---- good answer: index = the answer's ----+
 *            v                                           |
 *   RESYNC (no index, answered at once) --> BLOCK (index, wait) --> error --> delay --> RESYNC
 *
 * - The index is taken from good answers only: errors carry index 1, and adopting it would spin.
 * - After any error the next request does not block, since an index above the server's (a restored
 *   or restarted server) would block for the whole wait and miss real changes.
 * - An index that goes backwards starts over: resync, and for two seconds short waits. A shrink is
 *   not believed until the index is where it was, or for 30 s: a server that was started shows a
 *   part of the catalog while it reads its log.
 * - A watch that wakes too often is slowed by a token bucket, and more so as it goes on.
 * - An answer that may show less than there is (see watch_reply.complete) may only add. */
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum watch_result {
    WATCH_GOOD,    /* 200 and understood */
    WATCH_FAILED,  /* transport error, 5xx, nonsense */
    WATCH_REFUSED, /* nothing listens there: an agent that is being restarted */
    WATCH_DENIED,  /* 403 */
    WATCH_LIMITED, /* 429 */
    WATCH_INVALID, /* 400, 404: will not get better by itself */
};

struct watch_answer {
    enum watch_result result;
    bool has_index;
    uint64_t index;
    uint64_t body_hash;
    bool leader_known;
    uint64_t last_contact_ms;
};

struct watch_options {
    uint64_t wait_ms;
    bool lead;     /* the watch whose recovery wakes the others: never backs off for long */
    bool polled;   /* has no connection of its own: asks without blocking when woken, or rarely */
    bool no_index; /* cannot block: what it says as an index means nothing */
};

struct watch {
    uint64_t index; /* of the last good answer; 0 = none yet */
    uint64_t body_hash;
    bool has_hash;          /* body_hash was published */
    uint64_t believed;      /* index of the last body that was applied */
    uint64_t believed_past; /* the one before */
    bool unsure;            /* the last answer came without a leader, or from one that lags */
    bool held;              /* the last body was not applied in full */
    uint64_t again_ns;      /* held: a request that does not block is due then; 0 = none */
    bool resync;            /* the next request must not block */
    unsigned failures;      /* in a row */
    uint64_t reset_ns;      /* when the index last went backwards; 0 = never */
    uint64_t peak;       /* the index before that, while the present one is lower; 0 = it is not */
    uint64_t bucket_ns;  /* token bucket: time at which it is full again */
    uint64_t churn_ns;   /* start of the minute that churn counts */
    unsigned churn;      /* answers in this minute */
    unsigned churn_past; /* answers in the minute before */
};

struct watch_request {
    uint64_t delay_ms;
    uint64_t index;   /* 0: do not block */
    uint64_t wait_ms; /* with an index */
};

struct watch_reply {
    bool publish;  /* the body is good and differs from the last one */
    bool complete; /* the body is the whole truth. Otherwise it may be a view of the past (no
                      leader, a server that lags or was restarted), or that of a token which lost
                      its rights: it may add to what is known, but not take away */
    bool reset;    /* the index went backwards */
    bool reload_token;
    struct watch_request next;
};

void watch_init(struct watch *w);

/* What is in use is the body of an earlier run of the gateway: an equal answer changes nothing. All
 * other rules are those of a first answer, since the index of that time says nothing today. */
void watch_recall(struct watch *w, uint64_t body_hash);

/* Takes an answer in and says what follows from it. */
void watch_take(struct watch *w, const struct watch_options *o, const struct watch_answer *a,
                uint64_t now_ns, struct rng *rng, struct watch_reply *ret);

/* The caller could not apply all of a published body: the next equal one will be published again,
 * and is asked for soon when it may be believed soon. `again_ns`: the caller wants to read again
 * then, without blocking (a wait that ends by time may answer with what was true when it began);
 * until then changes are waited for as usual. 0 = no such wish. Adapts ret->next. */
void watch_hold(struct watch *w, const struct watch_options *o, uint64_t again_ns, uint64_t now_ns,
                struct rng *rng, struct watch_reply *ret);

/* The request to send now, outside the usual order: the first one, or after a wake. Its delay
 * respects the token bucket. */
struct watch_request watch_now(const struct watch *w, const struct watch_options *o,
                               uint64_t now_ns, struct rng *rng);

/* How long the client waits for an answer: the server adds up to a 16th, and holds a request for
 * 7 s while it has no leader. */
uint64_t watch_deadline_ms(const struct watch_request *r);
