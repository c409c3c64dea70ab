/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/h2_session.h"
#include "base/log.h"
#include "proxy/h2_stream.h"
#include "proxy/h2_wire.h"

#include <stdlib.h>
#include <string.h>

enum {
    PART_MS = 1000, /* between the two words of parting */
    MAX_CONTINUATIONS = 8
};

static struct h2_stream *stream_of(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

static void flood(struct h2_session *s, enum h2_flood what)
{
    if (s->flood)
        return;
    s->flood = what;
    stat_add(&s->w->counters.h2_floods, 1);
    log_debug("h2", "a client floods the connection: %s", h2_flood_word(what));
    nghttp2_session_terminate_session(s->ng, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void count_reset(struct h2_session *s)
{
    stat_add(&s->w->counters.h2_resets, 1);
    if (!h2_guard_reset(&s->guard, s->conf, s->w->now_ns))
        flood(s, H2_FLOOD_RESETS);
}

/* Frames that ask for nothing. */
static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    struct h2_session *s = arg;
    bool works = hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_RST_STREAM ||
                 (hd->type == NGHTTP2_DATA && (hd->length > 0 || (hd->flags & 1)));

    (void)ng;
    if (!works && !h2_guard_frame(&s->guard, s->w->now_ns))
        flood(s, H2_FLOOD_FRAMES);
    return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *s = arg;
    struct h2_stream *st;

    s->fields_ns = s->w->now_ns;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    /* Streams that the client has taken back count until their work has ended. */
    if (s->flood || s->nstreams >= 2 * s->conf->max_streams) {
        count_reset(s);
        return nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                         NGHTTP2_REFUSED_STREAM);
    }
    st = h2_stream_new(s, frame->hd.stream_id);
    if (!st)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, st);
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    struct h2_stream *st = stream_of(ng, frame->hd.stream_id);
    struct str n = {(const char *)name, name_n}, v = {(const char *)value, value_n};

    (void)flags;
    (void)arg;
    if (st && h2_stream_on_field(st, n, v) < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

/* Left to itself nghttp2 would overlook the field, and the request go on without it. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags,
                             void *arg)
{
    struct h2_stream *st = stream_of(ng, frame->hd.stream_id);

    (void)name;
    (void)name_n;
    (void)value;
    (void)value_n;
    (void)flags;
    (void)arg;
    if (st && st->in_trailers)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (st)
        st->head.malformed = true;
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *arg)
{
    struct h2_stream *st = stream_of(ng, id);

    (void)flags;
    (void)arg;
    if (!st)
        return nghttp2_session_consume_connection(ng, n);
    return h2_stream_on_data(st, p, n) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *s = arg;
    struct h2_stream *st = stream_of(ng, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_RST_STREAM)
        count_reset(s);
    if (frame->hd.type == NGHTTP2_HEADERS)
        s->fields_ns = 0;
    if (!st || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        h2_stream_on_end(st);
    if (frame->hd.type == NGHTTP2_HEADERS && h2_stream_on_fields_end(st) < 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error_code, void *arg)
{
    struct h2_session *s = arg;
    struct h2_stream *st = stream_of(ng, id);

    (void)error_code;
    h2_guard_worked(&s->guard, 1, 0);
    if (st)
        h2_stream_on_close(st);
    return 0;
}

/* What a client's fault makes the gateway reset counts like what the client resets. */
static bool is_fault(uint32_t code)
{
    return code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR ||
           code == NGHTTP2_STREAM_CLOSED || code == NGHTTP2_FRAME_SIZE_ERROR ||
           code == NGHTTP2_REFUSED_STREAM || code == NGHTTP2_COMPRESSION_ERROR;
}

static int on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *s = arg;
    struct h2_stream *st;

    if (frame->hd.type == NGHTTP2_RST_STREAM && is_fault(frame->rst_stream.error_code))
        count_reset(s);
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    st = stream_of(ng, frame->hd.stream_id);
    if (st)
        h2_stream_on_answered(st);
    return 0;
}

static void set_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
}

