/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_request.h - one request on an HTTP/2 connection to an instance, as a byte stream (sock.h).
 *
 * Written: a whole request head in HTTP/1.1 text, then the payload. Read: the answer's head in
 * HTTP/1.1 text (1xx ones before it), then the payload, then IO_EOF; a reset is IO_ERROR. Neither
 * side is chunked. What is written is kept up to 64 KiB until the peer's window lets it go, what
 * comes in up to the window that the peer was given: reading opens it again. */
#include "base/bytes.h"
#include "proxy/h2_link.h"

enum { H2_WINDOW = 128 * 1024, H2_WRITE_BYTES = 64 * 1024 };

struct h2_request {
    struct list node, unsent;
    struct h2_link *link; /* NULL: it has gone */
    struct upstream *up;  /* whose sock this is */
    int32_t id;           /* 0 until it was submitted */
    struct bytes head;    /* the request's, until it was submitted */
    struct bytes out, in;
    size_t in_text; /* bytes at the front of `in` that are heads, outside of flow control */
    struct bytes trailers_in, trailers_out;
    bool admitted;               /* it counts among those that may be sent */
    bool head_whole, finished;   /* nothing more is written */
    bool in_fields, in_trailers; /* fields are coming; they are trailers */
    bool waiting;                /* nghttp2 asks for no more until it is told that there is some */
    bool ended;                  /* the answer is whole */
    bool broken;                 /* there will be no more of it */
    bool closed;                 /* nghttp2 knows nothing of it any more */
    bool unprocessed;            /* the instance says that it has not acted on the request */
    uint64_t begun_ns;
};

/* Puts the request that `up` is for onto the link. -1 when memory is out. */
int h2_request_start(struct h2_link *l, struct upstream *up) MUST_CHECK;
/* It may be sent now. False when the link has as many as the peer allows. */
bool h2_request_admit(struct sock *s, bool whatever);
/* True when the answer was no more than a head. */
bool h2_request_is_bare(const struct sock *s);
/* The instance has not acted on it: it can be sent again, whatever it is. */
bool h2_request_is_unprocessed(const struct sock *s);
/* The link of it, or NULL when that has gone. */
struct h2_link *h2_request_link(const struct sock *s);

/* For the link: */
void h2_request_wake(struct h2_request *r);
/* There will be no more of the answer than has come. */
void h2_request_break(struct h2_request *r, bool unprocessed);
/* The same, and the link has gone. */
void h2_request_abandon(struct h2_request *r);
/* -1: it could not be submitted. */
int h2_request_submit(struct h2_request *r, struct str scheme) MUST_CHECK;
/* What nghttp2 tells of it. -1 when memory is out or a limit is passed. */
void h2_request_on_fields(struct h2_request *r);
int h2_request_on_field(struct h2_request *r, struct str name, struct str value) MUST_CHECK;
void h2_request_on_fields_end(struct h2_request *r);
int h2_request_on_data(struct h2_request *r, const uint8_t *p, size_t n) MUST_CHECK;
