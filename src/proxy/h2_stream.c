/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/h2_stream.h"
#include "http/h2_client_text.h"
#include "proxy/exchange.h"

#include <stdlib.h>
#include <string.h>

/* Trailers are no place for long texts. */
enum { MAX_TRAILERS = 16 * 1024, MAX_ANSWER = 128 * 1024 };

/* Streams come and go with each request: a worker keeps some, with their small buffers. */
enum { KEPT_STREAMS = 256, KEPT_BYTES = 4096 };

static struct h2_stream *take_kept(struct worker *w)
{
    struct h2_stream *st = w->kept_streams;

    if (!st)
        return calloc(1, sizeof *st);
    w->kept_streams = st->next_kept;
    w->nkept_streams--;
    st->next_kept = NULL;
    return st;
}

struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id)
{
    struct h2_stream *st = take_kept(s->w);

    if (!st)
        return NULL;
    st->session = s;
    st->id = id;
    list_init(&st->unsent);
    list_push_back(&s->streams, &st->node);
    s->nstreams++;
    return st;
}

static void discard(struct h2_stream *st)
{
    h2_head_free(&st->head);
    bytes_free(&st->in);
    bytes_free(&st->trailers_in);
    bytes_free(&st->answer);
    bytes_free(&st->out);
    bytes_free(&st->trailers_out);
    free(st);
}

static void reset_for_reuse(struct h2_stream *st)
{
    struct h2_stream fresh = {.head = st->head,
                              .in = st->in,
                              .trailers_in = st->trailers_in,
                              .answer = st->answer,
                              .out = st->out,
                              .trailers_out = st->trailers_out};

    h2_head_reuse(&fresh.head, KEPT_BYTES);
    bytes_reuse(&fresh.in, KEPT_BYTES);
    bytes_reuse(&fresh.trailers_in, KEPT_BYTES);
    bytes_reuse(&fresh.answer, KEPT_BYTES);
    bytes_reuse(&fresh.out, KEPT_BYTES);
    bytes_reuse(&fresh.trailers_out, KEPT_BYTES);
    *st = fresh;
}

void h2_stream_free(struct h2_stream *st)
{
    struct worker *w = st->session->w;

    list_remove(&st->unsent);
    list_remove(&st->node);
    st->session->nstreams--;
    if (w->nkept_streams == KEPT_STREAMS) {
        discard(st);
        return;
    }
    reset_for_reuse(st);
    st->next_kept = w->kept_streams;
    w->kept_streams = st;
    w->nkept_streams++;
}

void h2_stream_free_kept(struct worker *w)
{
    while (w->kept_streams) {
        struct h2_stream *st = w->kept_streams;

        w->kept_streams = st->next_kept;
        discard(st);
    }
}

static void wake(struct h2_stream *st)
{
    if (!st->conn)
        return;
    st->conn->sock.readable = st->conn->sock.writable = true;
    event_active(&st->conn->sock.ev, EV_READ | EV_WRITE, 0);
}

/* It has news for nghttp2. */
static void tell(struct h2_stream *st)
{
    if (st->closed || st->session->freeing)
        return;
    if (list_empty(&st->unsent))
        list_push_back(&st->session->unsent, &st->unsent);
    h2_session_wake(st->session);
}

/* The connection's window is opened for what nobody will read, that of the stream is not. */
static void forget_input(struct h2_stream *st)
{
    size_t left = bytes_len(&st->in) - st->in_text;

    if (left > 0 && !st->session->freeing)
        nghttp2_session_consume_connection(st->session->ng, left);
    bytes_reuse(&st->in, KEPT_BYTES);
    st->in_text = 0;
}

static void reset(struct h2_stream *st, uint32_t code)
{
    nghttp2_submit_rst_stream(st->session->ng, NGHTTP2_FLAG_NONE, st->id, code);
    h2_session_wake(st->session);
}

/* Of a request that has been answered, and is not read any more: its client may stop sending (RFC
 * 9113 section 8.1). */
static void stop_sending(struct h2_stream *st)
{
    if (st->answered && !st->ended && !st->conn && !st->closed)
        reset(st, NGHTTP2_NO_ERROR);
}

void h2_stream_on_answered(struct h2_stream *st)
{
    st->answered = true;
    stop_sending(st);
}

static void detach(struct h2_stream *st, uint32_t code)
{
    st->conn = NULL;
    forget_input(st);
    if (st->closed || st->session->freeing) {
        h2_stream_free(st);
        return;
    }
    if (!st->finished)
        reset(st, code);
    stop_sending(st);
    st->seen_sent = UINT64_MAX;
    h2_session_wake(st->session);
}

static void stream_close(struct sock *s)
{
    struct h2_stream *st = s->impl;

    s->impl = NULL;
    detach(st, NGHTTP2_CANCEL);
}

/* What was sent of the answer must not pass for all of it. */
static void stream_abort(struct sock *s)
{
    struct h2_stream *st = s->impl;

    s->impl = NULL;
    st->finished = false;
    detach(st, NGHTTP2_INTERNAL_ERROR);
}

