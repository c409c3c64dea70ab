/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/whole_body.h"
#include "proxy/request_body.h"

static enum io collect(struct sock *s, const struct iovec *iov, int n, size_t *ret_n)
{
    struct whole_body *b = s->impl;

    *ret_n = 0;
    for (int i = 0; i < n; i++) {
        if (!bytes_add(&b->text, iov[i].iov_base, iov[i].iov_len))
            return IO_ERROR;
        *ret_n += iov[i].iov_len;
    }
    return IO_OK;
}

static const struct sock_ops sink_ops = {.write = collect};

static void begin(struct exchange *x, struct whole_body *b, size_t max)
{
    b->begun = true;
    b->max = max;
    b->sink.fd = -1;
    b->sink.writable = true;
    b->sink.ops = &sink_ops;
    b->sink.impl = b;
    if (!x->body_buffered)
        request_body_collect_begin(x, max);
}

enum verdict whole_body_read(struct exchange *x, struct whole_body *b, size_t max)
{
    enum reason why;

    if (!b->begun)
        begin(x, b, max);
    if (x->body_buffered)
        return x->body.n > max ? exchange_refuse(x, REASON_BODY_TOO_LARGE) : V_NEXT;
    why = request_body_collect(x, &b->sink);
    if (why != REASON_NONE)
        return exchange_refuse(x, why);
    if (!x->attempt->upload_done)
        return V_WAIT;
    x->step_deadline_ns = 0;
    return V_NEXT;
}

struct str whole_body_text(const struct exchange *x, const struct whole_body *b)
{
    return x->body_buffered ? x->body : bytes_str(&b->text);
}

void whole_body_free(struct whole_body *b)
{
    bytes_free(&b->text);
}
