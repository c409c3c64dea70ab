/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/h2_link.h"
#include "base/log.h"
#include "proxy/exchange.h"
#include "proxy/h2_request.h"
#include "proxy/h2_upstream.h"
#include "proxy/h2_wire.h"
#include "proxy/sock_tls.h"
#include "proxy/upstream_open.h"
#include "tls/alpn.h"

#include <stdlib.h>

enum {
    LINK_WINDOW = 8 * 1024 * 1024, /* of all requests together; each has H2_WINDOW */
    FIRST_CAPACITY = 100           /* until the peer has said how many */
};

static struct h2_request *request_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2_request *r = request_of(session, frame->hd.stream_id);

    (void)arg;
    if (r)
        h2_request_on_fields(r);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    struct h2_request *r = request_of(session, frame->hd.stream_id);
    struct str n = {(const char *)name, name_n}, v = {(const char *)value, value_n};

    (void)flags;
    (void)arg;
    if (r && h2_request_on_field(r, n, v) < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *arg)
{
    struct h2_request *r = request_of(session, id);

    (void)flags;
    (void)arg;
    /* The window of the whole connection is opened at once: what a slow reader leaves lying counts
     * against its own alone. */
    nghttp2_session_consume_connection(session, n);
    if (r && h2_request_on_data(r, p, n) < 0)
        h2_request_break(r, false);
    if (r)
        h2_request_wake(r);
    return 0;
}

static void wake_all(struct h2_link *l)
{
    list_each(node, &l->requests) h2_request_wake(CONTAINER_OF(node, struct h2_request, node));
}

static void on_settings(struct h2_link *l)
{
    bool first = !l->introduced;

    l->introduced = true;
    l->pool->capacity = h2_link_capacity(l);
    if (first)
        wake_all(l);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2_link *l = arg;
    struct h2_request *r = request_of(session, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_GOAWAY)
        h2_link_close(l);
    if (frame->hd.type == NGHTTP2_SETTINGS)
        on_settings(l);
    if (!r || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        h2_request_on_fields_end(r);
    r->ended |= (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    h2_request_wake(r);
    return 0;
}

/* REFUSED_STREAM is also what nghttp2 gives those that a GOAWAY leaves out. */
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *arg)
{
    struct h2_request *r = request_of(session, id);

    (void)arg;
    if (!r)
        return 0;
    r->closed = true;
    h2_request_break(r, error_code == NGHTTP2_REFUSED_STREAM);
    return 0;
}

static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
    struct h2_request *r = request_of(session, frame->hd.stream_id);

    (void)error;
    (void)arg;
    if (r && frame->hd.type == NGHTTP2_HEADERS)
        h2_request_break(r, true);
    return 0;
}

