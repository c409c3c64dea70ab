/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* query.h - one Consul query that is asked again and again: a watch (the rules), a timer and an
 * HTTP request. The query_pool is what all queries of an agent share.
 *
 * Requests that do not block pass one scheduler, because a restarted agent fails all watches in the
 * same millisecond: SYNCING_MAX at a time; first those that matter now (a service with traffic, or
 * one that is known to have changed), then the others, these no more than SYNCING_A_SECOND. A
 * blocking query in flight is never
 * cancelled to ask again: over HTTP/1.1 the agent keeps its slot until the wait ends. */
#include "base/err.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/str.h"
#include "consul_http.h"
#include "pace.h"
#include "watch.h"

struct arena;
struct event;
struct event_base;
struct keeper;
struct query;

struct query_pool {
    struct event_base *base;  /* borrowed */
    struct consul_http *http; /* borrowed */
    struct rng rng;
    struct list urgent;  /* queries that may not start yet, through query.link */
    struct list waiting; /* the same, behind those */
    struct pace pace;    /* of `waiting` */
    struct event *turn;  /* owned; when the next one of `waiting` may start */
    unsigned syncing;    /* requests in flight that count against the limit */
    const char *suffix;  /* borrowed; "stale&dc=x&" or "" */
    uint64_t requests;
    uint64_t index_resets;
    struct keeper *keeper; /* borrowed; where believed answers are kept, or NULL */
    unsigned recalled;     /* queries whose recalled answer Consul has not confirmed yet */
    bool heard;            /* the last answer of any query was of use */
};

struct query_outcome {
    enum watch_result result;
    const struct consul_answer *answer;
    const char *error; /* when not WATCH_GOOD */
    bool woke;         /* the index is another one than before */
    bool was_failing;
};

struct query_ops {
    /* Understands the body and keeps what it says; nothing is applied yet. */
    int (*read)(struct query *q, struct str body, struct err *e);
    /* Applies what was read. Unless it is `complete`, what is known may only be added to; unless
     * `empty_ok`, the same goes for an answer without anything in it. False: not all of it was
     * applied; query.read_again_ns may say when it is worth while to ask again. */
    bool (*apply)(struct query *q, bool complete, bool empty_ok);
    /* The last call for an answer; the next request is scheduled already. May not free q. */
    void (*after)(struct query *q, const struct query_outcome *o);
    /* query_end() came to its end: free q. */
    void (*ended)(struct query *q);
    /* Does it go before others now? NULL = always. */
    bool (*urgent)(const struct query *q);
};

struct query {
    const struct query_ops *ops;
    struct query_pool *pool; /* borrowed */
    void *owner;             /* borrowed; for the ops */
    char *path;              /* owned; encoded, without "?" */
    char *suffix;            /* owned; in place of the pool's, or NULL */
    struct watch watch;
    struct watch_options options;
    struct watch_request next;
    struct consul_get *get; /* owned */
    struct event *timer;    /* owned */
    struct list link;       /* in pool->urgent or pool->waiting */
    bool syncing;           /* the request in flight counts against the limit */
    bool blocking;          /* the request in flight blocks */
    bool again;             /* kicked while a request was in flight */
    bool hurry;             /* known to have changed: the next request is urgent */
    uint64_t asked_ns;      /* begin of the request that is answered, if it did not block; else 0 */
    bool rest;              /* set by apply(): nothing to ask any more, unless it is kicked */
    uint64_t read_again_ns; /* set by apply(): ask then, without blocking */
    bool ending;
    char *key;           /* owned; what it is kept as, NULL = it is not */
    int64_t recalled_ms; /* what is applied was kept from an earlier run, and Consul last confirmed
                            it then (wall time); 0 = Consul has confirmed it since */
    bool has_kept;
    uint64_t kept_hash; /* of the body that is kept */
};

void query_pool_init(struct query_pool *p, struct event_base *base, struct consul_http *http,
                     const char *suffix);
/* All its queries must be released before. */
void query_pool_release(struct query_pool *p);

/* Copies the path. The first request starts with query_kick(). */
void query_init(struct query *q, const struct query_ops *ops, struct query_pool *pool, void *owner,
                const char *path);
/* What the query asks for besides its path: "stale&dc=x&". */
const char *query_suffix(const struct query *q);
/* Drops a request in flight. */
void query_release(struct query *q);

/* The last answer that is believed is kept from now on. When one is there from an earlier run, it
 * is read and applied before this returns, as if Consul had said it; but not while Consul answers,
 * which will do so in a moment. Before the first kick. */
void query_keep(struct query *q);

/* Asks now, unless a blocking request is in flight, which the change will end by itself. */
void query_kick(struct query *q);
/* The same, before all others: it is known that there is something new. */
void query_hurry(struct query *q);
/* The next request, which is planned already, comes no earlier than so; a kick does not wait. */
void query_put_off(struct query *q, uint64_t delay_ms);

/* No further request; one in flight runs out first, its answer is ignored. Calls ended(), perhaps
 * before it returns. */
void query_end(struct query *q);
