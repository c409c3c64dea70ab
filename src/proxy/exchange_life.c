/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access.h"
#include "proxy/exchange.h"
#include "proxy/fallback.h"
#include "proxy/hedge.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

/* inet_ntop() goes through printf for this, which shows in a profile of small requests. */
static void format_v4(const unsigned char *address, char *out)
{
    for (int i = 0; i < 4; i++) {
        unsigned n = address[i];

        if (i > 0)
            *out++ = '.';
        if (n >= 100)
            *out++ = (char)('0' + n / 100);
        if (n >= 10)
            *out++ = (char)('0' + n / 10 % 10);
        *out++ = (char)('0' + n % 10);
    }
    *out = '\0';
}

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
    x->held = worker_hold(w);
    x->begin_ns = w->now_ns;
    list_init(&x->queue_node);
    if (IN6_IS_ADDR_V4MAPPED(&c->peer))
        format_v4(c->peer.s6_addr + 12, x->peer);
    else
        inet_ntop(AF_INET6, &c->peer, x->peer, sizeof x->peer);
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
