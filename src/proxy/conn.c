/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/conn.h"
#include "proxy/conn_open.h"
#include "proxy/exchange.h"
#include "proxy/h2_session.h"
#include "proxy/proxy_internal.h"
#include "tls/peer.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Requests that one connection may have served before others get their turn. */
enum { TURNS = 16 };
/* Lingering close: how long and how much. */
enum { LINGER_MS = 2000, LINGER_MAX_BYTES = 1024 * 1024, DRAIN_GRACE_MS = 1000 };

static bool end_request(struct conn *c);

static void on_event(evutil_socket_t fd, short events, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    worker_touch(c->w);
    sock_note(&c->sock, events);
    conn_run(c);
}

static void on_deadline(struct wheel_timer *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, timer);

    worker_touch(c->w);
    if (!c->x) {
        conn_open_end(c, true);
        conn_close(c);
        return;
    }
    if (exchange_deadline(c->x) == V_DONE && end_request(c))
        conn_run(c);
}

static void take_peer(struct conn *c, const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)peer;
        c->peer = a->sin6_addr;
        c->peer_port = ntohs(a->sin6_port);
    } else {
        const struct sockaddr_in *a = (const struct sockaddr_in *)peer;
        c->peer.s6_addr[10] = c->peer.s6_addr[11] = 0xff;
        memcpy(c->peer.s6_addr + 12, &a->sin_addr, 4);
        c->peer_port = ntohs(a->sin_port);
    }
}

void conn_new(struct worker *w, int fd, const struct sockaddr_storage *peer,
              struct listener_settings *listener)
{
    struct conn *c = calloc(1, sizeof *c);

    if (!c) {
        close(fd);
        return;
    }
    c->w = w;
    take_peer(c, peer);
    wheel_timer_init(&c->timer, on_deadline);
    if (sock_open(&c->sock, w->base, fd, on_event, c) < 0) {
        free(c);
        return;
    }
    c->listener = listener_settings_ref(listener);
    list_push_back(&w->conns, &c->node);
    stat_add(&w->counters.accepted, 1);
    stat_add(&w->counters.connections, 1);
    proxy_count_connection(w->proxy, 1);
    conn_open_begin(c);
}

struct conn *conn_new_stream(struct conn *parent)
{
    struct conn *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->w = parent->w;
    c->peer = parent->peer;
    c->peer_port = parent->peer_port;
    c->listener = parent->listener;
    c->stage = CONN_HTTP;
    c->secure = parent->secure;
    c->ssl = parent->ssl;
    c->tls_peer = parent->tls_peer;
    c->is_stream = true;
    c->sock.fd = -1;
    list_init(&c->node);
    wheel_timer_init(&c->timer, on_deadline);
    if (event_assign(&c->sock.ev, c->w->base, -1, EV_PERSIST, on_event, c) == 0)
        return c;
    free(c);
    return NULL;
}

/* What only a connection has, and a stream does not. */
static void leave_worker(struct conn *c)
{
    struct worker *w = c->w;

    listener_settings_unref(&c->listener);
    tls_peer_free(&c->tls_peer);
    atomic_fetch_sub_explicit(&w->counters.connections, 1, memory_order_relaxed);
    proxy_count_connection(w->proxy, -1);
}

void conn_close(struct conn *c)
{
    struct worker *w = c->w;

    conn_open_end(c, false);
    h2_session_free(&c->h2);
    if (c->x) {
        exchange_abandon(c->x, REASON_CLIENT_GONE);
        exchange_free(c->x);
    }
    wheel_clear(&w->wheel, &c->timer);
    list_remove(&c->node);
    bufpool_put(&w->bufs, &c->in);
    /* Of a stream, the event may have been activated and not have run yet. */
    if (c->is_stream)
        event_del(&c->sock.ev);
    sock_close(&c->sock);
    if (!c->is_stream)
        leave_worker(c);
    free(c);
}

void conn_set_deadline(struct conn *c, uint64_t deadline_ns)
{
    if (deadline_ns)
        worker_set_deadline(c->w, &c->timer, deadline_ns);
    else
        wheel_clear(&c->w->wheel, &c->timer);
}

void conn_linger(struct conn *c)
{
    c->lingering = true;
    sock_finish(&c->sock);
    conn_set_deadline(c, c->w->now_ns + LINGER_MS * NS_PER_MS);
}

