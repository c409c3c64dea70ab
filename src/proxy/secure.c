/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/secure.h"
#include "base/clock.h"
#include "proxy/head.h"
#include "tls/peer.h"
#include "tls/server.h"

#include <stdio.h>

static const struct listener_conf *conf_of(const struct exchange *x)
{
    return x->conn->listener->conf;
}

/* The host of the request without its port; brackets of an IPv6 address stay. */
static struct str bare_host(const struct exchange *x)
{
    struct str host = x->req.host;
    size_t n = host.n;

    while (n > 0 && host.p[n - 1] >= '0' && host.p[n - 1] <= '9')
        n--;
    if (n > 0 && host.p[n - 1] == ':')
        host.n = n - 1;
    return host;
}

bool secure_redirects(const struct exchange *x)
{
    return conf_of(x)->redirect_https && !x->conn->secure;
}

int secure_location(const struct exchange *x, char *out, size_t cap, size_t *ret_n)
{
    unsigned port = conf_of(x)->redirect_https;
    struct str host = bare_host(x);
    char number[16] = "";
    int n;

    if (host.n == 0 || x->req.target.n == 0 || x->req.target.p[0] != '/')
        return -1;
    if (port != 443)
        snprintf(number, sizeof number, ":%u", port);
    n = snprintf(out, cap, "https://%.*s%s%.*s", STR_FMT(host), number, STR_FMT(x->req.target));
    if (n < 0 || (size_t)n >= cap)
        return -1;
    *ret_n = (size_t)n;
    return 0;
}

/* The certificate was good in the handshake; a connection can live on past its end. */
static bool has_good_certificate(const struct exchange *x)
{
    return x->conn->tls_peer && !tls_peer_expired(x->conn->tls_peer, clock_wall_ms() / 1000);
}

enum verdict secure_check(struct exchange *x)
{
    const SSL *ssl = x->conn->ssl;
    struct str host = bare_host(x);

    if (ssl && !tls_server_serves(x->conn->listener->tls, ssl, host.p, host.n)) {
        x->detail = "the host asks more of a client than the name of the TLS handshake";
        return exchange_refuse(x, REASON_MISDIRECTED);
    }
    if (x->match.route->conf->client_certificate && !has_good_certificate(x)) {
        x->detail = "the route wants a client certificate";
        return exchange_refuse(x, REASON_FORBIDDEN);
    }
    return V_NEXT;
}

static bool has_hsts(const struct exchange *x)
{
    return x->conn->secure && conf_of(x)->hsts.enabled;
}

void secure_write_response_fields(const struct exchange *x, struct writer *w)
{
    const struct hsts_conf *h;

    if (!has_hsts(x))
        return;
    h = &conf_of(x)->hsts;
    writer_lit(w, "Strict-Transport-Security: max-age=");
    writer_num(w, h->max_age_ms / 1000);
    if (h->include_subdomains)
        writer_lit(w, "; includeSubDomains");
    if (h->preload)
        writer_lit(w, "; preload");
    writer_lit(w, "\r\n");
}

bool secure_replaces_response_field(const struct exchange *x, struct str name)
{
    return has_hsts(x) && str_ieq(name, STR("strict-transport-security"));
}
