/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* route_split.h - which of a route's services a request goes to, and the hash that keeps a client
 * with one service or one instance. Pure: the same for a worker and for /v1/explain. */
#include "base/rng.h"
#include "route/route.h"

#include <netinet/in.h>

/* What consistent hashing and sticky splits go by; false = the request has no such value. `client`:
 * IPv4 as v4-mapped. */
bool route_hash(enum hash_source source, const char *name, const struct request *r,
                const struct route_match *m, const struct in6_addr *client, uint64_t *ret_hash);

/* Position of the target, by its share of the weights: for a sticky route the same for a value each
 * time, else at random. A route with one target needs no chance. Not for redirects. */
uint32_t route_split(const struct route *route, const struct request *r,
                     const struct route_match *m, const struct in6_addr *client, struct rng *rng);