static int start_session(struct h2_link *l)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, BUF_BYTES},
    };
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    int result;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return -1;
    if (nghttp2_option_new(&options) != 0) {
        nghttp2_session_callbacks_del(callbacks);
        return -1;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_peer_max_concurrent_streams(options, FIRST_CAPACITY);
    result = nghttp2_session_client_new2(&l->session, callbacks, l, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    if (result != 0)
        return -1;
    nghttp2_submit_settings(l->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(l->session, NGHTTP2_FLAG_NONE, 0, LINK_WINDOW);
    return 0;
}

unsigned h2_link_capacity(const struct h2_link *l)
{
    uint32_t n = l->pool->capacity ? l->pool->capacity : FIRST_CAPACITY;

    if (l->introduced)
        n = nghttp2_session_get_remote_settings(l->session,
                                                NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return n < H2_MAX_REQUESTS ? n : H2_MAX_REQUESTS;
}

void h2_link_wake(struct h2_link *l)
{
    if (l->flush_due)
        return;
    l->flush_due = true;
    event_active(&l->flush, EV_TIMEOUT, 0);
}

void h2_link_close(struct h2_link *l)
{
    l->closing = true;
    h2_link_wake(l);
}

void h2_link_free(struct h2_link *l)
{
    struct worker *w = l->w;

    list_remove(&l->node);
    while (!list_empty(&l->requests))
        h2_request_abandon(CONTAINER_OF(l->requests.next, struct h2_request, node));
    wheel_clear(&w->wheel, &l->idle);
    event_del(&l->flush);
    nghttp2_session_del(l->session);
    bufpool_put(&w->bufs, &l->out);
    upstream_close(&l->conn);
    free(l);
}

/* Nobody can go over it, now or later. Those that wait find out why by themselves. */
static void give_up(struct h2_link *l, enum reason why)
{
    l->fail = why;
    h2_link_close(l);
    wake_all(l);
}

static void become_http1(struct h2_link *l)
{
    l->http1 = true;
    l->pool->http1 = true;
    h2_link_close(l);
    wake_all(l);
}

/* True when requests can be sent. */
static bool open_link(struct h2_link *l)
{
    enum reason why;

    switch (upstream_open(&l->conn, &why)) {
    case IO_AGAIN:
        return false;
    case IO_OK:
        break;
    default:
        give_up(l, why);
        return false;
    }
    if (l->conn->over_tls && !tls_chose_h2(sock_tls_ssl(&l->conn->sock))) {
        if (l->http == TRANSPORT_EITHER)
            become_http1(l);
        else
            give_up(l, upstream_tls_failed(l->conn, "it does not choose HTTP/2 (ALPN)"));
        return false;
    }
    if (start_session(l) < 0) {
        give_up(l, REASON_INTERNAL);
        return false;
    }
    l->heard_ns = l->w->now_ns;
    if (h2_link_ready(l))
        wake_all(l);
    return true;
}

static bool take_in(struct h2_link *l)
{
    bool heard, up = h2_wire_read(l->w, l->session, &l->conn->sock, &heard);

    if (heard)
        l->heard_ns = l->w->now_ns;
    return up;
}

static void submit_unsent(struct h2_link *l)
{
    struct str scheme = l->conn->over_tls ? STR("https") : STR("http");

    list_each_safe(node, next, &l->unsent)
    {
        struct h2_request *r = CONTAINER_OF(node, struct h2_request, unsent);

        if (h2_request_submit(r, scheme) < 0) {
            h2_request_break(r, true);
            h2_link_close(l);
        }
    }
}

/* Data that came after nghttp2 had been told that there is none. */
static void resume_waiting(struct h2_link *l)
{
    list_each(node, &l->requests)
    {
        struct h2_request *r = CONTAINER_OF(node, struct h2_request, node);

        if (!r->waiting || (r->out.end == r->out.start && !r->finished))
            continue;
        r->waiting = false;
        nghttp2_session_resume_data(l->session, r->id);
    }
}

/* Writes what there is. False when the connection has ended. */
static bool give_out(struct h2_link *l)
{
    size_t n;

    submit_unsent(l);
    resume_waiting(l);
    return h2_wire_write(l->w, l->session, &l->conn->sock, &l->out, &n) != IO_ERROR;
}

/* With a word to the peer, so that it does not take the end for an accident. */
static void part(struct h2_link *l)
{
    if (l->session) {
        nghttp2_session_terminate_session(l->session, NGHTTP2_NO_ERROR);
        (void)give_out(l);
    }
    h2_link_free(l);
}

static void on_idle(struct wheel_timer *t)
{
    struct h2_link *l = CONTAINER_OF(t, struct h2_link, idle);

    h2_link_close(l);
}

/* What is left to do once all events of this turn are dealt with. May free it. */
static void settle(struct h2_link *l, bool up)
{
    bool idle = list_empty(&l->requests);

    if (!up && !l->introduced && l->fail == REASON_NONE) {
        instance_state_error(l->pool->instance, "it does not answer in HTTP/2");
        give_up(l, REASON_CONNECT_FAILED);
        return;
    }
    if (!up || (l->session && !nghttp2_session_want_read(l->session) &&
                !nghttp2_session_want_write(l->session))) {
        h2_link_free(l);
        return;
    }
    if (!idle) {
        wheel_clear(&l->w->wheel, &l->idle);
        return;
    }
    if (l->closing || !l->session || l->idle_ns == 0)
        part(l);
    else if (l->idle.deadline_ns == 0)
        worker_set_deadline(l->w, &l->idle, l->w->now_ns + l->idle_ns);
}

static void on_flush(evutil_socket_t fd, short events, void *arg)
{
    struct h2_link *l = arg;

    (void)fd;
    (void)events;
    worker_touch(l->w);
    l->flush_due = false;
    settle(l, !l->session || give_out(l));
}

void h2_link_event(struct h2_link *l)
{
    bool up = true;

    if (l->http1 || l->fail != REASON_NONE)
        return;
    if (!l->session && !open_link(l))
        return;
    up = take_in(l);
    settle(l, give_out(l) && up);
}

struct h2_link *h2_link_new(struct pool *p, struct worker *w, const struct upstream_target *to,
                            enum reason *ret_why)
{
    struct h2_link *l = calloc(1, sizeof *l);

    *ret_why = REASON_INTERNAL;
    if (!l)
        return NULL;
    l->w = w;
    l->pool = p;
    l->http = to->transport.http;
    l->signature = to->transport.signature;
    list_init(&l->requests);
    list_init(&l->unsent);
    wheel_timer_init(&l->idle, on_idle);
    event_assign(&l->flush, w->base, -1, 0, on_flush, l);
    l->conn = upstream_connect(p, w, to, NULL, ret_why);
    if (!l->conn) {
        free(l);
        return NULL;
    }
    l->conn->link = l;
    list_push_back(&p->links, &l->node);
    return l;
}
