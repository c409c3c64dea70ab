/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h1_chunked.h - strict decoder of the chunked transfer coding (RFC 9112 section 7.1).
 *
 * Incremental and in place: the payload of the bytes given is moved together at the start of the
 * buffer, so that it can be sent on in one piece. Extensions are checked, limited (256 bytes a
 * chunk, 16 KiB in all) and dropped; trailers are checked, limited (8 KiB) and dropped. Pure. */
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunked {
    uint64_t remaining; /* of the present chunk */
    uint32_t state, digits, extension_bytes, trailer_bytes, line_bytes;
};

void chunked_init(struct chunked *c);

enum chunked_verdict { CHUNKED_MORE, CHUNKED_DONE, CHUNKED_BAD };

/* Consumes buf[0, n). *ret_payload = payload bytes now at buf[0..]; *ret_used = bytes consumed
 * (less than n only with CHUNKED_DONE: the rest belongs to the next message and is left at
 * buf[used..n), not moved). */
enum chunked_verdict chunked_decode(struct chunked *c, char *buf, size_t n, size_t *ret_payload,
                                    size_t *ret_used) MUST_CHECK;