static void swallow(struct conn *c)
{
    char scratch[16 * 1024];
    size_t n;
    enum io io;

    while ((io = sock_read(&c->sock, scratch, sizeof scratch, &n)) == IO_OK) {
        c->lingered += (uint32_t)n;
        if (c->lingered > LINGER_MAX_BYTES)
            break;
    }
    if (io != IO_AGAIN)
        conn_close(c);
}

static void go_idle(struct conn *c)
{
    const struct limits_conf *limits = &c->w->held->snapshot->config->limits;
    uint64_t ms = c->requests ? limits->keepalive_timeout_ms : limits->header_timeout_ms;

    bufpool_put(&c->w->bufs, &c->in);
    if (c->w->draining && ms > DRAIN_GRACE_MS)
        ms = DRAIN_GRACE_MS;
    /* A new connection keeps the deadline it was born with, however often it wakes up. */
    if (c->requests || c->timer.deadline_ns == 0)
        conn_set_deadline(c, c->w->now_ns + ms * NS_PER_MS);
}

/* Without TLS a client that knows that HTTP/2 is spoken here begins with it (RFC 9113 section 3.3).
 */
static bool may_speak_h2(const struct conn *c)
{
    return c->requests == 0 && c->listener->conf->http2.enabled && !c->secure && !c->is_stream;
}

static struct str begin_of(const struct conn *c)
{
    return (struct str){c->in->data + c->in->start, buf_len(c->in)};
}

/* False: it is HTTP/2, or may become that; or the connection is gone. */
static bool is_http1(struct conn *c)
{
    size_t n;

    while (may_speak_h2(c) && h2_is_preface(begin_of(c))) {
        enum io io = IO_ERROR;

        if (buf_len(c->in) >= H2_PREFACE) {
            if (h2_session_start(c, begin_of(c)) < 0)
                conn_close(c);
            else
                bufpool_put(&c->w->bufs, &c->in);
            return false;
        }
        io = sock_read_on(&c->sock, c->in->data + c->in->end, buf_space(c->in), &n);
        if (io == IO_OK) {
            c->in->end += n;
            continue;
        }
        if (io != IO_AGAIN)
            conn_close(c);
        return false;
    }
    return true;
}

/* Starts on the next request if a first byte of it is there. False: nothing to do, or gone. */
static bool begin_request(struct conn *c)
{
    size_t n = 0;

    if (!c->in || buf_len(c->in) == 0) {
        if (!c->sock.readable) {
            go_idle(c);
            return false;
        }
        if (!c->in && !(c->in = bufpool_get(&c->w->bufs))) {
            conn_close(c);
            return false;
        }
        c->in->start = c->in->end = 0;
        switch (sock_read(&c->sock, c->in->data, BUF_BYTES, &n)) {
        case IO_OK:
            break;
        case IO_AGAIN:
            go_idle(c);
            return false;
        case IO_EOF:
        case IO_ERROR:
            conn_close(c);
            return false;
        }
        c->in->end = n;
    }
    if (!is_http1(c))
        return false;
    c->x = exchange_new(c);
    if (!c->x) {
        conn_close(c);
        return false;
    }
    c->requests++;
    return true;
}

/* After an exchange: on to the next one, or not. */
static bool end_request(struct conn *c)
{
    bool linger;
    bool keep = exchange_keeps_client(c->x, &linger);
    bool cut = c->x->fail == REASON_UPSTREAM_CUT;

    exchange_free(c->x);
    c->x = NULL;
    if (keep)
        return true;
    if (cut)
        sock_abort(&c->sock);
    if (linger && !c->half_closed) {
        conn_linger(c);
        swallow(c);
    } else {
        conn_close(c);
    }
    return false;
}

void conn_run(struct conn *c)
{
    if (c->lingering) {
        swallow(c);
        return;
    }
    if (c->stage != CONN_HTTP && !conn_open(c))
        return;
    if (c->h2) {
        h2_session_event(c->h2);
        return;
    }
    for (int turn = 0; turn < TURNS; turn++) {
        enum verdict v;

        if (c->x)
            v = exchange_client_event(c->x);
        else if (begin_request(c))
            v = exchange_run(c->x);
        else
            return;
        if (v == V_WAIT || !end_request(c))
            return;
    }
    event_active(&c->sock.ev, EV_TIMEOUT, 0);
}

void conn_drain(struct conn *c)
{
    if (c->h2)
        h2_session_part(c->h2);
    else if (!c->x && !c->lingering)
        conn_set_deadline(c, c->w->now_ns + DRAIN_GRACE_MS * NS_PER_MS);
}
