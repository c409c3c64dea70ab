/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fallback.h - what answers in place of a service that cannot: an answer from the cache, another
 * service, a fixed answer (config/fallback.c).
 *
 * The entries of the list are tried in order until one can answer. A fixed answer always can; the
 * cache when it has one; another service when the request can still be sent and there is time. That
 * service gets the request as a new one, from admit on, after the accounts of the first one are
 * settled: so each breaker, limit and retry budget sees its own service only. When it cannot answer
 * either, the list goes on; when nothing is left, the client gets the failure of the first. */
#include "cache/cache.h"
#include "proxy/head.h"

struct fallback {
    unsigned next;                    /* the entries before have had their turn */
    const struct fallback_conf *item; /* the one whose turn it is; NULL = none could answer */
    bool chosen;                      /* it is to begin once the present answer is given up */
    struct cache_entry *entry;        /* ref: what it answers with, when it is the cache */

    /* The failure that it stands in for. */
    enum reason reason;
    unsigned status; /* REASON_UPSTREAM_STATUS: what the service answered */

    /* While another service stands in: the first one, and what it left behind. */
    const struct service_view *failed;
    const struct chain_route *rule; /* that `failed` was asked by */
    const struct chain_split *part; /* the same */
    const char *detail;
    struct breaker_ticket ticket;
    unsigned attempts, index;
    uint64_t since_ns, deadline_ns;
};

/* The answer whose head is there has a status. True when it is not to be used: the list counts it
 * as a failure, and something else can answer. Go to finish then. */
bool fallback_replaces(struct exchange *x);
/* A request has failed, its accounts are settled, and nothing was sent to the client. V_ADMIT when
 * another service gets it; V_NEXT when it is to be answered here. */
enum verdict fallback_begin(struct exchange *x);
/* Is the answer one that the gateway has here? */
static inline bool fallback_has_answer(const struct exchange *x)
{
    return x->fallback && x->fallback->item && x->fallback->item->kind != FALLBACK_SERVICE;
}
/* The deadline of a request that has one of its own: never later than that of the first service. */
uint64_t fallback_deadline(const struct exchange *x, uint64_t own_ns);
/* x->fallback must be there. */
void fallback_free(struct exchange *x);

/* Writes the head of that answer into x->out and sets x->status; the body stays where it is. */
struct str fallback_reply(struct exchange *x);
/* The fields that tell a client that this is not the service's own answer. */
void fallback_write_fields(const struct exchange *x, struct writer *w);
