/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_server_text.h - heads between the fields of HTTP/2 (RFC 9113 section 8) and HTTP/1.1 text, as
 * a server needs them: requests in, answers out. Pure.
 *
 * A request becomes text that h1_parse reads, so there is one strict parser. What must not become
 * text is found here: pseudo-fields that are missing, twice, late or unknown, names that are not in
 * lower case, bytes that end a line, fields of a connection, a Host that is not the authority. */
#include "base/bytes.h"

#include <nghttp2/nghttp2.h>
#include <stdint.h>

/* Of the four pseudo-fields. */
enum h2_pseudo { H2_METHOD, H2_SCHEME, H2_AUTHORITY, H2_PATH, H2_PSEUDOS };

/* A request head that is coming, field by field. Zeroed at first. */
struct h2_head {
    struct bytes pseudo; /* the values, one behind the other */
    struct {
        size_t at, n;
        bool is_there;
    } values[H2_PSEUDOS];
    struct bytes fields; /* lines */
    struct bytes cookie; /* the crumbs, joined (section 8.2.3) */
    bool regular;        /* a field that is no pseudo-field has come */
    bool has_host, has_length;
    bool malformed; /* stream error PROTOCOL_ERROR */
    bool too_large; /* no more is kept */
};

/* How the body ends. */
enum h2_body {
    H2_BODY_NONE,
    H2_BODY_WHOLE, /* all of it is there: its length is known */
    H2_BODY_OPEN   /* more may come: Transfer-Encoding: chunked, though no chunks follow */
};

/* Text beyond `limit` bytes is not kept. -1 when memory is out. */
int h2_head_add(struct h2_head *h, struct str name, struct str value, size_t limit) MUST_CHECK;
/* No more fields come: may it become text? */
bool h2_head_is_good(struct h2_head *h);
/* Adds the head as text to `to`. One that is too large is cut short, behind
 * the limit, which the parser then finds to be passed. -1 when memory is out. */
int h2_head_end(struct h2_head *h, enum h2_body body, uint64_t length, struct bytes *to) MUST_CHECK;
void h2_head_free(struct h2_head *h);
/* As if zeroed, but memory of up to `keep` bytes each stays. */
void h2_head_reuse(struct h2_head *h, size_t keep);

enum { H2_MAX_ANSWER_FIELDS = 192 };

/* "HTTP/1.1 200 OK\r\n...\r\n\r\n". Writes into the text; the fields point into it. Fields of a
 * connection are left out. -1 when there are too many, or it is no answer's head. */
int h2_answer_fields(char *text, size_t n, unsigned *ret_status,
                     nghttp2_nv fields[H2_MAX_ANSWER_FIELDS], size_t *ret_n) MUST_CHECK;
