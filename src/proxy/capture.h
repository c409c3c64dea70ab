/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* capture.h - stores good answers while they are relayed, so that they can stand in when their
 * service fails (fallback.h). For routes and services whose list has `cache`, and for nobody else.
 *
 * Each piece is copied after it was decoded and before it is written, and the answer is stored with
 * its last piece: so what a client has seen is there for all others.
 * An answer that is cut, too large or without a certain end is not stored. */
#include "cache/cache.h"
#include "proxy/exchange.h"

/* The head of an answer of the service is there, and its pump is set up. */
void capture_begin(struct exchange *x);
/* How long the answer is fresh, for this route. */
void capture_freshness(const struct exchange *x, const struct response *a, struct freshness *ret);
/* The answer is over, and what is still being captured (x->capture) with it. */
void capture_end(struct exchange *x);
/* What the answer to this request is stored under; slices of the request. */
void capture_key(struct exchange *x, struct cache_key *ret);
