/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/pump.h"

#include <assert.h>

/* Buffers a pump may move before others get their turn. */
enum { TURNS = 16, SPLICE_TURNS = 4 };

void pump_init(struct pump *p, enum framing framing, uint64_t content_length, bool chunk_out,
               struct buf *buf)
{
    p->framing = framing;
    p->remaining = framing == FRAMING_LENGTH ? content_length : 0;
    p->limit = UINT64_MAX;
    p->chunk_out = chunk_out;
    p->taken = framing == FRAMING_NONE || (framing == FRAMING_LENGTH && content_length == 0);
    p->buf = buf;
    p->nout = 0;
    p->payload_bytes = p->wire_bytes = 0;
    p->tap = NULL;
    p->coder = NULL;
    p->coder_holds = false;
    p->pipes = NULL;
    p->pipe = NULL;
    if (framing == FRAMING_CHUNKED)
        chunked_init(&p->chunked);
}

void pump_push(struct pump *p, const void *data, size_t n)
{
    assert(p->nout < PUMP_PIECES);
    if (n > 0)
        p->out[p->nout++] = (struct iovec){(void *)data, n};
}

static char *put_hex(char *out, size_t n)
{
    int shift = 60;

    while (shift > 0 && !(n >> shift & 15))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *out++ = "0123456789abcdef"[n >> shift & 15];
    return out;
}

/* Queues bytes with the framing of the sink. */
static inline void queue(struct pump *p, const char *payload, size_t n)
{
    if (!p->chunk_out) {
        pump_push(p, payload, n);
        return;
    }
    if (n > 0) {
        char *end = put_hex(p->chunk_head, n);

        *end++ = '\r';
        *end++ = '\n';
        pump_push(p, p->chunk_head, (size_t)(end - p->chunk_head));
        pump_push(p, payload, n);
    }
    if (n > 0 && p->taken)
        pump_push(p, "\r\n0\r\n\r\n", 7);
    else if (n > 0)
        pump_push(p, "\r\n", 2);
    else if (p->taken)
        pump_push(p, "0\r\n\r\n", 5);
}

static bool code(struct pump *p, const char *payload, size_t n, enum encoder_step step)
{
    struct str coded;

    if (!p->coder(p->coder_arg, payload, n, step, &coded))
        return false;
    p->coder_holds = step == ENCODER_MORE && (n > 0 || p->coder_holds);
    queue(p, coded.p, coded.n);
    return true;
}

/* Queues a payload. */
static inline enum pump_state emit(struct pump *p, const char *payload, size_t n)
{
    p->payload_bytes += n;
    if (p->tap)
        p->tap(p->tap_arg, payload, n);
    if (!p->coder)
        queue(p, payload, n);
    else if (!code(p, payload, n, p->taken ? ENCODER_END : ENCODER_MORE))
        return PUMP_SOURCE_ERROR;
    return PUMP_DONE;
}

/* Decodes what is in the buffer. */
static enum pump_state take(struct pump *p)
{
    struct buf *b = p->buf;
    char *data = b->data + b->start;
    size_t n = buf_len(b), used = n;

    if (p->framing == FRAMING_LENGTH) {
        if (n > p->remaining)
            n = used = (size_t)p->remaining;
        p->remaining -= n;
        p->taken = p->remaining == 0;
    } else if (p->framing == FRAMING_CHUNKED) {
        enum chunked_verdict v = chunked_decode(&p->chunked, data, n, &n, &used);

        if (v == CHUNKED_BAD)
            return PUMP_SOURCE_BAD;
        p->taken = v == CHUNKED_DONE;
    }
    if (p->payload_bytes + n > p->limit)
        return PUMP_TOO_LARGE;
    b->start += used;
    return emit(p, data, n);
}

static enum io flush(struct pump *p, struct sock *sink)
{
    while (p->nout > 0) {
        size_t n = 0;
        int i = 0;
        enum io io = sock_write(sink, p->out, p->nout, &n);

        if (io != IO_OK)
            return io;
        p->wire_bytes += n;
        while (i < p->nout && n >= p->out[i].iov_len)
            n -= p->out[i++].iov_len;
        if (i < p->nout) {
            p->out[i].iov_base = (char *)p->out[i].iov_base + n;
            p->out[i].iov_len -= n;
        }
        memmove(p->out, p->out + i, sizeof p->out[0] * (size_t)(p->nout - i));
        p->nout -= i;
    }
    return IO_OK;
}

/* Reads the next piece into the empty buffer. */
static enum pump_state fill(struct pump *p, struct sock *source)
{
    size_t n;

