/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cached.h - answers that need not be asked for again (RFC 9111): the step between access and
 * admit, for routes with `cache`.
 *
 *   fresh     the stored answer is the answer
 *   stale     for stale-while-revalidate it is the answer too, and a request of the gateway's own
 * asks the service again; else the request goes on, with the condition that the stored answer has
 * changed (If-None-Match), and a 304 makes the stored one the answer none      the request goes on,
 * and its answer is stored on the way (capture.h)
 *
 * Of equal requests that find nothing, in all workers, the first goes on and the others wait for
 * what it brings (cache/pending.h), for a bounded time. When that cannot be stored, all of them go.
 */
#include "base/list.h"
#include "cache/cache.h"
#include "proxy/exchange.h"

struct writer;

enum cached_state { CACHED_MISS, CACHED_HIT, CACHED_STALE, CACHED_VALIDATED };

/* Of one request to such a route. */
struct cached {
    struct list node; /* in w->cache_waiters, while listed */
    bool listed;
    struct exchange *x;
    enum cached_state state;
    uint64_t hash;             /* of what it asks for */
    bool leads;                /* others wait for its answer */
    bool waited, timed_out;    /* it has waited for another one's */
    bool conditional;          /* `entry` is stale: the service is asked whether it has changed */
    struct cache_entry *entry; /* ref: the stored answer; NULL = there is none */
};

/* The step. */
enum verdict cached_look_up(struct exchange *x);
/* The head of the service's answer is there. True: it is 304, and the stored answer is the one. */
bool cached_validated(struct exchange *x);
/* The answer will not be stored, or it has been: who waits for it looks again. */
void cached_release(struct exchange *x);
void cached_free(struct exchange *x);
/* What has been fetched somewhere may be what others wait for. */
void cached_resume(struct worker *w);

static inline bool cached_has_answer(const struct exchange *x)
{
    return x->cached && x->cached->state != CACHED_MISS;
}
/* Writes the head of that into x->out and sets x->status; the body stays where it is. */
struct str cached_reply(struct exchange *x);

/* Does the client's condition stay here, as the gateway has one of its own? */
bool cached_replaces_request_field(const struct exchange *x, struct str name);
void cached_write_request_fields(const struct exchange *x, struct writer *w);
/* Cache-Status (RFC 9211) of an answer that came from the service. */
void cached_write_response_fields(const struct exchange *x, struct writer *w);
/* "hit" "stale" "validated" "miss"; NULL when the route has no cache. */
const char *cached_word(const struct exchange *x);
