/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cache_refresh.h - asks a service again for an answer that is stale, behind the back of the
 * clients that get it in the meantime (RFC 5861).
 *
 * It is a request of the gateway's own that goes through the route like a client's, but for access:
 * with the fields that the stored answer varies by, and no others of any client. */
#include "proxy/exchange.h"

/* The stored answer of x->cached is stale. Does nothing when it is being asked for already. */
void cache_refresh_begin(struct exchange *x);
/* The step of such a request: what it is about. */
enum verdict cache_refresh_take(struct exchange *x);
/* Those that are under way end. */
void cache_refresh_end_all(struct worker *w);
