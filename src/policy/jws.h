/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* jws.h - is the signature of this token good? (RFC 7518 section 3, RFC 8037)
 *
 * HMAC goes through libjwt. For public keys libjwt 1.10 takes PEM text and reads it anew for every
 * token, which makes RS256 sixteen and ES256 six times as dear as the verification itself; it has
 * no RSA-PSS and no EdDSA; and it refuses every `typ` but JWT. So those go to OpenSSL, with keys
 * that were read once. In both cases the algorithm was compared with the key before. */
#include "policy/token.h"

enum token_error jws_verify(const struct token *t, const struct keyset *keys) MUST_CHECK;
