/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/forwarded.h"
#include "config/cidr.h"
#include "http/forwarded.h"
#include "proxy/head.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool is_trusted(const void *config, const struct in6_addr *address)
{
    const struct config *c = config;

    return cidr_list_has(&c->trusted_proxies, address);
}

bool forwarded_peer_is_trusted(const struct exchange *x)
{
    return is_trusted(exchange_config(x), &x->conn->peer);
}

void forwarded_find(struct exchange *x)
{
    const struct config *c = exchange_config(x);

    if (c->trusted_proxies.n > 0 && forwarded_peer_is_trusted(x))
        forwarded_find_client(&x->req, is_trusted, c, &x->client);
}

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

void forwarded_format(const struct in6_addr *address, char ret[INET6_ADDRSTRLEN])
{
    if (IN6_IS_ADDR_V4MAPPED(address))
        format_v4(address->s6_addr + 12, ret);
    else
        inet_ntop(AF_INET6, address, ret, INET6_ADDRSTRLEN);
}

bool forwarded_is_provenance(uint8_t id)
{
    switch ((enum header_id)id) {
    case HEADER_FORWARDED:
    case HEADER_X_FORWARDED_FOR:
    case HEADER_X_FORWARDED_PROTO:
    case HEADER_X_FORWARDED_HOST:
    case HEADER_X_FORWARDED_PORT:
    case HEADER_X_FORWARDED_PREFIX:
    case HEADER_X_REAL_IP:
        return true;
    default:
        return false;
    }
}

/* All fields of one kind as one comma-separated list, the gateway's own element at the end. */
static void write_list(struct exchange *x, struct writer *w, enum header_id id, const char *name,
                       bool keep, struct str version, struct str own)
{
    writer_str(w, str_of(name));
    writer_lit(w, ": ");
    for (unsigned i = 0; keep && i < x->req.nheaders; i++) {
        const struct header *h = &x->req.headers[i];

        if (h->id != id || (h->hop && !forwarded_is_provenance(h->id)))
            continue;
        writer_str(w, h->value);
        writer_lit(w, ", ");
    }
    writer_str(w, version);
    writer_str(w, own);
    writer_lit(w, "\r\n");
}

bool forwarded_is_secure(const struct exchange *x)
{
    const struct header *proto;

    if (x->conn->secure || exchange_config(x)->trusted_proxies.n == 0)
        return x->conn->secure;
    proto = request_header(&x->req, HEADER_X_FORWARDED_PROTO);
    return proto && str_ieq(proto->value, STR("https")) && forwarded_peer_is_trusted(x);
}

static const char *scheme_of(const struct exchange *x)
{
    return x->conn->secure ? "https" : "http";
}

/* RFC 7239: IPv6 addresses are quoted and bracketed, and so is a host with a port. */
static void write_forwarded(struct exchange *x, struct writer *w, bool trusted)
{
    char own[512];
    bool v6 = strchr(x->peer, ':') != NULL;
    int n = snprintf(own, sizeof own, "for=%s%s%s;proto=%s;host=\"%.*s\"", v6 ? "\"[" : "", x->peer,
                     v6 ? "]\"" : "", scheme_of(x), STR_FMT(x->req.host));

    if (n > 0 && (size_t)n < sizeof own)
        write_list(x, w, HEADER_FORWARDED, "Forwarded", trusted, STR(""),
                   (struct str){own, (size_t)n});
}

void forwarded_write(struct exchange *x, struct writer *w, bool trusted)
{
    const struct config *c = exchange_config(x);
    const struct route_conf *route = x->match.route->conf;

    write_list(x, w, HEADER_X_FORWARDED_FOR, "X-Forwarded-For", trusted, STR(""), str_of(x->peer));
    if (!trusted || !request_header(&x->req, HEADER_X_FORWARDED_PROTO))
        writer_field(w, STR("X-Forwarded-Proto"), str_of(scheme_of(x)));
    if (x->req.host.n > 0 && (!trusted || !request_header(&x->req, HEADER_X_FORWARDED_HOST)))
        writer_field(w, STR("X-Forwarded-Host"), x->req.host);
    if (route->strip && (!trusted || !request_header(&x->req, HEADER_X_FORWARDED_PREFIX)))
        writer_field(w, STR("X-Forwarded-Prefix"), str_of(route->strip));
    writer_field(w, STR("X-Request-Id"), str_of(x->request_id));
    if (c->forwarded_header)
        write_forwarded(x, w, trusted);
    if (c->via[0])
        write_list(x, w, HEADER_VIA, "Via", true, x->req.minor ? STR("1.1 ") : STR("1.0 "),
                   str_of(c->via));
}
