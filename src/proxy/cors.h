/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cors.h - what pages of other origins may ask and read, for routes that say so (`cors:`).
 *
 * A preflight is answered here: it is looked up as the request that it asks for, so it finds the
 * route of that one, and it reaches neither authentication nor the service. Every other answer, the
 * gateway's own included, tells the browser whether the page may read it. Without the key all of
 * this is left to the service. */
#include "proxy/exchange.h"

struct writer;

/* In place of route_find(): sets x->match, and x->preflight. */
void cors_find_route(struct exchange *x);
/* V_FINISH: a preflight, or a request of a foreign page where those are refused. */
enum verdict cors_check(struct exchange *x);
/* The answer to a preflight that was allowed. */
void cors_preflight_reply(struct exchange *x);

void cors_write_response_fields(const struct exchange *x, struct writer *w);
bool cors_replaces_response_field(const struct exchange *x, struct str name);
