/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* traffic_rules.h - Consul's traffic rules for a service (discovery/chain.h), with the service
 * slots that they lead to: where does this request go, and how?
 *
 * Pure: the same walk for a worker and for /v1/explain. A worker looks nothing up by name. What a
 * condition is held against:
 *
 *   path      the one that goes on: after strip, prepend and rewrite of the gateway's route, in its
 *             normal form
 *   fields    all of that name, joined by commas (RFC 9110 section 5.3). :authority, :method, :path
 *             are known. A field that is not there meets no condition but Present with Invert, as
 *             in Envoy
 *   query     the first parameter of that name, as it is written
 *   regex     the whole of the value */
#include "base/rng.h"
#include "discovery/chain.h"
#include "http/message.h"

struct traffic_rules {
    struct chain *chain; /* ref */
    uint32_t *slots;     /* of its targets; owned */
};

/* Resolves a service name to its slot. */
typedef uint32_t traffic_slot_fn(void *arg, const char *service);

/* Takes a reference of its own. Never NULL. Thread: control. */
struct traffic_rules *traffic_rules_new(struct chain *c, traffic_slot_fn *slot, void *arg);
/* Clears the caller's pointer; accepts a pointer to NULL. Any thread. */
void traffic_rules_free(struct traffic_rules **r);

struct traffic_query {
    const struct request *req;
    struct str path;
    bool sticky; /* parts of a split are chosen by `hash`, which stays the same for a client */
    uint64_t hash;
};

struct traffic_walk {
    struct {
        unsigned node;
        int choice;   /* route or part, -1 for a resolver */
        bool certain; /* of a splitter: by the only weight or by a sticky value */
    } hops[CHAIN_MAX_DEPTH];
    unsigned nhops;
    const struct chain_route *route;   /* the last one that matched; NULL = there was no router */
    const struct chain_split *part;    /* the last one chosen; NULL = there was no splitter */
    const struct chain_target *target; /* NULL = no route matched */
    uint32_t slot;                     /* of the target */
};

/* False: no route of a router matches. No allocation. */
bool traffic_rules_walk(const struct traffic_rules *r, const struct traffic_query *q,
                        struct rng *rng, struct traffic_walk *ret);

/* Does the route match? */
bool traffic_route_matches(const struct chain_route *route, const struct traffic_query *q);

/* The path to send on, when the route rewrites it: what a prefix was is replaced, else all of it.
 * Writes at most cap bytes to out; -1 when it does not fit, or when a `..` would come about. */
int traffic_route_path(const struct chain_route *route, struct str path, char *out, size_t cap,
                       size_t *ret_n) MUST_CHECK;
