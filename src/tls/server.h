/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* server.h - TLS as a server: what the `tls:` of a listener means.
 *
 * Certificates that have a name in common and ask the same of clients share one SSL_CTX, so that
 * OpenSSL chooses between an ECDSA and an RSA one. The context is chosen by the name that the
 * client asks for (exact, then wildcard, else the first) before a session is resumed: the callback
 * for the whole ClientHello, since the one for the name comes after (a session made where no
 * certificate was asked for must not be resumed where one is).
 *
 * Made by the control thread, then immutable and refcounted; workers open sessions. */
#include "base/err.h"
#include "config/tls_conf.h"
#include "tls/certificate.h"

#include <openssl/ssl.h>

struct tls_gate;
struct tls_server;

/* `address` names the listener in errors. `before` is what it had until now, whose ticket keys,
 * gate and fresh OCSP responses live on; NULL = nothing. NULL and a message when a file does not
 * do. */
struct tls_server *tls_server_new(const char *address, const struct tls_conf *c,
                                  const struct tls_server *before, struct err *e) MUST_CHECK;
struct tls_server *tls_server_ref(struct tls_server *s);
void tls_server_unref(struct tls_server **s);

/* A session that is yet to shake hands; NULL when memory is out. Any thread. */
SSL *tls_server_session(struct tls_server *s) MUST_CHECK;
/* Would a request for this host (without port) have met the same demands as the name that the
 * handshake was for (RFC 9110 section 15.5.20)? */
bool tls_server_serves(const struct tls_server *s, const SSL *ssl, const char *host, size_t n);

/* How the files of a listener look now, as one number, and how they looked when they were read. */
uint64_t tls_files_look(const struct tls_conf *c);
uint64_t tls_server_files_look(const struct tls_server *s);
/* Borrowed. In the order of the configuration. */
struct tls_certificate *const *tls_server_certificates(const struct tls_server *s, size_t *ret_n);
/* Borrowed. */
struct tls_gate *tls_server_gate(const struct tls_server *s);
