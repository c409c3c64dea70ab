/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream.h"
#include "proxy/exchange.h"
#include "proxy/h2_link.h"
#include "proxy/h2_upstream.h"
#include "proxy/upstream_open.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct pool *pool_of(struct worker *w, struct instance_state *i)
{
    struct pool *p;

    if (i->slot >= w->npools) {
        uint32_t n = w->npools ? w->npools * 2 : 64;
        struct pool **pools;

        while (n <= i->slot)
            n *= 2;
        pools = realloc(w->pools, n * sizeof(struct pool *));
        if (!pools)
            return NULL;
        memset(pools + w->npools, 0, (n - w->npools) * sizeof(struct pool *));
        w->pools = pools;
        w->npools = n;
    }
    p = w->pools[i->slot];
    if (p)
        return p;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->instance = instance_state_ref(i);
    list_init(&p->idle);
    list_init(&p->links);
    return w->pools[i->slot] = p;
}

static void pool_drop_if_done(struct worker *w, struct pool *p)
{
    if (p->nopen > 0 || atomic_load_explicit(&p->instance->present, memory_order_relaxed))
        return;
    w->pools[p->instance->slot] = NULL;
    instance_state_unref(&p->instance);
    tls_memory_release(&p->tls);
    free(p);
}

static void unlink_idle(struct upstream *u)
{
    list_remove(&u->node);
    wheel_clear(&u->w->wheel, &u->timer);
    u->pool->nidle--;
}

void upstream_close(struct upstream **up)
{
    struct upstream *u = *up;
    struct worker *w;
    struct pool *p;

    *up = NULL;
    if (!u)
        return;
    w = u->w;
    p = u->pool;
    if (!u->x && !u->link)
        unlink_idle(u);
    /* Of a stream, the event may have been activated and not have run yet. */
    if (u->is_stream)
        event_del(&u->sock.ev);
    sock_close(&u->sock);
    SSL_free(u->ssl);
    bufpool_put(&w->bufs, &u->in);
    free(u);
    p->nopen--;
    pool_drop_if_done(w, p);
}

static void on_idle_timeout(struct wheel_timer *t)
{
    struct upstream *u = CONTAINER_OF(t, struct upstream, timer);

    upstream_close(&u);
}

/* Over TLS, what has arrived may be for TLS alone, as a ticket. */
static bool is_quiet(struct upstream *u)
{
    if (u->sock.hung_up)
        return false;
    return u->sock.ops && u->sock.readable ? sock_peek(&u->sock) == IO_AGAIN : !u->sock.readable;
}

static void on_event(evutil_socket_t fd, short events, void *arg)
{
    struct upstream *u = arg;

    (void)fd;
    worker_touch(u->w);
    sock_note(&u->sock, events);
    if (u->link)
        h2_link_event(u->link);
    else if (u->x)
        exchange_upstream_event(u->x);
    else if (!is_quiet(u))
        upstream_close(&u);
}

static void close_idle(struct pool *p)
{
    unsigned n = p->nidle;

    /* Closing the last connection may free the pool: count instead of asking it. */
    while (n-- > 0) {
        struct upstream *u = CONTAINER_OF(p->idle.next, struct upstream, node);
        upstream_close(&u);
    }
}

/* After a reload that asks for another transport, the connections of the old one are of no use. */
static void check_transport(struct pool *p, uint64_t signature)
{
    if (p->signature == signature)
        return;
    p->signature = signature;
    p->http1 = false;
    p->nopen++;
    close_idle(p);
    h2_upstream_retire(p, signature);
    p->nopen--;
}

static struct upstream *take_idle(struct worker *w, struct pool *p, struct exchange *x)
{
    struct upstream *u;

    if (list_empty(&p->idle))
        return NULL;
    u = CONTAINER_OF(p->idle.next, struct upstream, node);
    unlink_idle(u);
    u->x = x;
    u->reused = true;
    stat_add(&w->counters.upstream_reuses, 1);
    return u;
}

