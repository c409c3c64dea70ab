/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_client_text.h - heads between HTTP/1.1 text and the fields of HTTP/2 (RFC 9113 section 8.3),
 * as a client needs them: requests out, answers in. The text is what the gateway's own writers
 * make, so it is well-formed; what comes in is read by h1_parse afterwards. Pure. */
#include "base/macros.h"
#include "base/str.h"

#include <nghttp2/nghttp2.h>

enum { H2_MAX_FIELDS = 192 };

/* "POST /x HTTP/1.1\r\nHost: h\r\n...\r\n\r\n". Writes into the text: names become lower case. The
 * fields point into it. -1 when there are too many, or it is no request head. */
int h2_request_fields(char *text, size_t n, struct str scheme, nghttp2_nv fields[H2_MAX_FIELDS],
                      size_t *ret_n) MUST_CHECK;
/* Trailers: lines "name: value\r\n", as above. What may not be in trailers is left out. */
int h2_trailer_fields(char *text, size_t n, nghttp2_nv fields[H2_MAX_FIELDS],
                      size_t *ret_n) MUST_CHECK;