    p->buf->start = p->buf->end = 0;
    switch (sock_read_on(source, p->buf->data, BUF_BYTES, &n)) {
    case IO_OK:
        p->buf->end = n;
        return PUMP_DONE;
    case IO_AGAIN:
        return PUMP_WAIT_SOURCE;
    case IO_EOF:
        if (p->framing != FRAMING_CLOSE)
            return PUMP_SOURCE_EOF;
        p->taken = true;
        return emit(p, NULL, 0);
    case IO_ERROR:
        return PUMP_SOURCE_ERROR;
    }
    return PUMP_SOURCE_ERROR;
}

/* Can another piece be queued? What a coder has made lies in one place until it is written. */
static inline bool has_room(const struct pump *p)
{
    return p->nout <= 1 && (!p->coder || p->nout == 0 || p->payload_bytes == 0);
}

void pump_release(struct pump *p)
{
    if (p->pipe)
        pipes_put(p->pipes, &p->pipe);
}

/* May the kernel move the rest of the body? Nobody must want to see it, nor change it. */
static bool can_splice(struct pump *p, const struct sock *source, const struct sock *sink)
{
    if (!p->pipes || p->framing != FRAMING_LENGTH || p->remaining < PUMP_SPLICE_MIN ||
        p->chunk_out || p->tap || p->coder || p->limit - p->payload_bytes < p->remaining ||
        !sock_is_plain(source) || !sock_is_plain(sink))
        return false;
    p->pipe = pipes_get(p->pipes);
    return p->pipe != NULL;
}

/* One load of the pipe: out of the source, into the sink. */
static enum pump_state splice_on(struct pump *p, struct sock *source, struct sock *sink)
{
    struct pipe *pipe = p->pipe;
    enum io io = IO_OK;
    size_t n;

    if (pipe->held == 0) {
        size_t most = p->remaining < PIPE_BYTES ? (size_t)p->remaining : PIPE_BYTES;

        io = sock_splice_in(source, pipe->in, most, &n);
        if (io == IO_AGAIN)
            return PUMP_WAIT_SOURCE;
        if (io != IO_OK)
            return io == IO_EOF ? PUMP_SOURCE_EOF : PUMP_SOURCE_ERROR;
        pipe->held = n;
        p->remaining -= n;
        p->payload_bytes += n;
    }
    while (pipe->held > 0) {
        io = sock_splice_out(sink, pipe->out, pipe->held, &n);
        if (io != IO_OK)
            return io == IO_AGAIN ? PUMP_WAIT_SINK : PUMP_SINK_ERROR;
        pipe->held -= n;
        p->wire_bytes += n;
    }
    p->taken = p->remaining == 0;
    return PUMP_DONE;
}

/* The rest of the body, as far as it goes now. */
static enum pump_state splice_rest(struct pump *p, struct sock *source, struct sock *sink)
{
    for (int turn = 0; turn < SPLICE_TURNS; turn++) {
        enum pump_state state = splice_on(p, source, sink);

        if (state != PUMP_DONE)
            return state;
        if (p->taken) {
            pump_release(p);
            return PUMP_DONE;
        }
    }
    return PUMP_YIELD;
}

enum pump_state pump_run(struct pump *p, struct sock *source, struct sock *sink)
{
    if (p->pipe)
        return splice_rest(p, source, sink);
    for (int turn = 0; turn < TURNS; turn++) {
        enum pump_state state;

        if (p->buf && has_room(p) && !p->taken && buf_len(p->buf) > 0) {
            /* A message head that is still to go out takes the first piece of its body along. */
            state = take(p);
            if (state != PUMP_DONE)
                return state;
        }
        switch (flush(p, sink)) {
        case IO_AGAIN:
            return PUMP_WAIT_SINK;
        case IO_ERROR:
        case IO_EOF:
            return PUMP_SINK_ERROR;
        case IO_OK:
            break;
        }
        if (p->taken)
            return PUMP_DONE;
        if (buf_len(p->buf) == 0 && can_splice(p, source, sink))
            return splice_rest(p, source, sink);
        if (buf_len(p->buf) == 0) {
            state = fill(p, source);
            if (state == PUMP_WAIT_SOURCE && p->coder_holds) {
                if (!code(p, NULL, 0, ENCODER_FLUSH))
                    return PUMP_SOURCE_ERROR;
                continue;
            }
            if (state != PUMP_DONE)
                return state;
        }
    }
    return PUMP_YIELD;
}
