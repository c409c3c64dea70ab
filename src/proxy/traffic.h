/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* traffic.h - obeys Consul's traffic rules for the service that a request is to go to
 * (snapshot/traffic_rules.h): another service may take its place, and the router may rewrite the
 * path, change fields (traffic_fields.h), and say how long and how often to try.
 *
 * What the gateway's configuration says for the route (timeout) or for the service itself
 * (timeout, retries) comes first. */
#include "proxy/exchange.h"

/* Leads x->service on, when it has rules. REASON_NONE, or why the request cannot go on. */
enum reason traffic_follow(struct exchange *x);

/* The same, for any service. One whose breaker an operator keeps open is not led on: it refuses. */
static inline enum reason traffic_lead(struct exchange *x)
{
    x->rule = NULL;
    x->part = NULL;
    if (!x->service || !x->service->rules || breaker_forced_open(x->service->state->breaker))
        return REASON_NONE;
    return traffic_follow(x);
}
