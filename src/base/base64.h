/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* base64.h - base64 with its padding (RFC 4648 section 4), strictly: no white space, and nothing in
 * the bits that are left over, so that no two texts are the same bytes. */
#include "base/macros.h"
#include "base/str.h"

/* Most bytes that n characters can stand for; characters that n bytes become. */
#define BASE64_BYTES(n) ((n) / 4 * 3)
#define BASE64_TEXT(n)  (((n) + 2) / 3 * 4)

/* Into out, which has room for BASE64_BYTES(in.n). False when it is none, or empty. */
bool base64_decode(struct str in, char *out, size_t *ret_n) MUST_CHECK;
/* BASE64_TEXT(in.n) characters and a NUL. */
void base64_encode(struct str in, char *out);
