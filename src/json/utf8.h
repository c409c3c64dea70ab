/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* utf8.h - UTF-8 (RFC 3629) and the escapes of JSON strings (RFC 8259 section 7). */
#include "base/str.h"

/* Bytes of the character that begins at p, of which n > 0 are there; 0 when it is none. */
unsigned utf8_length(const char *p, size_t n);
/* Writes the character; 1 to 4 bytes. */
unsigned utf8_put(uint32_t c, char out[4]);
/* Takes the escapes off; `raw` has valid ones only. A surrogate without its other half becomes
 * U+FFFD. `out` has room for raw.n bytes. */
size_t utf8_unescape(struct str raw, char *out);
