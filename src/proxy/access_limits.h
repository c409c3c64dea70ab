/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_limits.h - how often a client may ask, and how much at once: two checks of the access
 * step.
 *
 * The first asks the limits that need not know who is asking, so that nobody can try passwords
 * faster than those allow; the second, behind authentication, those by identity. Within one check
 * all limits let the request pass and count it, or none counts it. What the first has counted stays
 * counted when the second, or a policy, refuses. An API key can bring limits of its own along:
 * claim `rate_limits`, a name or a list of names; one that does not exist refuses the request
 * (403).
 *
 * Limits that are shared with other gateways are asked of Redis, behind the local ones; while it is
 * away, and when its answer takes too long, this gateway's own count decides. */
#include "limits/limit_redis.h"
#include "proxy/exchange.h"

struct writer;

/* One limit that was asked for this request. */
struct limit_use {
    const struct limit_entry *entry; /* borrowed from the snapshot */
    uint64_t key;                    /* hash of the client */
    uint64_t value;                  /* his number as of the answer */
    bool known;                      /* value is one */
    bool taken;                      /* the request is counted */
    bool refused;                    /* it would not let the request pass */
};

struct access_limits {
    unsigned n, begin; /* of all uses; the first of the present check */
    struct limit_use uses[MAX_REQUEST_LIMITS];
    const struct limit_use *refusal; /* which one refuses the request; NULL = none */
    struct limit_redis_call *call;   /* Redis is being asked */
    bool answered;
    struct limit_redis_answer answer; /* for the shared ones among the uses, in their order */
    char detail[120];
};

enum verdict access_limits_before(struct exchange *x);
enum verdict access_limits_after(struct exchange *x);
/* What was under way has ended. */
void access_limits_end(struct exchange *x);

/* This worker asks the Redis of its present snapshot from now on. */
void access_limits_configure(struct worker *w);
