/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* upstream.h - one connection to an instance, and the worker's pools of idle ones.
 *
 * A pool is last in, first out: the connection used last is the least likely to have been closed by
 * the other side. An idle connection that becomes readable is of no use (RFC 9112 section 9.2: an
 * answer to nothing, or the end) and is closed at once. */
#include "base/bufpool.h"
#include "base/list.h"
#include "base/wheel.h"
#include "http/proxy_protocol.h"
#include "proxy/sock.h"
#include "proxy/worker.h"
#include "tls/client.h"

struct pool {
    struct instance_state *instance; /* ref */
    struct list idle;
    unsigned nidle, nopen; /* nopen: streams too */
    struct list links;     /* HTTP/2 connections (h2_link.h) */
    unsigned capacity;     /* requests at once on one of them, as it said last; 0 = not yet */
    bool http1;            /* asked to choose, the instance chose HTTP/1.1 */
    uint64_t signature;    /* of the transport that the idle ones were made with */
    struct tls_memory tls; /* the session that the next connection begins with */
};

/* How far a connection is on its way to its first request (upstream_open.h). */
enum upstream_stage { UPSTREAM_CONNECT, UPSTREAM_PREAMBLE, UPSTREAM_HANDSHAKE, UPSTREAM_READY };

/* Where to, and how. */
struct upstream_target {
    struct instance_state *instance;
    const struct instance *where;
    struct transport transport;
    const struct service_view *service;      /* may be NULL when the transport is plain */
    const struct proxy_addresses *on_behalf; /* whom a PROXY protocol header names; NULL = none */
};

struct upstream {
    struct sock sock;
    struct worker *w;
    struct pool *pool;
    struct list node;         /* in pool->idle, while idle */
    struct wheel_timer timer; /* idle timeout */
    struct exchange *x;       /* who uses it; NULL = idle, or a link's */
    struct h2_link *link;     /* that lies over it; NULL = none */
    struct buf *in;           /* while in use */
    enum upstream_stage stage;
    bool reused;
    bool is_stream; /* of an HTTP/2 connection: for one request */
    bool over_tls;
    bool one_client;    /* began with a PROXY protocol header: nobody else may use it */
    uint64_t signature; /* of its transport */
    SSL *ssl;           /* until its handshake begins; owned */
    struct {
        char text[PROXY_V1_MAX + 1];
        uint8_t n, sent;
    } preamble;
};

/* An idle connection, or a new one on its way. `fresh` never takes an idle one. NULL when the
 * attempt fails at once: *ret_why. */
struct upstream *upstream_get(struct worker *w, const struct upstream_target *to, bool fresh,
                              struct exchange *x, enum reason *ret_why) MUST_CHECK;
/* Back to the pool (if it has room), ready for another request. Clears the caller's pointer. */
void upstream_keep(struct upstream **u, unsigned max_idle, uint64_t idle_ns);
void upstream_close(struct upstream **u);

/* For what lies over connections: a new one, in nobody's list of idle ones, and a stream that has
 * its sock yet to be filled in. */
struct upstream *upstream_connect(struct pool *p, struct worker *w,
                                  const struct upstream_target *to, struct exchange *x,
                                  enum reason *ret_why) MUST_CHECK;
struct upstream *upstream_new_stream(struct pool *p, struct worker *w,
                                     struct exchange *x) MUST_CHECK;

/* Closes the pools of instances that are no longer present. */
void pools_prune(struct worker *w);
void pools_free(struct worker *w);
