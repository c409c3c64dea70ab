/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* compress.h - answers leave in a content coding, where the route says so, the client takes it, and
 * it pays. Streamed as they come: what the service has sent is let out when it pauses.
 *
 * What the store of the cache keeps is what the service has sent. With compression off this costs a
 * comparison. */
#include "coding/coding.h"
#include "proxy/exchange.h"

struct writer;

/* How many encoders a worker has at once; beyond that answers stay as they are. */
enum { COMPRESS_STREAMS = 64 };

struct compress {
    enum coding coding; /* identity: it could have been another, and Vary says so */
    bool bare;          /* there is no body: the head alone says what it would be */
    struct worker *w;
    struct encoder *encoder; /* owned; NULL = nothing is coded */
    struct bytes out;
};

/* The head of the answer that is relayed is there: decides. Before it is written. */
void compress_begin(struct exchange *x);
/* The same for an answer that is in memory as a whole and has these fields. Returns its body as it
 * is to be sent; it lasts as long as the exchange. */
struct str compress_whole(struct exchange *x, unsigned status, const struct header *headers,
                          unsigned n, struct str body);
void compress_free(struct exchange *x);

static inline bool compress_codes(const struct exchange *x)
{
    return x->compress && x->compress->coding != CODING_IDENTITY;
}

/* Content-Encoding and Vary. */
void compress_write_fields(const struct exchange *x, const struct header *headers, unsigned n,
                           struct writer *w);
/* Fields of the answer that these replace, or that are not true of it any more. */
bool compress_replaces_field(const struct exchange *x, struct str name);
