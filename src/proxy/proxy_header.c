/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_header.h"
#include "base/log.h"
#include "config/cidr.h"
#include "http/proxy_protocol.h"
#include "proxy/forwarded.h"

#include <errno.h>
#include <sys/socket.h>

_Static_assert((int)PROXY_VERSION_1 == (int)PROXY_PROTOCOL_V1 &&
                   (int)PROXY_VERSION_2 == (int)PROXY_PROTOCOL_V2,
               "the configuration's set is the parser's");

enum { HEADER_MAX = 16384 };

static enum io refuse(struct conn *c, const char *why)
{
    char peer[INET6_ADDRSTRLEN];

    stat_add(&c->w->counters.bad_proxy_headers, 1);
    forwarded_format(&c->peer, peer);
    log_debug("proxy", "listener %s: connection of %s closed: PROXY protocol: %s",
              c->listener->conf->address, peer, why);
    return IO_ERROR;
}

/* Exactly the header: it is in the socket, so a short read cannot be. */
static enum io take(struct conn *c, char *buf, size_t n)
{
    ssize_t got;

    do
        got = recv(c->sock.fd, buf, n, 0);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)n ? IO_OK : IO_ERROR;
}

static enum io judge(struct conn *c, char *buf, size_t n)
{
    const struct proxy_protocol_conf *conf = c->listener->conf->proxy_protocol;
    struct proxy_addresses a;
    const char *problem;
    size_t bytes;

    switch (proxy_protocol_read(buf, n, conf->versions, conf->max_bytes, &a, &bytes, &problem)) {
    case PROXY_DONE:
        if (a.known) {
            c->peer = a.source;
            c->peer_port = a.source_port;
        }
        return take(c, buf, bytes);
    case PROXY_MORE:
        /* The next bytes bring a new edge, although these are still there. */
        c->sock.readable = false;
        return c->sock.hung_up ? refuse(c, "the header ends early") : IO_AGAIN;
    case PROXY_BAD:
        break;
    }
    return refuse(c, problem);
}

enum io proxy_header_run(struct conn *c)
{
    const struct proxy_protocol_conf *conf = c->listener->conf->proxy_protocol;
    char buf[HEADER_MAX];
    ssize_t n;

    if (!cidr_list_has(&conf->from, &c->peer))
        return refuse(c, "the sender is not in the list");
    do
        n = recv(c->sock.fd, buf, conf->max_bytes > PROXY_V1_MAX ? conf->max_bytes : PROXY_V1_MAX,
                 MSG_PEEK);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->sock.readable = false;
        return IO_AGAIN;
    }
    /* Whoever only looks whether the port is open has done nothing wrong. */
    if (n <= 0)
        return n == 0 ? IO_EOF : IO_ERROR;
    return judge(c, buf, (size_t)n);
}
