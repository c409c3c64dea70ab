/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/h2_upstream.h"
#include "proxy/exchange.h"
#include "proxy/h2_request.h"
#include "proxy/upstream_open.h"

/* The one that is used most and still has room, so that the others may become idle; a new one when
 * none has; the emptiest one when there may be no more. */
static struct h2_link *choose(struct pool *p, struct worker *w, const struct upstream_target *to,
                              enum reason *ret_why)
{
    struct h2_link *emptiest = NULL;
    unsigned n = 0;

    list_each(node, &p->links)
    {
        struct h2_link *l = CONTAINER_OF(node, struct h2_link, node);

        if (l->closing)
            continue;
        if (l->nrequests < h2_link_capacity(l))
            return l;
        if (!emptiest || l->nrequests < emptiest->nrequests)
            emptiest = l;
        n++;
    }
    return n < H2_MAX_LINKS ? h2_link_new(p, w, to, ret_why) : emptiest;
}

struct upstream *h2_upstream_get(struct pool *p, struct worker *w, const struct upstream_target *to,
                                 struct exchange *x, enum reason *ret_why)
{
    const struct service_conf *conf = to->service->conf;
    struct h2_link *l = choose(p, w, to, ret_why);
    struct upstream *u;

    if (!l)
        return NULL;
    *ret_why = REASON_INTERNAL;
    l->idle_ns = conf->keepalive ? conf->keepalive_timeout_ms * NS_PER_MS : 0;
    u = upstream_new_stream(p, w, x);
    if (!u || h2_request_start(l, u) < 0) {
        h2_link_wake(l);
        upstream_close(&u);
        return NULL;
    }
    u->reused = l->used;
    l->used = true;
    if (u->reused)
        stat_add(&w->counters.upstream_reuses, 1);
    if (h2_link_ready(l) && h2_request_admit(&u->sock, true))
        u->stage = UPSTREAM_READY;
    return u;
}

/* The first of those that waited has the connection that was made; the others make their own. */
static struct upstream *take_connection(struct h2_link *l, struct exchange *x, enum reason *ret_why)
{
    struct upstream *u = l->conn;
    struct proxy_addresses on_behalf;
    struct upstream_target to;

    if (!u) {
        to = upstream_target_of(x, &on_behalf);
        return upstream_connect(l->pool, l->w, &to, x, ret_why);
    }
    l->conn = NULL;
    u->link = NULL;
    u->x = x;
    return u;
}

/* More wait on the link than its peer turned out to allow: over another one, if there may be one.
 */
static enum io move(struct upstream **up, enum reason *ret_why)
{
    struct upstream *u = *up, *other;
    struct proxy_addresses on_behalf;
    struct upstream_target to = upstream_target_of(u->x, &on_behalf);

    other = h2_upstream_get(u->pool, u->w, &to, u->x, ret_why);
    if (!other)
        return IO_ERROR;
    upstream_close(up);
    *up = other;
    return other->stage == UPSTREAM_READY ? IO_OK : IO_AGAIN;
}

enum io h2_upstream_open(struct upstream **up, enum reason *ret_why)
{
    struct upstream *u = *up;
    struct h2_link *l = h2_request_link(&u->sock);

    *ret_why = l ? l->fail : REASON_UPSTREAM_RESET;
    if (*ret_why != REASON_NONE)
        return IO_ERROR;
    if (l->http1) {
        struct upstream *plain = take_connection(l, u->x, ret_why);

        if (!plain)
            return IO_ERROR;
        upstream_close(up);
        *up = plain;
        return upstream_open(up, ret_why);
    }
    if (!h2_link_ready(l))
        return IO_AGAIN;
    if (!h2_request_admit(&u->sock, false))
        return move(up, ret_why);
    u->stage = UPSTREAM_READY;
    return IO_OK;
}

void h2_upstream_retire(struct pool *p, uint64_t signature)
{
    list_each_safe(node, next, &p->links)
    {
        struct h2_link *l = CONTAINER_OF(node, struct h2_link, node);

        if (l->signature != signature)
            h2_link_close(l);
    }
}

void h2_upstream_free(struct pool *p)
{
    while (!list_empty(&p->links))
        h2_link_free(CONTAINER_OF(p->links.next, struct h2_link, node));
}
