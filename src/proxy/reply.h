/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* reply.h - the answers that the gateway makes itself.
 *
 * A failure is a problem document (RFC 9457) with the reason word of reason.def, which is also in
 * the Frontdesk-Reason field; a redirect is a Location. */
#include "proxy/exchange.h"

/* Makes the answer of a request that is over and sets x->download to send it: a redirect (x->fail
 * is REASON_NONE), what stands in for the service (fallback.h), or the failure. */
void reply_prepare(struct exchange *x);

/* Writes the whole answer for x->fail into x->out and sets x->status. */
void reply_failure(struct exchange *x);

/* The parts of a head that every answer of the gateway has: the status line; framing and
 * connection. */
struct writer;
void reply_begin(struct exchange *x, struct writer *w);
void reply_end(struct exchange *x, struct writer *w, uint64_t body_bytes);
