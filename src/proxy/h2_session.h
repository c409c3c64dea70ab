/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_session.h - one HTTP/2 connection of a client (RFC 9113), which carries many requests.
 *
 * It lies over an ordinary connection (conn.h: TCP, TLS). Each request on it is a stream
 * (h2_stream.h) with a conn and an exchange of its own, so everything behind is the same code as
 * for HTTP/1.1. What comes in is taken apart at once by nghttp2 and handed to the streams, which
 * are woken by their events; what goes out is collected and written once a turn of the loop, by
 * `flush`. So no exchange runs inside a callback of nghttp2. A peer that does not take what it
 * asked for is not read from either.
 *
 * The session ends its connection: when the client says so, when nothing was under way for as long
 * as a kept connection may be idle, when the client floods it (h2_guard.h), when it does not take
 * what was written, and when the gateway drains: then the client is told twice, first that no
 * new requests are wanted, a moment later which ones have been heard. */
#include "base/list.h"
#include "base/wheel.h"
#include "proxy/conn.h"
#include "proxy/h2_guard.h"

#include <nghttp2/nghttp2.h>

struct h2_session {
    struct conn *conn; /* beneath; owns this */
    struct worker *w;
    const struct http2_conf *conf; /* borrowed from the listener's settings of the conn */
    nghttp2_session *ng;
    struct list streams; /* h2_stream.node */
    struct list unsent;  /* h2_stream.unsent: they have news for nghttp2 */
    unsigned nstreams;   /* those that are not over, and those that are but still work */
    unsigned nrequests;  /* since it began */
    struct buf *out;     /* made by nghttp2, not yet taken by the socket */
    struct event flush;  /* while flush_due */
    bool flush_due;
    bool freeing;
    bool parting;        /* the client was told to go elsewhere */
    bool parted;         /* and which requests have been heard */
    enum h2_flood flood; /* it has gone too far: the connection ends */
    struct h2_guard guard;
    struct wheel_timer timer;
    uint64_t idle_ns;   /* since when nothing is under way; 0 = something is */
    uint64_t stuck_ns;  /* since when the socket takes nothing; 0 = it does */
    uint64_t fields_ns; /* since when a head is coming; 0 = none is */
    uint64_t parting_ns;
};

/* From now on the connection speaks HTTP/2. `first`: what was read of it already. -1 when memory is
 * out. */
int h2_session_start(struct conn *c, struct str first) MUST_CHECK;
/* At once: its requests break off. */
void h2_session_free(struct h2_session **s);
/* The socket has news. May close the connection. */
void h2_session_event(struct h2_session *s);
/* There is something to be written or to be looked at, later in this turn of the loop. */
void h2_session_wake(struct h2_session *s);
/* No new requests; the connection ends with the last one. */
void h2_session_part(struct h2_session *s);

/* Is this the beginning of HTTP/2 (RFC 9113 section 3.4)? Fewer bytes than H2_PREFACE may be. */
enum { H2_PREFACE = 24 };
bool h2_is_preface(struct str begin);