static int make_session(struct h2_session *s)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    int result;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return -1;
    if (nghttp2_option_new(&options) != 0) {
        nghttp2_session_callbacks_del(callbacks);
        return -1;
    }
    set_callbacks(callbacks);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_continuations(options, MAX_CONTINUATIONS);
    nghttp2_option_set_stream_reset_rate_limit(options, s->conf->reset_burst, s->conf->reset_rate);
    result = nghttp2_session_server_new2(&s->ng, callbacks, s, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    return result == 0 ? 0 : -1;
}

static int greet(struct h2_session *s)
{
    const struct limits_conf *limits = &s->w->held->snapshot->config->limits;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, s->conf->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)s->conf->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->max_header_bytes},
        /* Urgency by the field `priority` (RFC 9218), which nghttp2 obeys, in place of trees. */
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    if (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) != 0)
        return -1;
    return nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)s->conf->window) == 0
               ? 0
               : -1;
}

void h2_session_wake(struct h2_session *s)
{
    if (s->flush_due || s->freeing)
        return;
    s->flush_due = true;
    event_active(&s->flush, EV_TIMEOUT, 0);
}

void h2_session_free(struct h2_session **sp)
{
    struct h2_session *s = *sp;

    if (!s)
        return;
    *sp = NULL;
    s->freeing = true;
    list_each_safe(node, next, &s->streams)
    {
        struct h2_stream *st = CONTAINER_OF(node, struct h2_stream, node);

        /* Its conn takes the stream along. */
        if (st->conn)
            conn_close(st->conn);
        else
            h2_stream_free(st);
    }
    wheel_clear(&s->w->wheel, &s->timer);
    event_del(&s->flush);
    nghttp2_session_del(s->ng);
    bufpool_put(&s->w->bufs, &s->out);
    free(s);
}

static bool is_stuck(const struct h2_session *s)
{
    return s->out && buf_len(s->out) > 0;
}

/* A peer that does not take what it asked for is not read from. */
static bool take_in(struct h2_session *s)
{
    bool heard;

    return is_stuck(s) || h2_wire_read(s->w, s->ng, &s->conn->sock, &heard);
}

static bool submit_unsent(struct h2_session *s)
{
    while (!list_empty(&s->unsent))
        if (h2_stream_submit(CONTAINER_OF(s->unsent.next, struct h2_stream, unsent)) < 0)
            return false;
    return true;
}

/* Writes what there is. False when the connection has ended. */
static bool give_out(struct h2_session *s)
{
    size_t n;
    enum io io;

    if (!submit_unsent(s))
        return false;
    io = h2_wire_write(s->w, s->ng, &s->conn->sock, &s->out, &n);
    h2_guard_worked(&s->guard, 0, n);
    if (n > 0 || io == IO_OK)
        s->stuck_ns = 0;
    if (io == IO_AGAIN && !s->stuck_ns)
        s->stuck_ns = s->w->now_ns;
    return io != IO_ERROR;
}

static uint64_t earlier(uint64_t a, uint64_t since_ns, uint64_t ms)
{
    uint64_t b = since_ns + ms * NS_PER_MS;

    return since_ns && (a == 0 || b < a) ? b : a;
}

static void arm(struct h2_session *s)
{
    const struct limits_conf *limits = &s->w->held->snapshot->config->limits;
    uint64_t at = 0;

    at = earlier(at, s->idle_ns,
                 s->nrequests ? limits->keepalive_timeout_ms : limits->header_timeout_ms);
    at = earlier(at, s->stuck_ns, limits->write_timeout_ms);
    at = earlier(at, s->fields_ns, limits->header_timeout_ms);
    at = earlier(at, s->parting && !s->parted ? s->parting_ns : 0, PART_MS);
    /* Streams whose exchange is over have nobody else who would miss their client. */
    if (!s->idle_ns)
        at = earlier(at, s->w->now_ns, limits->write_timeout_ms);
    if (s->timer.deadline_ns && !s->idle_ns && at > s->timer.deadline_ns)
        return;
    worker_set_deadline(s->w, &s->timer, at);
}

/* Ends the connection, with what is still to be said. The session is gone. */
static void end(struct h2_session *s, bool up)
{
    struct conn *c = s->conn;

    if (up && s->flood == H2_FLOOD_NONE && nghttp2_session_want_write(s->ng))
        (void)give_out(s);
    h2_session_free(&c->h2);
    if (up)
        conn_linger(c);
    else
        conn_close(c);
}

