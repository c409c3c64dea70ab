/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* exchange.h - one request and its answer, from the first byte read to the log line.
 *
 * This is the file to read first. The request goes through the steps below in their order; each
 * ends in one of six verdicts, and there is no other way from one to another. A step that waits is
 * called again when something happened: so it reads "outcome here? take it; else arrange for it and
 * wait".
 *
 *   accept -> read_head -> route -> access -> cached -> compose -> admit -> pick -> connect ->
 *   send -> await_head -> relay -> finish
 *
 * retry leads back to pick and a fallback service back to admit, and only while nothing of an
 * answer has been sent to the client.
 */
#include "base/list.h"
#include "http/message.h"
#include "proxy/conn.h"
#include "proxy/grpc_status.h"
#include "proxy/pump.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"
#include "route/route.h"
#include "snapshot/service_rules.h"

#define EXCHANGE_STEPS(X)                                                                          \
    X(read_head)                                                                                   \
    X(route)                                                                                       \
    X(access)                                                                                      \
    X(cached) X(compose) X(admit) X(pick) X(connect) X(send) X(await_head) X(relay) X(finish)

enum exchange_step {
#define X(name) STEP_##name,
    EXCHANGE_STEPS(X)
#undef X
        STEP_COUNT
};

enum verdict {
    V_NEXT,   /* go on with the following step */
    V_WAIT,   /* an event or a deadline will call this step again */
    V_FINISH, /* nothing more to try: go to finish; x->fail says why, if anything failed */
    V_RETRY,  /* this attempt failed: go to pick */
    V_ADMIT,  /* this service failed and another one stands in: go to admit */
    V_DONE    /* the exchange is over */
};

enum { REQUEST_ID_MAX = 64 };

/* One try at one instance. */
struct attempt {
    unsigned index;                  /* of the instance in the service view */
    struct instance_state *instance; /* borrowed from the view; NULL before and after */
    bool probation;
    bool is_hedge;   /* sent beside a slow one (hedge.h) */
    bool fresh_only; /* no kept connection any more */
    struct upstream *up;
    struct buf *up_head;                       /* the request head as sent */
    uint64_t begin_ns, sent_ns, first_byte_ns; /* sent: the request is complete */
    struct pump upload;
    bool upload_started, upload_done, upload_broken;
    unsigned interim; /* 1xx answers seen */
    size_t resp_scanned, resp_head_bytes;
    struct response resp; /* last: large, and filled by its parser */
};

struct exchange {
    struct worker *w;
    struct conn *conn;
    struct held_snapshot *held; /* taken in route, kept to finish */
    enum exchange_step step;
    bool running, woken, settled;
    enum reason wake_reason; /* a deadline or a hang-up during a wait; taken by the loop */
    enum reason fail;        /* REASON_NONE while all is well */
    const char *detail;      /* more words for the log and the client; static text */

    /* What the client asked. */
    struct buf *head; /* holds the bytes that `req` points into */
    size_t scanned, head_bytes;
    struct request req;
    char peer[INET6_ADDRSTRLEN]; /* of the connection, as text */
    struct in6_addr client;      /* who asks: the peer, or whom a trusted one names (forwarded.h) */
    char request_id[REQUEST_ID_MAX + 1];
    uint64_t max_body;
    struct route_match match;
    bool preflight;            /* of CORS, answered here (cors.h) */
    struct cached *cached;     /* of a route with a cache (cached.h); owned, NULL = nothing */
    struct compress *compress; /* how it is coded (compress.h); owned, NULL = as it is */
    struct composed *composed; /* of a route that answers by itself (composed.h); owned */
    struct access *access; /* who asks, and what was found out about it; owned, NULL = nothing */

    struct grpc_call grpc;

    /* The request's body: in memory as a whole (and so repeatable), or pumped. */
    bool body_buffered;
    struct str body;
    struct buf *body_buf; /* the pump's, when not buffered */
    bool continue_sent;

