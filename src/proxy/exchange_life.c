/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access.h"
#include "proxy/cached.h"
#include "proxy/composed.h"
#include "proxy/compress.h"
#include "proxy/exchange.h"
#include "proxy/fallback.h"
#include "proxy/forwarded.h"
#include "proxy/hedge.h"
#include "proxy/subrequest.h"

#include <assert.h>
#include <stdlib.h>

struct exchange *exchange_new(struct conn *c)
{
    struct worker *w = c->w;
    struct exchange *x = w->free_exchanges;

    if (x) {
        w->free_exchanges = *(struct exchange **)x;
        w->nfree_exchanges--;
    } else {
        x = malloc(sizeof *x);
        if (!x)
            return NULL;
    }
    /* The two messages are large and filled by their parsers; everything else starts at zero. */
    memset(x, 0, offsetof(struct exchange, req));
    memset((char *)x + offsetof(struct exchange, peer), 0,
           offsetof(struct exchange, first_attempt.resp) - offsetof(struct exchange, peer));
    x->attempt = &x->first_attempt;
    x->req.method = METHOD_OTHER;
    x->req.minor = 1;
    x->req.nheaders = 0;
    x->req.expect_continue = false;
    x->attempt->resp.status = 0;
    x->w = w;
    x->conn = c;
    x->held = c->inner ? subrequest_hold(c->inner) : worker_hold(w);
    x->begin_ns = w->now_ns;
    list_init(&x->queue_node);
    x->client = c->peer;
    forwarded_format(&c->peer, x->peer);
    return x;
}

void exchange_free(struct exchange *x)
{
    struct attempt *a = x->attempt;
    struct worker *w = x->w;

    assert(!x->capture && !x->queued && !a->instance && !x->has_limit && !x->has_ticket);
    upstream_close(&a->up);
    if (x->access)
        access_free(x);
    if (x->cached)
        cached_free(x);
    if (x->compress)
        compress_free(x);
    if (x->composed)
        composed_free(x);
    pump_release(&x->download);
    bufpool_put(&w->bufs, &x->head);
    bufpool_put(&w->bufs, &x->body_buf);
    bufpool_put(&w->bufs, &a->up_head);
    hedge_free(x);
    if (x->fallback)
        fallback_free(x);
    bufpool_put(&w->bufs, &x->out);
    worker_unhold(&x->held);
    if (w->nfree_exchanges >= 256) {
        free(x);
        return;
    }
    *(struct exchange **)x = w->free_exchanges;
    w->free_exchanges = x;
    w->nfree_exchanges++;
}
