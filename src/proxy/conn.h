/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* conn.h - one client connection: keep-alive, pipelining, the life between two requests.
 *
 * Idle, it holds no buffer and no exchange. One request at a time is served; the bytes of the next
 * ones wait in the buffer or in the socket.
 *
 * A stream of an HTTP/2 connection and a request of the gateway's own are a conn too, for one
 * request: they share what is known of the client with the connection that they came over. */
#include "base/bufpool.h"
#include "base/list.h"
#include "base/wheel.h"
#include "proxy/listener_settings.h"
#include "proxy/sock.h"
#include "proxy/worker.h"

#include <netinet/in.h>
#include <openssl/types.h>

/* What a connection goes through before requests, see conn_open.h. */
enum conn_stage {
    CONN_PROXY_HEADER,
    CONN_HELLO, /* TLS is to come, and nothing of it is here */
    CONN_HANDSHAKE,
    CONN_HTTP
};

struct h2_session;
struct subrequest;

struct conn {
    struct sock sock;
    struct worker *w;
    struct list node;         /* in w->conns; of a stream: its maker's */
    struct wheel_timer timer; /* the one deadline of the connection, whatever it does now */
    struct buf *in;           /* read but not consumed; NULL when there is nothing */
    struct exchange *x;       /* the request being served; NULL = idle */
    struct in6_addr peer;     /* IPv4 as v4-mapped */
    uint16_t peer_port;
    struct listener_settings *listener; /* ref; of a stream: borrowed */
    enum conn_stage stage;
    bool secure;    /* TLS up to the client */
    const SSL *ssl; /* borrowed from the sock, of a stream: from its parent's; NULL = no TLS */
    struct tls_peer *tls_peer; /* its verified certificate (tls/peer.h); owned, of a stream:
                                  borrowed; NULL = it has shown none */
    struct h2_session *h2;     /* speaks HTTP/2 (h2_session.h); owned */
    struct subrequest *inner;  /* it asks on behalf of another request; borrowed */
    bool is_stream;            /* serves one request over a sock that is not a connection */
    unsigned requests;
    bool half_closed;  /* the client has sent its last byte, but may still read */
    bool lingering;    /* answered and shut: swallowing what still comes (RFC 9112 section 9.6) */
    uint32_t lingered; /* bytes swallowed */
};

/* A connection just accepted; takes over fd. */
void conn_new(struct worker *w, int fd, const struct sockaddr_storage *peer,
              struct listener_settings *listener);
/* One for a single request that came over `parent`, which must outlive it. Its sock is for the
 * caller to fill in (ops, impl); the event has no descriptor and is activated by the caller. NULL
 * when memory is out. */
struct conn *conn_new_stream(struct conn *parent) MUST_CHECK;
void conn_close(struct conn *c);
/* The client broke a rule of framing or will not be read any more: after the answer, no more
 * requests. */
void conn_linger(struct conn *c);
void conn_set_deadline(struct conn *c, uint64_t deadline_ns);
/* Goes on with whatever the connection is doing. May free it. */
void conn_run(struct conn *c);
/* Draining: closes it if it is idle. */
void conn_drain(struct conn *c);
