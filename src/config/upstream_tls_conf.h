/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* upstream_tls_conf.h - how the instances of a service are spoken to: the HTTP version, TLS, and
 * what is told of the client before HTTP begins. Part of config.h. */
#include <stdbool.h>
#include <stdint.h>

struct service_conf;

/* `protocol:` of a service. */
enum upstream_protocol {
    PROTOCOL_CATALOG, /* what the tags of the instance say, else HTTP/1.1 */
    PROTOCOL_HTTP1,
    PROTOCOL_H2,  /* over TLS, chosen by ALPN */
    PROTOCOL_H2C, /* in the clear, with prior knowledge */
    PROTOCOL_AUTO /* over TLS: HTTP/2 if ALPN says so, else HTTP/1.1 */
};

/* What an instance says of itself in the catalog. */
enum catalog_protocol { CATALOG_SILENT, CATALOG_HTTP, CATALOG_HTTPS, CATALOG_H2C, CATALOG_H2 };

enum send_proxy_protocol { SEND_PROXY_OFF, SEND_PROXY_V1, SEND_PROXY_V2 };

struct upstream_tls_conf {
    bool enabled; /* TLS when the protocol alone does not say */
    bool given;   /* some `tls:` was written, here or in the defaults */
    bool verify;
    bool tls13;              /* no older version */
    const char *ca;          /* NULL = the system's */
    const char *server_name; /* may hold {service}; NULL = the instance's address */
    const char *cert, *key;  /* NULL = no client certificate */
};

/* How one instance is spoken to. */
enum transport_http { TRANSPORT_HTTP1, TRANSPORT_H2, TRANSPORT_EITHER };
struct transport {
    enum transport_http http; /* EITHER is chosen by ALPN */
    bool tls, verify;
    uint64_t signature; /* of all that a connection is made with; 0 = nothing but TCP */
};

/* The configuration's word, and where it has none the catalog's; never TLS less than it asks for.
 * `skip_verify` is the catalog's too, and counts only when no `tls:` was written. */
struct transport transport_of(const struct service_conf *s, enum catalog_protocol said,
                              bool skip_verify);
/* "http/1.1", "h2", "auto": for status and metrics. */
const char *transport_http_name(enum transport_http http);
/* Could an instance of this service be spoken to over TLS as its configuration stands? */
bool transport_may_use_tls(const struct service_conf *s);
