/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* pump.h - moves one body from one socket to another, one buffer at a time.
 *
 * Takes the framing off (RFC 9112 section 7), puts the other side's on, and reads on only when
 * everything read before has been written: so a slow sink slows its source, and memory is one
 * buffer. Bytes of the next message are left in the buffer, from buf->start. */
#include "base/bufpool.h"
#include "coding/coding.h"
#include "http/h1_chunked.h"
#include "http/message.h"
#include "proxy/pipes.h"
#include "proxy/sock.h"

/* PUMP_SPLICE_MIN: a shorter rest of a body is copied, which is cheaper then (docs/performance.md).
 */
enum { PUMP_PIECES = 5, PUMP_SPLICE_MIN = 256 * 1024 };

/* Sees each piece of the payload before it is written. */
typedef void pump_tap_fn(void *arg, const char *p, size_t n);

/* What is written in place of a piece of the payload: valid until it is called again. False: it
 * cannot be made. Called with n = 0 to let out what was held back. */
typedef bool pump_coder_fn(void *arg, const char *p, size_t n, enum encoder_step step,
                           struct str *ret);

struct pump {
    enum framing framing; /* of the source */
    uint64_t remaining;   /* FRAMING_LENGTH: payload bytes not yet taken */
    uint64_t limit;       /* payload bytes allowed in all */
    struct chunked chunked;
    bool chunk_out;                /* write as chunks */
    bool taken;                    /* the whole body has been read and decoded */
    struct buf *buf;               /* borrowed: read into; may be NULL when nothing is to be read */
    struct iovec out[PUMP_PIECES]; /* to be written before anything else is read */
    int nout;
    char chunk_head[20];
    uint64_t payload_bytes, wire_bytes;
    pump_tap_fn *tap; /* NULL = nobody looks */
    void *tap_arg;
    pump_coder_fn *coder; /* NULL = as it is */
    void *coder_arg;
    bool coder_holds;    /* something that was read has not been let out */
    struct pipes *pipes; /* borrowed: long bodies may go through them; NULL = none may */
    struct pipe *pipe;   /* owned while the kernel moves the rest of the body */
};

enum pump_state {
    PUMP_DONE,
    PUMP_WAIT_SOURCE,
    PUMP_WAIT_SINK,
    PUMP_YIELD,      /* still busy after its share of a turn: run again soon */
    PUMP_SOURCE_EOF, /* ended before its framing said so */
    PUMP_SOURCE_ERROR,
    PUMP_SOURCE_BAD, /* malformed chunk */
    PUMP_TOO_LARGE,  /* more than limit */
    PUMP_SINK_ERROR
};

void pump_init(struct pump *p, enum framing framing, uint64_t content_length, bool chunk_out,
               struct buf *buf);
/* Bytes to go out before the body: a message head, a body that is already in memory. Borrowed. */
void pump_push(struct pump *p, const void *data, size_t n);
/* Something that was read has not been written yet. */
static inline bool pump_holds(const struct pump *p)
{
    return p->nout > 0 || (p->pipe && p->pipe->held > 0);
}
/* Gives the pipe back that a body which did not come to its end has left. */
void pump_release(struct pump *p);
/* Moves what can be moved. */
enum pump_state pump_run(struct pump *p, struct sock *source, struct sock *sink);