/* A request that is whole by now has a length, so that it can be repeated like any other. */
static int put_head(struct h2_stream *st)
{
    enum h2_body body = !st->ended               ? H2_BODY_OPEN
                        : bytes_len(&st->in) > 0 ? H2_BODY_WHOLE
                                                 : H2_BODY_NONE;
    struct bytes payload = {0};
    size_t n = bytes_len(&st->in);
    int r;

    if (n > 0) {
        payload = st->in;
        st->in = (struct bytes){0};
    }
    r = h2_head_end(&st->head, body, n, &st->in);
    st->begun = true;
    st->in_text = bytes_len(&st->in);
    if (r == 0 && !bytes_add_str(&st->in, bytes_str(&payload)))
        r = -1;
    bytes_free(&payload);
    return r;
}

static enum io stream_read(struct sock *s, void *p, size_t cap, size_t *ret_n)
{
    struct h2_stream *st = s->impl;
    size_t n, text;

    if (!st->begun && put_head(st) < 0)
        return IO_ERROR;
    n = bytes_take(&st->in, p, cap);
    text = n < st->in_text ? n : st->in_text;
    if (n > 0) {
        st->in_text -= text;
        if (n > text && !st->closed) {
            nghttp2_session_consume(st->session->ng, st->id, n - text);
            h2_session_wake(st->session);
        } else if (n > text) {
            nghttp2_session_consume_connection(st->session->ng, n - text);
        }
        *ret_n = n;
        return IO_OK;
    }
    if (st->broken)
        return IO_ERROR;
    if (st->ended)
        return IO_EOF;
    s->readable = false;
    return IO_AGAIN;
}

/* At once; the final head only when it is known whether a body follows. */
static int submit_interim(struct h2_stream *st)
{
    nghttp2_nv fields[H2_MAX_ANSWER_FIELDS];
    unsigned status;
    size_t n;

    if (h2_answer_fields(st->answer.p, st->answer.end, &status, fields, &n) < 0)
        return -1;
    if (nghttp2_submit_headers(st->session->ng, NGHTTP2_FLAG_NONE, st->id, NULL, fields, n, NULL) <
        0)
        return -1;
    st->answer.start = st->answer.end = 0;
    st->head_whole = false;
    h2_session_wake(st->session);
    return 0;
}

/* Takes of the piece what belongs to a head; SIZE_MAX when that is no head, or memory is out. */
static size_t take_head(struct h2_stream *st, const char *p, size_t n)
{
    static const char end[] = "\r\n\r\n";
    size_t before = st->answer.end, from = before > 3 ? before - 3 : 0, used;
    const char *found;

    if (before + n > MAX_ANSWER + H2_STREAM_WRITE_BYTES || !bytes_add(&st->answer, p, n))
        return SIZE_MAX;
    found = memmem(st->answer.p + from, st->answer.end - from, end, strlen(end));
    if (!found)
        return n;
    used = (size_t)(found + strlen(end) - st->answer.p);
    st->answer.end = used;
    st->head_whole = true;
    return used - before;
}

static bool is_interim(const struct bytes *head)
{
    return head->end > 9 && head->p[9] == '1';
}

/* Heads off the front of the piece. -1: it cannot be sent. */
static int take_heads(struct h2_stream *st, const char **p, size_t *left, size_t *taken)
{
    while (!st->head_whole && !st->submitted && *left > 0) {
        size_t used = take_head(st, *p, *left);

        if (used == SIZE_MAX)
            return -1;
        *taken += used;
        *p += used;
        *left -= used;
        if (st->head_whole && is_interim(&st->answer) && submit_interim(st) < 0)
            return -1;
    }
    return 0;
}

static enum io stream_write(struct sock *s, const struct iovec *iov, int n, size_t *ret_n)
{
    struct h2_stream *st = s->impl;
    size_t taken = 0;

    if (st->broken || st->closed)
        return IO_ERROR;
    for (int i = 0; i < n; i++) {
        const char *p = iov[i].iov_base;
        size_t left = iov[i].iov_len, room = H2_STREAM_WRITE_BYTES - bytes_len(&st->out);

        if (take_heads(st, &p, &left, &taken) < 0)
            return IO_ERROR;
        if (!bytes_add(&st->out, p, left < room ? left : room))
            return IO_ERROR;
        taken += left < room ? left : room;
        if (left > room)
            break;
    }
    tell(st);
    if (taken == 0) {
        s->writable = false;
        return IO_AGAIN;
    }
    *ret_n = taken;
    return IO_OK;
}

static enum io stream_peek(struct sock *s)
{
    struct h2_stream *st = s->impl;

    s->readable = false;
    return st->broken ? IO_ERROR : IO_AGAIN;
}

static void stream_finish(struct sock *s)
{
    struct h2_stream *st = s->impl;

    st->finished = true;
    tell(st);
}

static struct str stream_trailers(struct sock *s)
{
    struct h2_stream *st = s->impl;

    return bytes_str(&st->trailers_in);
}

static void stream_send_trailers(struct sock *s, struct str text)
{
    struct h2_stream *st = s->impl;

    if (!bytes_add_str(&st->trailers_out, text))
        st->broken = true;
}

