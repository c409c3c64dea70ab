/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* base64url.h - base64url as JOSE uses it (RFC 7515 section 2): no padding, no white space.
 *
 * Strict: bits that do not belong to a byte must be zero, so that no two texts are the same bytes.
 * A signature would otherwise have several spellings, and so would a token. */
#include "base/macros.h"
#include "base/str.h"

/* Most bytes that n characters can stand for. */
#define BASE64URL_BYTES(n) ((n) / 4 * 3 + 2)

/* Into out, which has room for BASE64URL_BYTES(text.n). False when it is not strict base64url. */
bool base64url_decode(struct str text, unsigned char *out, size_t *ret_n) MUST_CHECK;
