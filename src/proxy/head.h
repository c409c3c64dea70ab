/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* head.h - writes message heads: the request as the instance gets it, the answer as the client gets
 * it.
 *
 * Nothing is copied through: each head is written anew from the parsed structure, so what the
 * gateway understood and what the next hop reads cannot differ (RFC 9112 section 11.2). Hop-by-hop
 * fields end here; the gateway's own (X-Forwarded-*, Via, ...) come from here alone. */
#include "proxy/exchange.h"

/* Into x->up_head. -1 when it does not fit. */
int head_write_request(struct exchange *x) MUST_CHECK;
/* Into x->out, from x->resp. -1 when it does not fit. */
int head_write_response(struct exchange *x) MUST_CHECK;
/* An interim (1xx) answer passed on to the client, appended to x->out. */
int head_write_interim(struct exchange *x) MUST_CHECK;

/* What the route does to the fields of answers: is this one set or removed; writes those it adds.
 */
struct writer;
bool head_is_changed(const struct exchange *x, struct str name);
void head_write_changes(const struct exchange *x, struct writer *w);

/* A bounded writer over a buf. */
struct writer {
    struct buf *b;
    bool overflow;
};
void writer_bytes(struct writer *w, const char *p, size_t n);
void writer_str(struct writer *w, struct str s);
void writer_num(struct writer *w, uint64_t v);
/* "name: value\r\n" */
void writer_field(struct writer *w, struct str name, struct str value);
#define writer_lit(w, literal) writer_bytes((w), "" literal, sizeof(literal) - 1)
