/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* sock.h - a non-blocking stream of bytes to one peer, in a worker's loop: a TCP socket, TLS over
 * one (sock_tls.h), a stream of an HTTP/2 connection (h2_stream.h). Who reads and writes does not
 * know which.
 *
 * A socket is registered once, for reading and writing, edge-triggered and persistent: in the life
 * of a connection there is one epoll_ctl to add it. Reads and writes are tried at once; `readable`
 * and `writable` remember what the last edge said, and only a would-block clears them. */
#include "base/macros.h"
#include "base/str.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/uio.h>

enum io { IO_OK, IO_AGAIN, IO_EOF, IO_ERROR };

struct sock;

/* What is not plain TCP. Each function does for its kind what the sock_ function of that name says.
 */
struct sock_ops {
    enum io (*read)(struct sock *s, void *p, size_t cap, size_t *ret_n);
    enum io (*write)(struct sock *s, const struct iovec *iov, int n, size_t *ret_n);
    enum io (*peek)(struct sock *s);
    void (*finish)(struct sock *s);
    void (*close)(struct sock *s); /* frees impl */
    void (*abort)(struct sock *s); /* frees impl */
    /* NULL where there are none: */
    struct str (*trailers)(struct sock *s);
    void (*send_trailers)(struct sock *s, struct str text);
};

struct sock {
    int fd; /* -1 = closed, or a stream without a descriptor of its own */
    bool readable, writable;
    bool drained; /* under TLS: there are no bytes in the socket, whatever `readable` says */
    bool unsure;  /* a short read is all that says that it is empty */
    bool held;    /* the last write was taken but not sent: it must be repeated as it was */
    bool hung_up; /* the peer has sent its last byte; there may be more to read before it */
    const struct sock_ops *ops; /* NULL = plain TCP */
    void *impl;                 /* of ops */
    struct event ev;
};

/* Takes over fd and closes it on failure. */
int sock_open(struct sock *s, struct event_base *base, int fd, event_callback_fn fn,
              void *arg) MUST_CHECK;
void sock_close(struct sock *s);
/* Closes with RST, so that the peer sees a broken transfer for what it is. */
void sock_abort(struct sock *s);
/* No more bytes follow; what the peer sends can still be read. */
void sock_finish(struct sock *s);
/* Closes the descriptor itself, whatever runs over it: for the ops. */
void sock_close_fd(struct sock *s);
void sock_abort_fd(struct sock *s);
/* First thing in the event callback: folds the edge into the flags. */
void sock_note(struct sock *s, short events);

enum io sock_read(struct sock *s, void *p, size_t cap, size_t *ret_n) MUST_CHECK;
/* The same, for who is in the middle of a message and has nothing else that would tell him that the
 * connection is broken: a reset that came in one edge with the last bytes shows by another look
 * alone (libevent tells of it as of bytes to read). */
enum io sock_read_on(struct sock *s, void *p, size_t cap, size_t *ret_n) MUST_CHECK;
enum io sock_write(struct sock *s, const struct iovec *iov, int n, size_t *ret_n) MUST_CHECK;

/* Plain TCP on this side? Then the kernel can move bytes by itself. */
static inline bool sock_is_plain(const struct sock *s)
{
    return !s->ops && s->fd >= 0;
}
/* Moves up to n bytes from the socket into the pipe, or out of the pipe into the socket
 * (splice(2)). Plain TCP only. IO_AGAIN is the socket's: the pipe must have room, or something in
 * it. */
enum io sock_splice_in(struct sock *s, int pipe, size_t n, size_t *ret_n) MUST_CHECK;
enum io sock_splice_out(struct sock *s, int pipe, size_t n, size_t *ret_n) MUST_CHECK;

/* The fields that came behind the payload, as lines "name: value\r\n", once IO_EOF was read. Empty
 * where there are none. */
struct str sock_trailers(struct sock *s);
/* Fields to go out behind the payload, before sock_finish(). Ignored where there is no place for
 * them. */
void sock_send_trailers(struct sock *s, struct str text);

/* Has the connection broken, or been shut by the peer? Takes no byte. */
enum io sock_peek(struct sock *s);
