/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/h2_wire.h"

#include <string.h>

enum {
    READS = 8,           /* buffers read before others get their turn */
    OUT_ROOM = 32 * 1024 /* room that a frame of nghttp2 needs at most */
};

/* False when nghttp2 cannot go on. */
static bool collect(struct worker *w, nghttp2_session *ng, struct buf **out)
{
    const uint8_t *p;
    ssize_t n;

    if (!*out)
        *out = bufpool_get(&w->bufs);
    if (!*out)
        return false;
    while (buf_space(*out) >= OUT_ROOM) {
        n = nghttp2_session_mem_send(ng, &p);
        if (n <= 0)
            return n == 0;
        if ((size_t)n > buf_space(*out))
            return false;
        memcpy((*out)->data + (*out)->end, p, (size_t)n);
        (*out)->end += (size_t)n;
    }
    return true;
}

enum io h2_wire_write(struct worker *w, nghttp2_session *ng, struct sock *s, struct buf **out,
                      size_t *ret_written)
{
    *ret_written = 0;
    for (;;) {
        struct iovec iov;
        size_t n = 0;
        enum io io;

        if (!collect(w, ng, out))
            return IO_ERROR;
        if (buf_len(*out) == 0)
            break;
        iov = (struct iovec){(*out)->data + (*out)->start, buf_len(*out)};
        io = sock_write(s, &iov, 1, &n);
        if (io != IO_OK)
            return io == IO_AGAIN ? IO_AGAIN : IO_ERROR;
        *ret_written += n;
        (*out)->start += n;
        if (buf_len(*out) == 0)
            (*out)->start = (*out)->end = 0;
    }
    bufpool_put(&w->bufs, out);
    return IO_OK;
}

bool h2_wire_read(struct worker *w, nghttp2_session *ng, struct sock *s, bool *ret_heard)
{
    struct buf *b = bufpool_get(&w->bufs);
    bool up = b != NULL;

    *ret_heard = false;
    for (int i = 0; up && i < READS; i++) {
        size_t n = 0;
        enum io io = sock_read(s, b->data, BUF_BYTES, &n);

        if (io == IO_AGAIN)
            break;
        *ret_heard = true;
        up = io == IO_OK && nghttp2_session_mem_recv(ng, (const uint8_t *)b->data, n) == (ssize_t)n;
        if (up && i == READS - 1)
            event_active(&s->ev, EV_READ, 0);
    }
    if (b)
        bufpool_put(&w->bufs, &b);
    return up;
}
