/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/conn_open.h"
#include "base/log.h"
#include "proxy/h2_session.h"
#include "proxy/proxy_header.h"
#include "proxy/sock_tls.h"
#include "tls/alpn.h"
#include "tls/gate.h"
#include "tls/peer.h"
#include "tls/server.h"

#include <openssl/err.h>

/* The first bytes are the rule: a client that connects and says nothing gets as long as one that is
 * in the middle of a request's head. */
static void enter(struct conn *c, enum conn_stage stage)
{
    const struct limits_conf *limits = &c->w->held->snapshot->config->limits;
    bool tls = stage == CONN_HELLO;
    uint64_t ms = tls ? c->listener->conf->tls.handshake_timeout_ms : limits->header_timeout_ms;

    c->stage = stage;
    conn_set_deadline(c, c->w->now_ns + ms * NS_PER_MS);
}

void conn_open_begin(struct conn *c)
{
    const struct listener_settings *l = c->listener;

    enter(c, l->conf->proxy_protocol ? CONN_PROXY_HEADER : l->tls ? CONN_HELLO : CONN_HTTP);
}

static enum io read_proxy_header(struct conn *c)
{
    enum io io = proxy_header_run(c);

    if (io == IO_OK && c->listener->tls)
        enter(c, CONN_HELLO);
    else if (io == IO_OK)
        c->stage = CONN_HTTP;
    return io;
}

static struct tls_gate *gate_of(const struct conn *c)
{
    return tls_server_gate(c->listener->tls);
}

static enum io refuse(struct conn *c, enum tls_result why)
{
    tls_count(&c->w->counters.tls, why);
    return IO_EOF;
}

/* Who says nothing costs nothing: neither a place at the gate nor memory of OpenSSL's. */
static enum io await_hello(struct conn *c)
{
    const struct tls_conf *conf = &c->listener->conf->tls;
    SSL *ssl;

    if (!c->sock.readable)
        return IO_AGAIN;
    if (c->sock.hung_up && sock_peek(&c->sock) != IO_OK)
        return IO_EOF;
    switch (tls_gate_enter(gate_of(c), conf, c->w->now_ns)) {
    case TLS_TOO_FAST:
        return refuse(c, TLS_RESULT_RATE_LIMITED);
    case TLS_TOO_MANY:
        return refuse(c, TLS_RESULT_TOO_MANY);
    case TLS_ENTER:
        break;
    }
    c->stage = CONN_HANDSHAKE;
    ssl = tls_server_session(c->listener->tls);
    return ssl && sock_tls_start(&c->sock, ssl, true) == 0 ? IO_OK : IO_ERROR;
}

static enum io shake_hands(struct conn *c)
{
    enum io io = sock_tls_handshake(&c->sock);

    if (io == IO_AGAIN)
        return io;
    tls_gate_leave(gate_of(c));
    if (io != IO_OK) {
        log_debug("tls", "%s: handshake: %s", c->listener->conf->address, sock_tls_error(&c->sock));
        tls_count(&c->w->counters.tls, tls_result_of(ERR_peek_error()));
        c->stage = CONN_HTTP;
        return io;
    }
    c->secure = true;
    c->ssl = sock_tls_ssl(&c->sock);
    c->tls_peer = tls_peer_new(c->ssl);
    tls_count_good(&c->w->counters.tls, c->ssl);
    enter(c, CONN_HTTP);
    if (tls_chose_h2(c->ssl) && h2_session_start(c, STR_NULL) < 0)
        return IO_ERROR;
    return IO_OK;
}

void conn_open_end(struct conn *c, bool timed_out)
{
    if (c->stage != CONN_HANDSHAKE)
        return;
    tls_gate_leave(gate_of(c));
    tls_count(&c->w->counters.tls, timed_out ? TLS_RESULT_TIMED_OUT : TLS_RESULT_FAILED);
    c->stage = CONN_HTTP;
}

/* IO_OK: the stage is over and c->stage is the next one. */
static enum io run_stage(struct conn *c)
{
    switch (c->stage) {
    case CONN_PROXY_HEADER:
        return read_proxy_header(c);
    case CONN_HELLO:
        return await_hello(c);
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
