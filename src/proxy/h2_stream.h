/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_stream.h - one request of a client over HTTP/2, as a byte stream (sock.h) under a conn of its
 * own.
 *
 * Read: the request's head in HTTP/1.1 text, then its payload, then IO_EOF; a reset is IO_ERROR.
 * Written: the answer's head in HTTP/1.1 text (1xx ones before it), then the payload, then
 * sock_finish(). Neither side is chunked. What waits to be read is bounded by the window that the
 * client was given, which opens as bytes are read; what waits to be sent by 64 KiB.
 *
 * The conn goes when its exchange is over, which may be before the client has taken the last
 * bytes: the stream stays until nghttp2 has closed it. */
#include "base/bytes.h"
#include "http/h2_server_text.h"
#include "proxy/h2_session.h"

enum { H2_STREAM_WRITE_BYTES = 64 * 1024 };

struct h2_stream {
    struct list node, unsent;
    struct h2_stream *next_kept; /* of those that a worker keeps for later */
    struct h2_session *session;
    struct conn *conn; /* of its exchange; NULL before and after */
    int32_t id;
    struct h2_head head; /* the request's, while it comes */
    struct bytes in;     /* text of the head, then payload */
    size_t in_text;      /* bytes at its front that are outside of flow control */
    struct bytes trailers_in;
    struct bytes answer; /* the head that is being written */
    struct bytes out, trailers_out;
    uint64_t sent, seen_sent; /* payload given to nghttp2; as of the last look (stalled?) */
    bool has_head;            /* the request's head is whole; the exchange may not have seen it */
    bool begun;               /* text of the head was put before the payload */
    bool in_trailers;
    bool ended;      /* the request is whole */
    bool head_whole; /* the answer's head is, and was not submitted */
    bool submitted;  /* the answer's head was given to nghttp2 */
    bool finished;   /* nothing more is written */
    bool answered;   /* the last frame of the answer has gone */
    bool waiting;    /* nghttp2 asks for no more until it is told that there is some */
    bool broken;     /* the client has taken it back, or the connection has gone */
    bool closed;     /* nghttp2 knows nothing of it any more */
};

/* A stream that begins. NULL when memory is out. */
struct h2_stream *h2_stream_new(struct h2_session *s, int32_t id) MUST_CHECK;
void h2_stream_free(struct h2_stream *st);
/* Those that the worker kept. */
void h2_stream_free_kept(struct worker *w);

/* What nghttp2 tells of it. -1 when memory is out. */
int h2_stream_on_field(struct h2_stream *st, struct str name, struct str value) MUST_CHECK;
int h2_stream_on_fields_end(struct h2_stream *st) MUST_CHECK;
int h2_stream_on_data(struct h2_stream *st, const uint8_t *p, size_t n) MUST_CHECK;
void h2_stream_on_end(struct h2_stream *st);
void h2_stream_on_close(struct h2_stream *st);
void h2_stream_on_answered(struct h2_stream *st);

/* Gives to nghttp2 what is new. -1 when it cannot. */
int h2_stream_submit(struct h2_stream *st) MUST_CHECK;
/* The exchange has ended, and the client has taken nothing since the last time this was asked. */
bool h2_stream_is_stalled(struct h2_stream *st);
