/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/conn_open.h"
#include "proxy/proxy_header.h"
#include "proxy/sock_tls.h"
#include "tls/peer.h"
#include "tls/server.h"

static enum conn_stage after_proxy_header(const struct listener_settings *l)
{
    return l->tls ? CONN_HANDSHAKE : CONN_HTTP;
}

enum conn_stage conn_open_first(const struct listener_settings *l)
{
    return l->conf->proxy_protocol ? CONN_PROXY_HEADER : after_proxy_header(l);
}

static enum io read_proxy_header(struct conn *c)
{
    enum io io = proxy_header_run(c);

    if (io == IO_OK)
        c->stage = after_proxy_header(c->listener);
    return io;
}

static enum io shake_hands(struct conn *c)
{
    enum io io;

    if (!sock_tls_ssl(&c->sock)) {
        SSL *ssl = tls_server_session(c->listener->tls);

        if (!ssl || sock_tls_start(&c->sock, ssl, true) < 0)
            return IO_ERROR;
        conn_set_deadline(c,
                          c->w->now_ns + c->listener->conf->tls.handshake_timeout_ms * NS_PER_MS);
    }
    io = sock_tls_handshake(&c->sock);
    if (io != IO_OK)
        return io;
    c->secure = true;
    c->ssl = sock_tls_ssl(&c->sock);
    c->tls_peer = tls_peer_new(c->ssl);
    c->stage = CONN_HTTP;
    conn_set_deadline(c, c->w->now_ns +
                             c->w->held->snapshot->config->limits.header_timeout_ms * NS_PER_MS);
    return IO_OK;
}

/* IO_OK: the stage is over and c->stage is the next one. */
static enum io run_stage(struct conn *c)
{
    switch (c->stage) {
    case CONN_PROXY_HEADER:
        return read_proxy_header(c);
    case CONN_HANDSHAKE:
        return shake_hands(c);
    case CONN_HTTP:
        break;
    }
    c->stage = CONN_HTTP;
    return IO_OK;
}

bool conn_open(struct conn *c)
{
    while (c->stage != CONN_HTTP) {
        enum io io = run_stage(c);

        if (io == IO_AGAIN)
            return false;
        if (io != IO_OK) {
            conn_close(c);
            return false;
        }
    }
    return true;
}
