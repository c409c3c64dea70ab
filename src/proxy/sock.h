/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* sock.h - a non-blocking TCP socket in a worker's loop.
 *
 * Registered once, for reading and writing, edge-triggered and persistent: in the life of a
 * connection there is one epoll_ctl to add it. Reads and writes are tried at once; `readable` and
 * `writable` remember what the last edge said, and only a would-block clears them. */
#include "base/macros.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/uio.h>

struct sock {
    int fd; /* -1 = closed */
    bool readable, writable;
    bool hung_up; /* the peer has sent its last byte; there may be more to read before it */
    struct event ev;
};

enum io { IO_OK, IO_AGAIN, IO_EOF, IO_ERROR };

/* Takes over fd and closes it on failure. */
int sock_open(struct sock *s, struct event_base *base, int fd, event_callback_fn fn,
              void *arg) MUST_CHECK;
void sock_close(struct sock *s);
/* Closes with RST, so that the peer sees a broken transfer for what it is. */
void sock_abort(struct sock *s);
/* First thing in the event callback: folds the edge into the flags. */
void sock_note(struct sock *s, short events);

enum io sock_read(struct sock *s, void *p, size_t cap, size_t *ret_n) MUST_CHECK;
enum io sock_write(struct sock *s, const struct iovec *iov, int n, size_t *ret_n) MUST_CHECK;

/* Has the connection broken, or been shut by the peer? Takes no byte. */
enum io sock_peek(struct sock *s);
