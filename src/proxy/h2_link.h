/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_link.h - one HTTP/2 connection to an instance, which carries the requests of one worker.
 *
 * It lies over an ordinary connection (upstream.h: TCP, TLS) and multiplexes requests
 * (h2_request.h) by nghttp2. What comes in is taken apart at once and handed to the requests, which
 * are woken by their events; what goes out is collected and written once a turn of the loop, by
 * `flush`. So nobody's code runs inside a callback of nghttp2, and a link ends only in its own
 * events.
 *
 * A link that takes no new requests any more (`closing`: the peer says so, it has become silent,
 * its instance has left) lives on until the last of its requests is over. */
#include "base/list.h"
#include "base/wheel.h"
#include "proxy/upstream.h"

#include <nghttp2/nghttp2.h>

struct h2_link {
    struct list node; /* in pool->links */
    struct worker *w;
    struct pool *pool;
    struct upstream *conn;         /* owned; NULL once it has been handed over (http1) */
    nghttp2_session *session;      /* NULL until the connection is ready */
    bool introduced;               /* the peer has sent its settings */
    struct list requests;          /* h2_request.node of all that are on it */
    struct list unsent;            /* h2_request.unsent: their heads are still to be submitted */
    unsigned nrequests, nadmitted; /* admitted: may be sent */
    bool used;                     /* it has had a request before */
    bool closing;
    bool http1;       /* the instance chose HTTP/1.1 */
    enum reason fail; /* it never became ready; REASON_NONE = it may still */
    uint64_t signature;
    enum transport_http http;
    uint64_t heard_ns; /* when the peer was heard last */
    uint64_t idle_ns;  /* how long it may be idle; 0 = not at all */
    struct wheel_timer idle;
    struct event flush;
    bool flush_due;
    struct buf *out; /* made by nghttp2, not yet taken by the socket */
};

/* A link on its way, in pool->links. NULL when the attempt fails at once: *ret_why. */
struct h2_link *h2_link_new(struct pool *p, struct worker *w, const struct upstream_target *to,
                            enum reason *ret_why) MUST_CHECK;
/* The connection beneath has news. May free it. */
void h2_link_event(struct h2_link *l);
/* There is something to be written or to be looked at, later in this turn of the loop. */
void h2_link_wake(struct h2_link *l);
/* No new requests. It ends with the last one. */
void h2_link_close(struct h2_link *l);
/* At once: its requests break off. */
void h2_link_free(struct h2_link *l);

/* Can requests be sent? To an instance that is not known yet, only once it has said how many at
 * once. */
static inline bool h2_link_ready(const struct h2_link *l)
{
    return l->session && (l->introduced || l->pool->capacity > 0);
}
/* How many requests may be on it at once. */
unsigned h2_link_capacity(const struct h2_link *l);
