/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/interim.h"
#include "proxy/head.h"

enum reason interim_send(struct exchange *x)
{
    struct iovec iov;
    size_t n = 0;

    if (!x->out)
        x->out = bufpool_get(&x->w->bufs);
    if (!x->out)
        return REASON_INTERNAL;
    if (head_write_interim(x) < 0)
        return REASON_UPSTREAM_INVALID;
    iov = (struct iovec){x->out->data + x->out->start, buf_len(x->out)};
    switch (sock_write(&x->conn->sock, &iov, 1, &n)) {
    case IO_OK:
        x->out->start += n;
        if (buf_len(x->out) == 0)
            x->out->start = x->out->end = 0;
        return REASON_NONE;
    case IO_AGAIN:
        return REASON_NONE;
    case IO_EOF:
    case IO_ERROR:
        break;
    }
    return REASON_CLIENT_GONE;
}

void interim_drop(struct exchange *x)
{
    /* One whose first bytes are out, or that TLS has made a record of, must be completed. */
    if (x->out && x->out->start == 0 && !x->conn->sock.held)
        x->out->end = 0;
}
