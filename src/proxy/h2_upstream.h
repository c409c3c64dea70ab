/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_upstream.h - which HTTP/2 connection a request goes over: few for each instance and worker,
 * one more when all have as many requests as the instance allows, up to H2_MAX_LINKS. */
#include "proxy/upstream.h"

enum { H2_MAX_LINKS = 8, H2_MAX_REQUESTS = 1000 };

/* A stream for one request, over a link that may still be on its way. NULL when the attempt fails
 * at once: *ret_why. */
struct upstream *h2_upstream_get(struct pool *p, struct worker *w, const struct upstream_target *to,
                                 struct exchange *x, enum reason *ret_why) MUST_CHECK;
/* Goes on with one that is not ready, as upstream_open(). Where the instance has chosen HTTP/1.1,
 * *u becomes a connection of that kind. */
enum io h2_upstream_open(struct upstream **u, enum reason *ret_why) MUST_CHECK;
/* The links of instances that left, or of a transport that is no longer asked for, take no more
 * requests. */
void h2_upstream_retire(struct pool *p, uint64_t signature);
void h2_upstream_free(struct pool *p);