/* What is left to do once all events of this turn are dealt with. May free the session. */
static void settle(struct h2_session *s, bool up)
{
    if (!up ||
        (!nghttp2_session_want_read(s->ng) && !nghttp2_session_want_write(s->ng) && !is_stuck(s))) {
        end(s, up);
        return;
    }
    if (s->nstreams > 0)
        s->idle_ns = 0;
    else if (!s->idle_ns)
        s->idle_ns = s->w->now_ns;
    if (s->parted && s->nstreams == 0 && !is_stuck(s)) {
        end(s, true);
        return;
    }
    arm(s);
}

static void on_flush(evutil_socket_t fd, short events, void *arg)
{
    struct h2_session *s = arg;

    (void)fd;
    (void)events;
    worker_touch(s->w);
    s->flush_due = false;
    settle(s, give_out(s));
}

void h2_session_event(struct h2_session *s)
{
    bool up = !is_stuck(s) || give_out(s);

    up = up && take_in(s);
    settle(s, give_out(s) && up);
}

/* The second word: what has been heard until now is served, and nothing else. */
static void part_for_good(struct h2_session *s)
{
    s->parted = true;
    nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s->ng),
                          NGHTTP2_NO_ERROR, NULL, 0);
    h2_session_wake(s);
}

void h2_session_part(struct h2_session *s)
{
    if (s->parting)
        return;
    s->parting = true;
    s->parting_ns = s->w->now_ns;
    if (s->nstreams == 0) {
        part_for_good(s);
        return;
    }
    nghttp2_submit_shutdown_notice(s->ng);
    h2_session_wake(s);
    arm(s);
}

static bool passed(const struct h2_session *s, uint64_t since_ns, uint64_t ms)
{
    return since_ns && s->w->now_ns >= since_ns + ms * NS_PER_MS;
}

static void reset_stalled(struct h2_session *s)
{
    list_each_safe(node, next, &s->streams)
    {
        struct h2_stream *st = CONTAINER_OF(node, struct h2_stream, node);

        if (h2_stream_is_stalled(st))
            nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
    }
}

static void on_timer(struct wheel_timer *t)
{
    struct h2_session *s = CONTAINER_OF(t, struct h2_session, timer);
    const struct limits_conf *limits;

    worker_touch(s->w);
    limits = &s->w->held->snapshot->config->limits;
    if (passed(s, s->stuck_ns, limits->write_timeout_ms) ||
        passed(s, s->fields_ns, limits->header_timeout_ms)) {
        end(s, false);
        return;
    }
    if (s->parting && !s->parted && passed(s, s->parting_ns, PART_MS))
        part_for_good(s);
    if (passed(s, s->idle_ns,
               s->nrequests ? limits->keepalive_timeout_ms : limits->header_timeout_ms))
        part_for_good(s);
    reset_stalled(s);
    settle(s, give_out(s));
}

bool h2_is_preface(struct str begin)
{
    static const char preface[H2_PREFACE + 1] = NGHTTP2_CLIENT_MAGIC;

    return memcmp(begin.p, preface, begin.n < H2_PREFACE ? begin.n : H2_PREFACE) == 0;
}

int h2_session_start(struct conn *c, struct str first)
{
    struct h2_session *s = calloc(1, sizeof *s);

    if (!s)
        return -1;
    s->conn = c;
    s->w = c->w;
    s->conf = &c->listener->conf->http2;
    list_init(&s->streams);
    list_init(&s->unsent);
    wheel_timer_init(&s->timer, on_timer);
    event_assign(&s->flush, s->w->base, -1, 0, on_flush, s);
    c->h2 = s;
    if (make_session(s) < 0 || greet(s) < 0 ||
        nghttp2_session_mem_recv(s->ng, (const uint8_t *)first.p, first.n) != (ssize_t)first.n) {
        h2_session_free(&c->h2);
        return -1;
    }
    s->idle_ns = s->w->now_ns;
    stat_add(&s->w->counters.h2_connections, 1);
    conn_set_deadline(c, 0);
    h2_session_wake(s);
    arm(s);
    return 0;
}
