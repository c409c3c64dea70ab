/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* sock_tls.h - TLS over a TCP socket, behind the face of sock.h. */
#include "proxy/sock.h"

#include <openssl/ssl.h>

/* Puts TLS over an open socket; takes over ssl, also on failure (-1). */
int sock_tls_start(struct sock *s, SSL *ssl, bool server) MUST_CHECK;
/* IO_OK: done. IO_AGAIN: an event will come. IO_EOF and IO_ERROR: it has failed. */
enum io sock_tls_handshake(struct sock *s) MUST_CHECK;
/* Borrowed; NULL when there is no TLS over it. */
SSL *sock_tls_ssl(struct sock *s);
/* Why the last operation failed, in OpenSSL's words. Static text. */
const char *sock_tls_error(struct sock *s);
