/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tls_conf.h - TLS towards clients: `tls`, `redirect_https` and `hsts` of a listener. Part of
 * config.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_client_certificates {
    TLS_CLIENT_NONE,
    TLS_CLIENT_OPTIONAL, /* asked for; one that does not verify ends the handshake */
    TLS_CLIENT_REQUIRED
};

/* What a client has to show for one name. */
struct tls_client_conf {
    enum tls_client_certificates mode;
    const char *ca; /* never NULL unless mode is TLS_CLIENT_NONE */
};

struct tls_certificate_conf {
    const char *cert, *key;
    const char *ocsp;              /* a response to be stapled; NULL = none */
    struct tls_client_conf client; /* its own, or the listener's */
};

enum { TLS_MAX_CERTIFICATES = 4096 };

struct tls_conf {
    bool enabled;   /* the listener has a `tls:` */
    bool tls13;     /* no older version */
    bool offers_h2; /* by ALPN: `http2` of the listener */
    struct tls_certificate_conf *certificates;
    size_t ncertificates;
    const char *ciphers;           /* of TLS 1.2, in OpenSSL's words; NULL = server.c's */
    struct tls_client_conf client; /* of certificates that do not say */
    uint64_t handshake_timeout_ms;
    unsigned max_handshakes_per_second, max_concurrent_handshakes; /* 0 = no limit */
    bool tickets;
    uint64_t ticket_rotation_ms;
};

/* What a route tells its service of the client's certificate (RFC 9440). */
enum forward_certificate {
    FORWARD_CERTIFICATE_NONE,
    FORWARD_CERTIFICATE_LEAF,
    FORWARD_CERTIFICATE_CHAIN /* and what links it to an authority */
};

/* Strict-Transport-Security, on answers over TLS. */
struct hsts_conf {
    uint64_t max_age_ms;
    bool enabled, include_subdomains, preload;
};
