/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* alpn.h - what both sides agreed to speak (RFC 7301). */
#include <openssl/types.h>
#include <stdbool.h>

/* HTTP/2? After the handshake, on either side. */
bool tls_chose_h2(const SSL *ssl);
