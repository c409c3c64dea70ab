/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* worker.h - one event loop and everything that belongs to it alone: client connections, upstream
 * connections, buffers, timers, its present snapshot. Private to the proxy.
 *
 * Functions run on the worker's own thread unless they say otherwise. What other threads may touch
 * is in the sub-struct `shared`. */
#include "base/bufpool.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/wheel.h"
#include "proxy/access_log.h"
#include "proxy/overload.h"
#include "proxy/pipes.h"
#include "snapshot/snapshot.h"
#include "tls/counters.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>

struct answer_cache;
struct exchange;
struct h2_stream;
struct listener_settings;
struct limit_redis;
struct pool;
struct password_cache;
struct token_cache;

/* A snapshot in use here. Requests count themselves with a plain integer; the atomic reference is
 * taken once and given back once a worker. */
struct held_snapshot {
    struct snapshot *snapshot; /* ref */
    unsigned users;
    bool current;
};

struct worker_listener {
    struct worker *w;
    struct list node;
    struct event ev;
    int fd;
    unsigned id;                        /* which address */
    struct listener_settings *settings; /* ref */
};

/* What the control thread wants of a listener. */
struct listener_order {
    unsigned id;
    int fd;                             /* a new one; -1 = the one with that id */
    struct listener_settings *settings; /* ref; NULL = it is to close */
};

enum worker_command {
    WORKER_SNAPSHOT = 1, /* shared.next holds one */
    WORKER_DRAIN = 2,
    WORKER_STOP = 4,
    WORKER_RESUME_QUEUED = 8,
    WORKER_LISTENERS = 16, /* shared.orders holds some */
    WORKER_KEYS = 32,      /* an issuer of tokens has been asked for its keys */
    WORKER_PASSWORDS = 64, /* passwords have been checked */
    WORKER_CACHE = 128     /* something was fetched that may be waited for */
};

enum { TOKEN_ASKERS = 64 };

struct worker_counters { /* written here, read by the control thread */
    _Atomic uint64_t accepted, connections, refused_connections, requests, upstream_connects,
        upstream_reuses, accept_errors, bad_proxy_headers, unrouted, bad_requests, auth_failed_open,
        h2_connections, h2_requests, h2_resets, h2_floods, cached[4], coded[4], coded_in,
        coded_out;           /* answers by coding; bytes before and after */
    _Atomic uint64_t beat;   /* loop turns of the watchdog timer */
    struct tls_counters tls; /* handshakes of clients */
};

struct worker {
    unsigned id;
    pthread_t thread;
    struct event_base *base; /* owned */
    struct proxy *proxy;     /* borrowed: process-wide counters */
    uint64_t now_ns;         /* as of the last event */
    struct rng rng;
    struct wheel wheel;
    struct event tick;
    uint64_t tick_armed_ns; /* when `tick` will fire; 0 = it is not armed */
    struct bufpool bufs;
    struct pipes pipes;
    struct held_snapshot *held; /* the present one; NULL before the first */
    struct exchange *free_exchanges;
    struct h2_stream *kept_streams; /* h2_stream.c; owned */
    unsigned nkept_streams;
    unsigned nfree_exchanges;
    struct pool **pools; /* by instance slot; owned */
    uint32_t npools;
    struct list conns; /* all client connections */
    struct list listeners;
    struct list queued;      /* exchanges that wait for a concurrency limit, oldest first */
    struct list key_waiters; /* struct access_token, see access_token.h */
    struct list token_askers[TOKEN_ASKERS]; /* struct access_introspect, by their digest */
    unsigned char digest_key[16]; /* goes into digests, so that nobody else can aim them */
    struct answer_cache *good_answers, *refusals; /* of authorities; owned; NULL = none so far */
    struct token_cache *token_cache;              /* owned; NULL = no token was seen yet */
    struct list cache_waiters;                    /* struct cached, see cached.h */
    struct list refreshes;                        /* of cache_refresh.c */
    unsigned encoders;                            /* under way, see compress.h */
    struct list compensations;                    /* of compensation.c */
    struct list password_waiters;                 /* struct access_basic, see access_basic.h */
    struct password_cache *password_cache;        /* owned; NULL = no password was right yet */
    struct event accept_pause;
    uint64_t let_in_said_ns; /* when the log last said that an authority is away; 0 = never */
    bool draining, stopping;
    struct overload overload;
    struct limit_redis *limit_redis; /* owned; NULL = no Redis was ever configured */
    struct access_log_buffer *log;   /* owned; NULL = off */
    char date[40];                   /* Date field value */
    int64_t date_s;
    struct worker_counters counters;
    struct event wake;
    int wake_fd; /* eventfd; any thread may write */
    struct {
        _Atomic unsigned commands;       /* or-ed in by any thread, taken as a whole here */
        _Atomic(struct snapshot *) next; /* mailbox of one: the newest wins */
        pthread_mutex_t lock;            /* guards the orders */
        struct listener_order *orders;   /* owned; oldest first */
        unsigned norders, cap_orders;
    } shared;
};

/* Reads the clock; called first in every event callback. */
void worker_touch(struct worker *w);
void worker_set_deadline(struct worker *w, struct wheel_timer *t, uint64_t deadline_ns);
/* "Tue, 24 Nov 2026 23:01:06 GMT" (RFC 9110 section 5.6.7), made once a second. */
struct str worker_date(struct worker *w);

struct held_snapshot *worker_hold(struct worker *w);
void worker_unhold(struct held_snapshot **h);

/* Any thread. */
void worker_post(struct worker *w, enum worker_command command);
void worker_post_snapshot(struct worker *w, struct snapshot *s); /* takes over the reference */

struct worker *worker_new(unsigned id, struct proxy *p) MUST_CHECK;
int worker_start(struct worker *w) MUST_CHECK;
/* After the thread has ended. */
void worker_free(struct worker *w);
