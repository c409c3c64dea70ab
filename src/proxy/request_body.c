/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/request_body.h"

static struct str leftover(const struct exchange *x)
{
    size_t at = x->head->start + x->head_bytes;

    return (struct str){x->head->data + at, x->head->end - at};
}

struct buf *request_body_copy_leftover(struct exchange *x)
{
    struct buf *b = bufpool_get(&x->w->bufs);
    struct str s = leftover(x);

    if (!b)
        return NULL;
    memcpy(b->data, s.p + x->body.n, s.n - x->body.n);
    b->end = s.n - x->body.n;
    return b;
}

/* A stream has no chunks: its end is that of the body (RFC 9113 section 8.1). */
static enum framing source_framing(const struct exchange *x)
{
    return x->conn->is_stream && x->req.framing == FRAMING_CHUNKED ? FRAMING_CLOSE : x->req.framing;
}

/* Decodes a copy, since half a chunked body must reach the pump as it came. */
static enum reason prepare_chunked(struct exchange *x)
{
    struct chunked decoder;
    size_t payload, used;

    x->body_buf = request_body_copy_leftover(x);
    if (!x->body_buf)
        return REASON_INTERNAL;
    chunked_init(&decoder);
    switch (chunked_decode(&decoder, x->body_buf->data, x->body_buf->end, &payload, &used)) {
    case CHUNKED_BAD:
        return REASON_BAD_REQUEST;
    case CHUNKED_DONE:
        x->body_buffered = true;
        x->body = (struct str){x->body_buf->data, payload};
        x->body_buf->start = used;
        return payload > x->max_body ? REASON_BODY_TOO_LARGE : REASON_NONE;
    case CHUNKED_MORE:
        break;
    }
    memcpy(x->body_buf->data, leftover(x).p, leftover(x).n);
    return REASON_NONE;
}

enum reason request_body_prepare(struct exchange *x)
{
    struct str rest = leftover(x);

    switch (x->req.framing) {
    case FRAMING_NONE:
    case FRAMING_CLOSE:
        x->body_buffered = true;
        x->body = STR_NULL;
        return REASON_NONE;
    case FRAMING_CHUNKED:
        if (!x->conn->is_stream)
            return prepare_chunked(x);
        x->body_buf = request_body_copy_leftover(x);
        return x->body_buf ? REASON_NONE : REASON_INTERNAL;
    case FRAMING_LENGTH:
        break;
    }
    if (x->req.content_length > x->max_body)
        return REASON_BODY_TOO_LARGE;
    if (rest.n >= x->req.content_length) {
        x->body_buffered = true;
        x->body = (struct str){rest.p, (size_t)x->req.content_length};
        return REASON_NONE;
    }
    x->body_buf = request_body_copy_leftover(x);
    return x->body_buf ? REASON_NONE : REASON_INTERNAL;
}

void request_body_start(struct exchange *x)
{
    struct attempt *a = x->attempt;
    bool chunk_out = !x->body_buffered && x->req.framing == FRAMING_CHUNKED && !a->up->is_stream;

    pump_init(&a->upload, x->body_buffered ? FRAMING_NONE : source_framing(x),
              x->req.content_length, chunk_out, x->body_buf);
    a->upload.limit = x->max_body;
    pump_push(&a->upload, a->up_head->data, a->up_head->end);
    if (x->body_buffered)
        pump_push(&a->upload, x->body.p, x->body.n);
    a->upload_started = true;
    a->upload_done = a->upload_broken = false;
}

/* RFC 9110 section 10.1.1: the gateway answers the expectation itself, once an instance is there to
 * take the body. */
static enum reason send_continue(struct exchange *x)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec iov = {(void *)text, sizeof text - 1};
    size_t n;

    x->continue_sent = true;
    /* These are the first bytes of an answer on this connection: an empty socket buffer takes
     * them whole or the connection is dead, which the next read tells. What TLS holds back could
     * be followed by nothing but itself. */
    if (sock_write(&x->conn->sock, &iov, 1, &n) != IO_OK && x->conn->sock.held)
        return REASON_CLIENT_STALLED;
    return REASON_NONE;
}

static enum reason move(struct exchange *x, struct sock *to, bool up_is_stream)
{
    struct attempt *a = x->attempt;

    if (a->upload_done || a->upload_broken)
        return REASON_NONE;
    if (x->req.expect_continue && !x->body_buffered && !x->continue_sent &&
        buf_len(x->body_buf) == 0 && send_continue(x) != REASON_NONE)
        return REASON_CLIENT_STALLED;
    switch (pump_run(&a->upload, &x->conn->sock, to)) {
    case PUMP_DONE:
        if (up_is_stream) {
            sock_send_trailers(to, sock_trailers(&x->conn->sock));
            sock_finish(to);
        }
        a->upload_done = true;
        a->sent_ns = x->w->now_ns;
        x->step_deadline_ns = 0;
        return REASON_NONE;
    case PUMP_WAIT_SOURCE:
        exchange_wait(x, exchange_config(x)->limits.body_timeout_ms, REASON_REQUEST_TIMEOUT);
        return REASON_NONE;
    case PUMP_WAIT_SINK:
        exchange_wait(x, x->service->conf->idle_timeout_ms, REASON_UPSTREAM_TIMEOUT);
        return REASON_NONE;
    case PUMP_YIELD:
        event_active(&x->conn->sock.ev, EV_TIMEOUT, 0);
        return REASON_NONE;
    case PUMP_SOURCE_EOF:
    case PUMP_SOURCE_ERROR:
        return REASON_CLIENT_GONE;
    case PUMP_SOURCE_BAD:
        return REASON_BAD_REQUEST;
    case PUMP_TOO_LARGE:
        return REASON_BODY_TOO_LARGE;
    case PUMP_SINK_ERROR:
        /* The instance may have answered early and closed: its answer is read before it is blamed,
         * even when the event that tells of it is still to come. */
        a->upload_broken = true;
        to->readable = true;
        x->step_deadline_ns = 0;
        return REASON_NONE;
    }
    return REASON_INTERNAL;
}

enum reason request_body_run(struct exchange *x)
{
    return move(x, &x->attempt->up->sock, x->attempt->up->is_stream);
}

void request_body_collect_begin(struct exchange *x, uint64_t max)
{
    struct attempt *a = x->attempt;

    pump_init(&a->upload, source_framing(x), x->req.content_length, false, x->body_buf);
    a->upload.limit = max < x->max_body ? max : x->max_body;
}

enum reason request_body_collect(struct exchange *x, struct sock *sink)
{
    enum reason why = move(x, sink, false);

    return why == REASON_NONE && x->attempt->upload_broken ? REASON_INTERNAL : why;
}

bool request_body_consumed(const struct exchange *x)
{
    return x->head_bytes > 0 && (x->body_buffered || x->attempt->upload_done);
}

void request_body_leftover(struct exchange *x)
{
    struct buf **from = x->body_buf ? &x->body_buf : &x->head;

    if (!request_body_consumed(x) || !x->head)
        return;
    if (from == &x->head)
        x->head->start += x->head_bytes + x->body.n;
    if (buf_len(*from) > 0) {
        x->conn->in = *from;
        *from = NULL;
    }
}
