/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* forwarded.h - where a request came from, as the proxies on its way say: X-Forwarded-For, and
 * Forwarded (RFC 7239) where there is none.
 *
 * Each proxy appends the address that it was asked from, so a list is believed from its right end,
 * as far as it names proxies that are trusted; the first other address is the client. What stands
 * to the left of it may be a lie. An element that names no address ends the walk there: the client
 * is then the last one found. Pure functions. */
#include "base/macros.h"
#include "http/message.h"

#include <netinet/in.h>

typedef bool forwarded_trust_fn(const void *arg, const struct in6_addr *address);

/* *client is the peer of the connection, known to be trusted, and becomes the client. */
void forwarded_find_client(const struct request *r, forwarded_trust_fn *trust, const void *arg,
                           struct in6_addr *client);

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". IPv4 as
 * v4-mapped. */
bool forwarded_read_address(struct str text, struct in6_addr *ret) MUST_CHECK;
