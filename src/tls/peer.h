/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* peer.h - what a client's certificate says, once it has been verified.
 *
 * Made once a connection, after the handshake, and then only read: by the requests of that
 * connection, streams of HTTP/2 too. All texts are ASCII without control characters, so they may
 * go into a log, a header field or a claim; a name that cannot be told so is left out. */
#include "base/macros.h"
#include "base/str.h"

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_MAX_NAMES = 64 };

struct tls_peer {
    char *subject, *issuer; /* RFC 4514, as OpenSSL writes it: "CN=web,O=Shop"; owned */
    char **sans;            /* "dns:web.example" "uri:..." "email:..." "ip:..."; dns in lower case,
                               addresses as inet_ntop() writes them; owned */
    size_t nsans;           /* at most PEER_MAX_NAMES: those behind are as if not there */
    char *serial;           /* hex; owned */
    char fingerprint[65];   /* SHA-256 of the certificate, lower-case hex */
    int64_t not_after_s;    /* wall clock */
    X509 *cert;             /* ref */
    STACK_OF(X509) * chain; /* what links it to an authority, that one left out; owned. NULL = none,
                               or not known any more: a resumed session does not keep it */
    char *field, *chain_field; /* owned; NULL = not made yet */
};

/* NULL when the client has shown none that an authority signed; also when memory is out and when
 * subject or issuer is too long (x509_text.h): it counts as a client without a certificate. After
 * the handshake. */
struct tls_peer *tls_peer_new(const SSL *ssl);
void tls_peer_free(struct tls_peer **p);

/* Is it past its time? Sessions that go on for long, and resumed ones, were verified earlier. */
static inline bool tls_peer_expired(const struct tls_peer *p, int64_t now_wall_s)
{
    return now_wall_s > p->not_after_s;
}

/* The certificate, and the chain behind it, as fields of HTTP (RFC 9440 section 2): ":base64:", and
 * those separated by commas. Made when first asked for. NULL = there is none, or memory is out. */
const char *tls_peer_field(struct tls_peer *p);
const char *tls_peer_chain_field(struct tls_peer *p);
