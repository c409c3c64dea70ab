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
#include "proxy/sock.h"
#include "proxy/worker.h"

struct pool {
    struct instance_state *instance; /* ref */
    struct list idle;
    unsigned nidle, nopen;
};

struct upstream {
    struct sock sock;
    struct worker *w;
    struct pool *pool;
    struct list node;         /* in pool->idle, while idle */
    struct wheel_timer timer; /* idle timeout */
    struct exchange *x;       /* who uses it; NULL = idle */
    struct buf *in;           /* while in use */
    bool connecting, reused;
    bool is_stream; /* of an HTTP/2 connection: for one request */
};

/* An idle connection, or a new one on its way (connecting). `fresh` never takes an idle one. NULL
 * when the attempt fails at once: *ret_errno says why. */
struct upstream *upstream_get(struct worker *w, struct instance_state *i,
                              const struct instance *where, bool fresh, struct exchange *x,
                              int *ret_errno) MUST_CHECK;
/* Outcome of connecting, once writable: 0 or an errno value. */
int upstream_connected(struct upstream *u);
/* What a failed connect means. Our own shortage (descriptors, memory) says nothing about the
 * instance: REASON_INTERNAL. */
enum reason upstream_reason(int e);
/* Back to the pool (if it has room), ready for another request. Clears the caller's pointer. */
void upstream_keep(struct upstream **u, unsigned max_idle, uint64_t idle_ns);
void upstream_close(struct upstream **u);

/* Closes the pools of instances that are no longer present. */
void pools_prune(struct worker *w);
void pools_free(struct worker *w);