    /* Where it goes. */
    const struct service_view *service;
    const struct chain_route *rule; /* of Consul's router, when it changes something (traffic.h) */
    const struct chain_split *part; /* of Consul's splitter, likewise */
    struct breaker_ticket ticket;
    bool has_ticket, has_limit, queued;
    struct list queue_node; /* in w->queued */
    uint64_t queue_until_ns;
    struct balance_query query;
    unsigned attempts;
    struct attempt *attempt;  /* the present one; never NULL */
    enum reason attempt_fail; /* how the last attempt failed */
    struct hedge *hedge;      /* a second try was sent; owned */
    bool hedge_armed, hedge_due, hedge_won;
    const struct fallback_list *fallbacks; /* of the route or its service; NULL = none */
    struct fallback *fallback;             /* the service has failed; owned */
    uint64_t hedge_at_ns;                  /* when the second try is due, while armed */

    /* The answer. */
    struct buf *out; /* its head as sent to the client */
    struct pump download;
    struct cache_entry *capture; /* it is being stored; ref */
    bool replied;                /* the answer is the gateway's own */
    bool resp_started;           /* bytes of the final answer may have reached the client */
    bool close_client, tunnel, download_done;
    unsigned status; /* sent to the client; 0 = none */

    uint64_t begin_ns;         /* first byte of the request */
    uint64_t admit_ns;         /* when the breaker was asked */
    uint64_t deadline_ns;      /* of the whole exchange, 0 = none */
    uint64_t step_deadline_ns; /* of the present wait, 0 = none */
    enum reason step_timeout;  /* what it means when that passes */

    struct attempt first_attempt; /* what begins with its answer is not cleared */
    struct event hedge_timer;     /* while hedge_armed */
};

/* A fresh exchange of this connection; NULL when memory is out. */
struct exchange *exchange_new(struct conn *c) MUST_CHECK;
void exchange_free(struct exchange *x);

/* Runs steps until one waits. V_WAIT or V_DONE. */
enum verdict exchange_run(struct exchange *x);
/* The upstream socket has news. */
void exchange_upstream_event(struct exchange *x);
/* The client's socket has news, or its deadline has passed. */
enum verdict exchange_client_event(struct exchange *x);
enum verdict exchange_deadline(struct exchange *x);
/* The connection breaks off under a running exchange: settle accounts, say nothing. */
void exchange_abandon(struct exchange *x, enum reason why);
/* True when the connection can take another request; else *ret_linger says whether the client may
 * still be sending. After V_DONE. */
bool exchange_keeps_client(const struct exchange *x, bool *ret_linger);
/* For the modules that do a step's work: */

/* The present wait ends after `ms` (0 = never) with this reason. */
void exchange_wait(struct exchange *x, uint64_t ms, enum reason timeout);
/* The request ends here, for this reason. V_FINISH. */
enum verdict exchange_refuse(struct exchange *x, enum reason why);
/* An attempt has failed: again elsewhere if that is safe and allowed, else this is the outcome. */
enum verdict exchange_attempt_failed(struct exchange *x, enum reason why);

static inline const struct config *exchange_config(const struct exchange *x)
{
    return x->held->snapshot->config;
}

/* Whom limits and rules by address go by. IPv4 as v4-mapped. */
static inline const struct in6_addr *exchange_client_address(const struct exchange *x)
{
    return &x->client;
}

/* When the time that its route, service and (gRPC) client give the request is over; 0 = never. */
static inline uint64_t exchange_time_limit(const struct exchange *x)
{
    uint64_t timeout = service_rules_timeout_ms(x->match.route->conf, x->service->conf, x->rule);
    uint64_t limit;
    bool client_is_first;

    if (x->req.upgrade_websocket)
        timeout = 0;
    limit = timeout ? x->begin_ns + timeout * NS_PER_MS : 0;
    client_is_first = x->grpc.deadline_ns && (limit == 0 || x->grpc.deadline_ns < limit);

    return client_is_first ? x->grpc.deadline_ns : limit;
}
