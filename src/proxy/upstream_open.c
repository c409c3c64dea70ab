/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream_open.h"
#include "base/log.h"
#include "proxy/exchange.h"
#include "proxy/h2_upstream.h"
#include "proxy/sock_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

enum reason upstream_reason(int e)
{
    switch (e) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL:
        return REASON_INTERNAL;
    case ETIMEDOUT:
        return REASON_CONNECT_TIMEOUT;
    default:
        return REASON_CONNECT_FAILED;
    }
}

static enum tls_alpn alpn_of(const struct upstream *u, enum transport_http http)
{
    if (u->pool->http1)
        return TLS_ALPN_HTTP1;
    switch (http) {
    case TRANSPORT_H2:
        return TLS_ALPN_H2;
    case TRANSPORT_EITHER:
        return TLS_ALPN_EITHER;
    case TRANSPORT_HTTP1:
        break;
    }
    return TLS_ALPN_HTTP1;
}

static enum reason prepare_tls(struct upstream *u, const struct upstream_target *to)
{
    const struct service_view *v = to->service;
    char name[256];
    struct tls_peer_wanted wanted = {.verify = to->transport.verify,
                                     .alpn = alpn_of(u, to->transport.http)};

    if (!v || !v->tls) {
        instance_state_error(to->instance, "its TLS files cannot be used");
        return REASON_UPSTREAM_TLS;
    }
    wanted.name =
        tls_client_name(&v->conf->tls, v->state->name, to->where->address, name, sizeof name);
    u->over_tls = true;
    u->ssl = tls_client_session(v->tls, &wanted, &u->pool->tls);
    return u->ssl ? REASON_NONE : REASON_INTERNAL;
}

enum reason upstream_prepare(struct upstream *u, const struct upstream_target *to)
{
    if (to->on_behalf) {
        u->one_client = true;
        u->preamble.n = (uint8_t)(to->service->conf->send_proxy_protocol == SEND_PROXY_V1
                                      ? proxy_protocol_write_v1(to->on_behalf, u->preamble.text)
                                      : proxy_protocol_write_v2(to->on_behalf, u->preamble.text));
    }
    return to->transport.tls ? prepare_tls(u, to) : REASON_NONE;
}

static enum io failed(enum reason why, enum reason *ret_why)
{
    *ret_why = why;
    return IO_ERROR;
}

static enum io finish_connect(struct upstream *u, enum reason *ret_why)
{
    int e = 0;
    socklen_t n = sizeof e;

    if (!u->sock.writable && !u->sock.readable)
        return IO_AGAIN;
    if (getsockopt(u->sock.fd, SOL_SOCKET, SO_ERROR, &e, &n) < 0)
        e = errno;
    return e ? failed(upstream_reason(e), ret_why) : IO_OK;
}

static enum io send_preamble(struct upstream *u, enum reason *ret_why)
{
    while (u->preamble.sent < u->preamble.n) {
        struct iovec iov = {u->preamble.text + u->preamble.sent,
                            (size_t)(u->preamble.n - u->preamble.sent)};
        size_t n = 0;
        enum io io = sock_write(&u->sock, &iov, 1, &n);

        if (io == IO_AGAIN)
            return IO_AGAIN;
        if (io != IO_OK)
            return failed(REASON_CONNECT_FAILED, ret_why);
        u->preamble.sent = (uint8_t)(u->preamble.sent + n);
    }
    return IO_OK;
}

enum reason upstream_tls_failed(struct upstream *u, const char *text)
{
    struct instance_state *i = u->pool->instance;

    if (instance_state_error(i, text))
        log_warn("tls", "service %s: instance %.300s: %s", i->service->name,
                 i->key + strlen(i->service->name) + 1, text);
    return REASON_UPSTREAM_TLS;
}

static enum io tls_failed(struct upstream *u, const char *other, enum reason *ret_why)
{
    char text[LAST_ERROR_MAX];

    tls_client_problem(sock_tls_ssl(&u->sock), other, text, sizeof text);
    return failed(upstream_tls_failed(u, text), ret_why);
}

static enum io shake_hands(struct upstream *u, enum reason *ret_why)
{
    if (u->ssl) {
        SSL *ssl = u->ssl;

        u->ssl = NULL;
        if (sock_tls_start(&u->sock, ssl, false) < 0)
            return failed(REASON_INTERNAL, ret_why);
    }
    switch (sock_tls_handshake(&u->sock)) {
    case IO_OK:
        return IO_OK;
    case IO_AGAIN:
        return IO_AGAIN;
    case IO_EOF:
        return tls_failed(u, "the instance closed the connection during the handshake", ret_why);
    case IO_ERROR:
        break;
    }
    return tls_failed(u, sock_tls_error(&u->sock), ret_why);
}

enum io upstream_open(struct upstream **up, enum reason *ret_why)
{
    struct upstream *u = *up;

    if (u->is_stream && u->stage != UPSTREAM_READY)
        return h2_upstream_open(up, ret_why);
    while (u->stage != UPSTREAM_READY) {
        enum io io = IO_OK;

        if (u->stage == UPSTREAM_CONNECT)
            io = finish_connect(u, ret_why);
        else if (u->stage == UPSTREAM_PREAMBLE)
            io = send_preamble(u, ret_why);
        else if (u->over_tls)
            io = shake_hands(u, ret_why);
        if (io != IO_OK)
            return io;
        u->stage++;
    }
    return IO_OK;
}

static void take_address(const struct sockaddr_storage *from, struct in6_addr *ret,
                         uint16_t *ret_port)
{
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)from;
        *ret = a->sin6_addr;
        *ret_port = ntohs(a->sin6_port);
    } else if (from->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)from;
        ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
        memcpy(ret->s6_addr + 12, &a->sin_addr, 4);
        *ret_port = ntohs(a->sin_port);
    }
}

/* The client as it is known here, and the address that it came to. What is behind a trusted proxy
 * has no port that anybody knows. */
static void find_addresses(const struct exchange *x, struct proxy_addresses *ret)
{
    struct sockaddr_storage here = {0};
    socklen_t n = sizeof here;
    int fd = x->conn->sock.fd;

    *ret = (struct proxy_addresses){.known = true, .source = x->client};
    if (memcmp(&x->client, &x->conn->peer, sizeof x->client) == 0)
        ret->source_port = x->conn->peer_port;
    if (fd >= 0 && getsockname(fd, (struct sockaddr *)&here, &n) == 0)
        take_address(&here, &ret->destination, &ret->destination_port);
}

struct upstream_target upstream_target_of(const struct exchange *x,
                                          struct proxy_addresses *on_behalf)
{
    const struct service_view *v = x->service;
    struct upstream_target to = {.instance = x->attempt->instance,
                                 .where = &v->set->items[x->attempt->index],
                                 .transport = v->transports[x->attempt->index],
                                 .service = v};

    if (v->conf->send_proxy_protocol != SEND_PROXY_OFF) {
        find_addresses(x, on_behalf);
        to.on_behalf = on_behalf;
    }
    return to;
}
