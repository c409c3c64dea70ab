/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* client.h - TLS as a client: towards the instances of the services.
 *
 * A struct tls_client is what the `tls:` section of a service means: authorities, client
 * certificate, oldest version. Services with equal settings share one. The control thread makes
 * them and reads their files again when they change on disk; new connections then use the new ones,
 * and what cannot be read leaves the last good ones in force. Any thread may open sessions.
 *
 * Who verifies a certificate looks at its names of type DNS and IP address only: a common name
 * alone is none. */
#include "base/err.h"
#include "config/upstream_tls_conf.h"
#include "tls/certificate.h"

#include <openssl/ssl.h>
#include <stddef.h>

struct tls_client;
struct tls_clients; /* all of them */

struct tls_clients *tls_clients_new(void);
void tls_clients_free(struct tls_clients *all);
/* A reference; NULL and what is wrong with a file. Control thread. */
struct tls_client *tls_clients_get(struct tls_clients *all, const struct upstream_tls_conf *c,
                                   struct err *e) MUST_CHECK;
/* Looks at the files again and forgets what nobody uses. Control thread. */
void tls_clients_refresh(struct tls_clients *all);

/* One after the other, those that are shown to services; NULL: there are no more than i. Control
 * thread, borrowed until the next refresh. */
const struct tls_certificate *tls_clients_certificate(const struct tls_clients *all, unsigned i);

struct tls_client *tls_client_ref(struct tls_client *t);
/* Clears the caller's pointer, which may be to NULL. Any thread. */
void tls_client_unref(struct tls_client **t);

/* The session that was agreed on last with one peer, to begin the next one with. One thread; it
 * must outlive the connections that were made with it. Zero = nothing yet. */
struct tls_memory {
    SSL_SESSION *session;
    uint64_t generation; /* of the files that the peer was verified with */
    char *name;
    bool verified;
};
void tls_memory_release(struct tls_memory *m);

enum tls_alpn { TLS_ALPN_HTTP1, TLS_ALPN_H2, TLS_ALPN_EITHER };

struct tls_peer_wanted {
    const char *name; /* DNS name or IP address that the certificate must have */
    bool verify;
    enum tls_alpn alpn;
};

/* The name that the certificate of an instance must have. Returns buf. */
const char *tls_client_name(const struct upstream_tls_conf *c, const char *service,
                            const char *address, char *buf, size_t cap);
/* A session that is yet to be connected; NULL when memory is out. */
SSL *tls_client_session(struct tls_client *t, const struct tls_peer_wanted *wanted,
                        struct tls_memory *memory) MUST_CHECK;
/* Why a handshake failed, in OpenSSL's words: of the certificate when that is not believed. `other`
 * is said when it is something else. Returns buf. */
const char *tls_client_problem(const SSL *ssl, const char *other, char *buf, size_t cap);