static const struct sock_ops stream_ops = {
    .read = stream_read,
    .write = stream_write,
    .peek = stream_peek,
    .finish = stream_finish,
    .close = stream_close,
    .abort = stream_abort,
    .trailers = stream_trailers,
    .send_trailers = stream_send_trailers,
};

/* Fields that only the gateway sets are not for clients, here either. */
static int add_trailer(struct h2_stream *st, struct str name, struct str value)
{
    struct bytes *to = &st->trailers_in;

    if (guarded_has(&st->session->w->held->snapshot->config->guarded, name))
        return 0;
    if (to->end + name.n + value.n > MAX_TRAILERS)
        return -1;
    return bytes_add_str(to, name) && bytes_add_str(to, STR(": ")) && bytes_add_str(to, value) &&
                   bytes_add_str(to, STR("\r\n"))
               ? 0
               : -1;
}

int h2_stream_on_field(struct h2_stream *st, struct str name, struct str value)
{
    const struct limits_conf *limits = &st->session->w->held->snapshot->config->limits;

    if (st->in_trailers)
        return add_trailer(st, name, value);
    return h2_head_add(&st->head, name, value, limits->max_header_bytes);
}

static int begin_exchange(struct h2_stream *st)
{
    st->conn = conn_new_stream(st->session->conn);
    if (!st->conn)
        return -1;
    st->conn->sock.ops = &stream_ops;
    st->conn->sock.impl = st;
    st->session->nrequests++;
    stat_add(&st->session->w->counters.h2_requests, 1);
    wake(st);
    return 0;
}

int h2_stream_on_fields_end(struct h2_stream *st)
{
    if (st->in_trailers)
        return 0;
    st->has_head = st->in_trailers = true;
    if (!h2_head_is_good(&st->head)) {
        reset(st, NGHTTP2_PROTOCOL_ERROR);
        return 0;
    }
    return begin_exchange(st);
}

int h2_stream_on_data(struct h2_stream *st, const uint8_t *p, size_t n)
{
    if (!st->conn) {
        nghttp2_session_consume_connection(st->session->ng, n);
        return 0;
    }
    if (!bytes_add(&st->in, p, n))
        return -1;
    wake(st);
    return 0;
}

void h2_stream_on_end(struct h2_stream *st)
{
    st->ended = true;
    wake(st);
}

void h2_stream_on_close(struct h2_stream *st)
{
    st->closed = true;
    list_remove(&st->unsent);
    if (!st->conn) {
        h2_stream_free(st);
        return;
    }
    st->broken = true;
    wake(st);
}

/* Trailers take the place of the end that the last DATA frame would have. */
static int end_with_trailers(struct h2_stream *st, uint32_t *flags)
{
    nghttp2_nv fields[H2_MAX_FIELDS];
    size_t n;

    if (h2_trailer_fields(st->trailers_out.p, st->trailers_out.end, fields, &n) < 0 || n == 0)
        return 0;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(st->session->ng, st->id, fields, n);
}

static ssize_t give_data(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct h2_stream *st = source->ptr;
    bool was_full = bytes_len(&st->out) == H2_STREAM_WRITE_BYTES;
    size_t n = bytes_take(&st->out, buf, cap);

    (void)ng;
    (void)id;
    (void)arg;
    st->sent += n;
    if (was_full && n > 0)
        wake(st);
    if (bytes_len(&st->out) == 0 && st->finished) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (bytes_len(&st->trailers_out) > 0 && end_with_trailers(st, flags) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        return (ssize_t)n;
    }
    if (n > 0)
        return (ssize_t)n;
    st->waiting = true;
    return NGHTTP2_ERR_DEFERRED;
}

static int submit_answer(struct h2_stream *st)
{
    nghttp2_data_provider data = {.source = {.ptr = st}, .read_callback = give_data};
    bool bare = st->finished && bytes_len(&st->out) == 0 && bytes_len(&st->trailers_out) == 0;
    nghttp2_nv fields[H2_MAX_ANSWER_FIELDS];
    unsigned status;
    size_t n;

    if (h2_answer_fields(st->answer.p, st->answer.end, &status, fields, &n) < 0)
        return -1;
    st->submitted = true;
    st->head_whole = false;
    if (nghttp2_submit_response(st->session->ng, st->id, fields, n, bare ? NULL : &data) != 0)
        return -1;
    bytes_reuse(&st->answer, KEPT_BYTES);
    return 0;
}

int h2_stream_submit(struct h2_stream *st)
{
    list_remove(&st->unsent);
    if (st->closed)
        return 0;
    if (st->head_whole && !st->submitted)
        return submit_answer(st);
    if (st->waiting && (bytes_len(&st->out) > 0 || st->finished)) {
        st->waiting = false;
        return nghttp2_session_resume_data(st->session->ng, st->id) == NGHTTP2_ERR_NOMEM ? -1 : 0;
    }
    return 0;
}

bool h2_stream_is_stalled(struct h2_stream *st)
{
    bool stalled = !st->conn && st->has_head && st->seen_sent == st->sent;

    st->seen_sent = st->sent;
    return stalled;
}
