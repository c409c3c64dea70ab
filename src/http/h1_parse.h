/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h1_parse.h - the head of an HTTP/1.x message, strictly (RFC 9112; every leniency it offers to
 * servers is declined, since a gateway and its services must never read the same bytes
 * differently).
 *
 * Pure: bytes in, struct out, no I/O, no allocation. llhttp does the parsing; before it, one pass
 * refuses what llhttp lets through: bare CR or LF, NUL and control bytes, obs-fold, space before a
 * colon, empty field names. After it, framing and Host are judged.
 */
#include "http/message.h"

struct h1_limits {
    size_t max_line;      /* request line: 414 beyond */
    size_t max_head;      /* whole head, request line and empty line included: 431 beyond */
    unsigned max_headers; /* at most HTTP_MAX_HEADERS */
};

enum h1_verdict { H1_MORE, H1_DONE, H1_BAD };

/* Parses a request head at buf[0, n). Blank lines (CRLF) before the request line are skipped, one
 * at most (RFC 9112 section 2.2).
 *   H1_MORE  not complete yet and within limits; call again with more bytes (same start).
 * `*scanned` (start at 0 for a new message) remembers where the search for the end stands. H1_DONE
 * *ret_head_bytes = bytes of the head, including the empty line. H1_BAD   *ret_reason says why. The
 * buffer is written to: host and path are normalised in place. */
enum h1_verdict h1_parse_request(char *buf, size_t n, const struct h1_limits *limits,
                                 size_t *scanned, struct request *ret, size_t *ret_head_bytes,
                                 enum reason *ret_reason);

/* The same for a response; `method` is that of the request it answers (RFC 9112 section 6.3). 1xx
 * responses are returned as they come: the caller goes on to the next head. */
enum h1_verdict h1_parse_response(char *buf, size_t n, const struct h1_limits *limits,
                                  size_t *scanned, enum method method, struct response *ret,
                                  size_t *ret_head_bytes, enum reason *ret_reason);
