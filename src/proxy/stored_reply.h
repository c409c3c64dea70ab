/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* stored_reply.h - a stored answer as that to a request: whole, without its body (HEAD), or 304
 * when the client has it already. */
#include "cache/cache.h"
#include "proxy/head.h"

/* Writes the head into x->out, but for its end, and sets x->status; the body stays where it is.
 * `detail`: why it is used although it is not fresh (RFC 9211); NULL = it is. */
struct str stored_reply(struct exchange *x, struct writer *w, const struct cache_entry *e,
                        const char *detail);
/* May no body follow this head? */
bool stored_reply_is_bare(const struct exchange *x);
