/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tls.h - TLS for the admin endpoint: OpenSSL below libevent's buffers.
 *
 * TLS 1.2 and newer, no resumption: few connections come here, and each shows its certificate anew.
 * With `client_ca` a client may show a certificate; one that does not verify ends the handshake. */
#include "base/err.h"
#include "config/config.h"

#include <openssl/ssl.h>
#include <stdbool.h>

struct bufferevent;
struct event_base;

/* NULL and a message when the files cannot be used. Free with SSL_CTX_free(). */
SSL_CTX *tls_context(const struct admin_conf *c, struct err *e) MUST_CHECK;
/* A buffer for a connection that libevent has accepted. Never NULL. */
struct bufferevent *tls_accept(struct event_base *base, SSL_CTX *ctx);
/* True when the peer has shown a certificate that client_ca verified; its common name goes to ret
 * ("" when it has none). False for a plaintext connection too. */
bool tls_peer_name(struct bufferevent *b, char *ret, size_t cap);
