/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h1_fields.h - the field lines of a head, and the fields that decide about framing and connection.
 * Shared by requests and responses; internal to this folder.
 *
 * Every function returns REASON_NONE or what is wrong in the words of a request; the response
 * parser turns all of them into UPSTREAM_INVALID. */
#include "base/macros.h"
#include "http/message.h"

struct fields {
    struct header *headers; /* borrowed from the message */
    unsigned n, max;
    uint32_t seen; /* bit (1u << enum header_id) */
    bool merged;   /* several equal Content-Length values became one */
};

#define FIELD_BIT(id) (1u << (id))

/* What Connection says. */
struct connection {
    bool close, keep_alive, upgrade;
};

/* Splits the lines in [p, end); the empty line at their end must be there. */
enum reason fields_split(struct fields *f, const char *p, const char *end) MUST_CHECK;
/* Reads Connection and marks the fields that it names as hop-by-hop. */
enum reason fields_connection(struct fields *f, struct connection *ret) MUST_CHECK;
/* Content-Length: equal values become one, the first field; what else repeats is refused. */
enum reason fields_content_length(struct fields *f, uint64_t *ret_length) MUST_CHECK;
/* Exactly one Transfer-Encoding that is exactly "chunked". */
enum reason fields_transfer_encoding(const struct fields *f) MUST_CHECK;
/* The only field with that id; REASON_BAD_REQUEST when there are several. */
enum reason fields_single(const struct fields *f, enum header_id id, struct str *ret) MUST_CHECK;
/* True when a comma-separated field with that id lists the token. */
bool fields_list_has(const struct fields *f, enum header_id id, struct str token);
