/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int sock_open(struct sock *s, struct event_base *base, int fd, event_callback_fn fn, void *arg)
{
    s->fd = fd;
    s->readable = s->writable = s->hung_up = s->unsure = s->held = s->drained = false;
    s->ops = NULL;
    s->impl = NULL;
    if (event_assign(&s->ev, base, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, fn,
                     arg) == 0 &&
        event_add(&s->ev, NULL) == 0)
        return 0;
    close(fd);
    s->fd = -1;
    return -1;
}

void sock_close_fd(struct sock *s)
{
    if (s->fd < 0)
        return;
    event_del(&s->ev);
    close(s->fd);
    s->fd = -1;
}

void sock_abort_fd(struct sock *s)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (s->fd < 0)
        return;
    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    sock_close_fd(s);
}

/* The ops are taken off first: closing twice does nothing. */
static const struct sock_ops *take_ops(struct sock *s)
{
    const struct sock_ops *ops = s->ops;

    s->ops = NULL;
    return ops;
}

void sock_close(struct sock *s)
{
    const struct sock_ops *ops = take_ops(s);

    if (ops)
        ops->close(s);
    else
        sock_close_fd(s);
}

void sock_abort(struct sock *s)
{
    const struct sock_ops *ops = take_ops(s);

    if (ops)
        ops->abort(s);
    else
        sock_abort_fd(s);
}

void sock_finish(struct sock *s)
{
    if (s->ops)
        s->ops->finish(s);
    else if (s->fd >= 0)
        shutdown(s->fd, SHUT_WR);
}

struct str sock_trailers(struct sock *s)
{
    return s->ops && s->ops->trailers ? s->ops->trailers(s) : STR_NULL;
}

void sock_send_trailers(struct sock *s, struct str text)
{
    if (text.n > 0 && s->ops && s->ops->send_trailers)
        s->ops->send_trailers(s, text);
}

void sock_note(struct sock *s, short events)
{
    if (events & (EV_READ | EV_CLOSED)) {
        s->readable = true;
        s->drained = false;
    }
    if (events & EV_WRITE)
        s->writable = true;
    if (events & EV_CLOSED)
        s->hung_up = true;
}

enum io sock_read(struct sock *s, void *p, size_t cap, size_t *ret_n)
{
    ssize_t n;

    if (s->ops)
        return s->ops->read(s, p, cap, ret_n);
    if (!s->readable)
        return IO_AGAIN;
    do
        n = recv(s->fd, p, cap, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        /* A short read has emptied the socket: the next byte brings a new edge, so asking again
         * would only cost a system call. Not so when the peer has closed: its end is still to be
         * read and brings no edge. */
        if ((size_t)n < cap && !s->hung_up) {
            s->readable = false;
            s->unsure = true;
        }
        *ret_n = (size_t)n;
        return IO_OK;
    }
    if (n == 0)
        return IO_EOF;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return IO_ERROR;
    s->readable = false;
    return IO_AGAIN;
}

enum io sock_read_on(struct sock *s, void *p, size_t cap, size_t *ret_n)
{
    if (s->unsure) {
        s->unsure = s->drained = false;
        s->readable = true;
    }
    return sock_read(s, p, cap, ret_n);
}

enum io sock_write(struct sock *s, const struct iovec *iov, int n, size_t *ret_n)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    if (s->ops)
        return s->ops->write(s, iov, n, ret_n);
    if (!s->writable)
        return IO_AGAIN;
    do
        sent = n == 1 ? send(s->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                      : sendmsg(s->fd, &msg, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        *ret_n = (size_t)sent;
        return IO_OK;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return IO_ERROR;
    s->writable = false;
    return IO_AGAIN;
}

enum io sock_splice_in(struct sock *s, int pipe, size_t n, size_t *ret_n)
{
    ssize_t moved;

    if (s->unsure) {
        s->unsure = s->drained = false;
        s->readable = true;
    }
    if (!s->readable)
        return IO_AGAIN;
    do
        moved = splice(s->fd, NULL, pipe, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (moved < 0 && errno == EINTR);
    if (moved > 0) {
        *ret_n = (size_t)moved;
        return IO_OK;
    }
    if (moved == 0)
        return IO_EOF;
    if (errno != EAGAIN)
        return IO_ERROR;
    s->readable = false;
    return IO_AGAIN;
}

enum io sock_splice_out(struct sock *s, int pipe, size_t n, size_t *ret_n)
{
    ssize_t moved;

    if (!s->writable)
        return IO_AGAIN;
    do
        moved = splice(pipe, NULL, s->fd, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (moved < 0 && errno == EINTR);
    if (moved > 0) {
        *ret_n = (size_t)moved;
        return IO_OK;
    }
    if (moved == 0 || errno != EAGAIN)
        return IO_ERROR;
    s->writable = false;
    return IO_AGAIN;
}

enum io sock_peek(struct sock *s)
{
    char byte;
    ssize_t n;

    if (s->ops)
        return s->ops->peek(s);
    n = recv(s->fd, &byte, 1, MSG_PEEK);
    if (n > 0)
        return IO_OK;
    if (n == 0)
        return IO_EOF;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? IO_AGAIN : IO_ERROR;
}