static int open_socket(const struct instance *where)
{
    int one = 1;
    int fd = socket(where->sockaddr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Connects and registers the socket: after connect(), as before it epoll would report a hang-up. */
static enum reason start(struct upstream *u, const struct instance *where)
{
    int fd = open_socket(where);

    if (fd < 0)
        return upstream_reason(errno);
    if (connect(fd, (const struct sockaddr *)&where->sockaddr, where->sockaddr_len) < 0 &&
        errno != EINPROGRESS) {
        enum reason why = upstream_reason(errno);

        close(fd);
        return why;
    }
    return sock_open(&u->sock, u->w->base, fd, on_event, u) < 0 ? REASON_INTERNAL : REASON_NONE;
}

struct upstream *upstream_connect(struct pool *p, struct worker *w,
                                  const struct upstream_target *to, struct exchange *x,
                                  enum reason *ret_why)
{
    struct upstream *u = calloc(1, sizeof *u);

    *ret_why = REASON_INTERNAL;
    if (!u)
        return NULL;
    u->w = w;
    u->pool = p;
    u->x = x;
    u->signature = to->transport.signature;
    list_init(&u->node);
    wheel_timer_init(&u->timer, on_idle_timeout);
    *ret_why = upstream_prepare(u, to);
    if (*ret_why == REASON_NONE)
        *ret_why = start(u, to->where);
    if (*ret_why != REASON_NONE) {
        SSL_free(u->ssl);
        free(u);
        return NULL;
    }
    p->nopen++;
    stat_add(&w->counters.upstream_connects, 1);
    return u;
}

struct upstream *upstream_new_stream(struct pool *p, struct worker *w, struct exchange *x)
{
    struct upstream *u = calloc(1, sizeof *u);

    if (!u)
        return NULL;
    u->w = w;
    u->pool = p;
    u->x = x;
    u->is_stream = true;
    u->sock.fd = -1;
    list_init(&u->node);
    wheel_timer_init(&u->timer, on_idle_timeout);
    if (event_assign(&u->sock.ev, w->base, -1, EV_PERSIST, on_event, u) < 0) {
        free(u);
        return NULL;
    }
    p->nopen++;
    return u;
}

struct upstream *upstream_get(struct worker *w, const struct upstream_target *to, bool fresh,
                              struct exchange *x, enum reason *ret_why)
{
    struct pool *p = pool_of(w, to->instance);
    struct upstream *u;

    if (!p) {
        *ret_why = REASON_INTERNAL;
        return NULL;
    }
    check_transport(p, to->transport.signature);
    if (to->transport.http == TRANSPORT_H2 || (to->transport.http == TRANSPORT_EITHER && !p->http1))
        return h2_upstream_get(p, w, to, x, ret_why);
    u = fresh ? NULL : take_idle(w, p, x);
    return u ? u : upstream_connect(p, w, to, x, ret_why);
}

void upstream_keep(struct upstream **up, unsigned max_idle, uint64_t idle_ns)
{
    struct upstream *u = *up;
    struct pool *p = u->pool;

    if (p->nidle >= max_idle || u->one_client || u->signature != p->signature || !is_quiet(u) ||
        !atomic_load_explicit(&p->instance->present, memory_order_relaxed)) {
        upstream_close(up);
        return;
    }
    *up = NULL;
    bufpool_put(&u->w->bufs, &u->in);
    u->x = NULL;
    p->nidle++;
    list_push_front(&p->idle, &u->node);
    worker_set_deadline(u->w, &u->timer, u->w->now_ns + idle_ns);
}

void pools_prune(struct worker *w)
{
    for (uint32_t i = 0; i < w->npools; i++) {
        struct pool *p = w->pools[i];

        if (!p || atomic_load_explicit(&p->instance->present, memory_order_relaxed))
            continue;
        p->nopen++;
        close_idle(p);
        h2_upstream_retire(p, 0);
        p->nopen--;
        pool_drop_if_done(w, p);
    }
}

void pools_free(struct worker *w)
{
    for (uint32_t i = 0; i < w->npools; i++) {
        struct pool *p = w->pools[i];

        if (!p)
            continue;
        atomic_store_explicit(&p->instance->present, false, memory_order_relaxed);
        p->nopen++;
        close_idle(p);
        h2_upstream_free(p);
        p->nopen--;
        pool_drop_if_done(w, p);
    }
    free(w->pools);
    w->pools = NULL;
    w->npools = 0;
}
