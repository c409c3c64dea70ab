/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* traffic_fields.h - what Consul's router and splitter change about the fields of a request and its
 * answer. What the route changes itself, and fields that only the gateway sets, are left alone. */
#include "proxy/exchange.h"
#include "proxy/head.h"

static inline bool traffic_changes_fields(const struct exchange *x)
{
    return x->rule || x->part;
}

/* Not to be passed on: it is taken out, or set to something else. */
bool traffic_drops_request_field(const struct exchange *x, struct str name);
bool traffic_drops_response_field(const struct exchange *x, struct str name);
void traffic_write_request_fields(const struct exchange *x, struct writer *w);
void traffic_write_response_fields(const struct exchange *x, struct writer *w);
