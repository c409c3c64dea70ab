/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* belief.h - what Consul says about one service, and what of it is believed.
 *
 * An instance that is not listed any more is kept, as it was, while there is reason for doubt:
 * - the answer may be a view of the past, or of a part (see watch_reply.complete);
 * - it is on the node of an agent that has just been restarted, whose services are still being
 *   filled in;
 * - too much is lost at once (guard.h), and the loss is not confirmed. It is confirmed for an
 *   instance when it was missing in a complete answer, is still missing in the answer to a request
 *   that did not block and began at least confirm_ms later, and after the token was found to have
 *   its rights. So a purposeful mass deregistration goes through within seconds.
 * An instance that is listed is obeyed at once, critical or not, but for
 * - those of a restarted agent, whose checks are critical until they have run again, and
 * - those that flap (flap.h), unless they are all that the service has.
 * An operator may say that Consul is right: belief_accept().
 *
 * Pure: time is an argument; no I/O. Embedded in an entry of the catalog, which owns what is
 * believed ("told") and hands it in. Control thread. */
#include "flap.h"
#include "guard.h"

#include "base/instance.h"

struct trace;

struct belief_options {
    struct guard_options guard;
    uint64_t damping_ms; /* 0 = no damping */
    bool ask_rights;     /* a loss is confirmed only with belief_rights() */
};

/* Common to all services. */
struct belief_world {
    struct belief_options options;
    struct guard_all all;
    char agent_node[256];    /* of the agent; "" = not known yet: it may be any */
    uint64_t agent_until_ns; /* it was restarted: do not believe it about its node until then */
};

enum belief_why {
    BELIEF_SURE,       /* nothing is held */
    BELIEF_STALE,      /* the answer may be old or partial */
    BELIEF_RESTARTED,  /* the agent was restarted */
    BELIEF_CONFIRMING, /* waits for the second read */
    BELIEF_ASKING,     /* waits for the answer about the token's rights */
    BELIEF_NO_RIGHTS   /* the token lacks rights, or they could not be asked for */
};
/* A sentence for people. */
const char *belief_why_text(enum belief_why why);

enum belief_rights { RIGHTS_UNKNOWN, RIGHTS_GIVEN, RIGHTS_MISSING };

struct belief {
    struct belief_world *world; /* borrowed */
    struct guard guard;
    struct instance_set *said; /* ref: the last answer; NULL before the first */
    bool complete;             /* said is the whole truth */
    uint64_t asked_ns;         /* begin of the request, when it did not block; else 0 */
    enum belief_rights rights; /* since the loss was first seen */
    uint64_t rights_ns;        /* when that was said */
    bool accepted;             /* by an operator, for the next judgement */
    struct trace *traces;      /* owned; of instances that are missing or have fallen lately */

    /* What the last judgement came to. */
    unsigned held, damped;   /* instances */
    enum belief_why why;     /* of those that are held; the one that ends last */
    uint64_t held_since_ns;  /* 0 = none is held */
    bool unheeded;           /* not all of the answer was taken in: it must be read again */
    uint64_t read_again_ns;  /* when a request that does not block is worth while; 0 = no hurry */
    uint64_t judge_again_ns; /* when time alone changes something; 0 = never */
};

void belief_init(struct belief *b, struct belief_world *w);
void belief_release(struct belief *b);

/* Takes an answer in (and a reference to it over): sorted and resolved. */
void belief_hear(struct belief *b, struct instance_set *said, bool complete, uint64_t asked_ns,
                 uint64_t now_ns);
/* What is believed now, as a new reference. `told` is what was believed so far; NULL = nothing.
 * Only after belief_hear(). */
struct instance_set *belief_judge(struct belief *b, const struct instance_set *told,
                                  uint64_t now_ns) MUST_CHECK;

/* Addresses of the same answer were looked up again. Takes the reference over. */
void belief_resolved(struct belief *b, struct instance_set *said);

/* The next judgement believes all that Consul says. */
void belief_accept(struct belief *b);
/* What a look at the token, begun after the loss was seen, came to. What was read before it proves
 * nothing: the token may have lacked rights then. */
void belief_set_rights(struct belief *b, enum belief_rights r, uint64_t now_ns);
/* Since when the instance has been missing in complete answers; 0 = it is listed. */
uint64_t belief_missing_since(const struct belief *b, const struct instance *i);
/* Forgets what does not matter any more; after belief_judge() and whoever wants to know why. */
void belief_tidy(struct belief *b, uint64_t now_ns);
