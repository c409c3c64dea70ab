/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* forwarded.h - where a request came from: who its client is, and what the service is told of it.
 *
 * The peer is at the other end of the connection (after PROXY protocol, whom the proxy named). When
 * it is one of trusted_proxies, the client is whom its X-Forwarded-For or Forwarded names, else the
 * peer itself. Address rules, limits, balancing by address and the access log go by the client;
 * X-Forwarded-For is continued with the peer. */
#include "proxy/exchange.h"

struct writer;

/* Once, when the head was read: sets x->client. */
void forwarded_find(struct exchange *x);
/* The address as text, IPv4 without its mapping. */
void forwarded_format(const struct in6_addr *address, char ret[INET6_ADDRSTRLEN]);

bool forwarded_peer_is_trusted(const struct exchange *x);
/* Did the client come over TLS: to this gateway, or by a trusted proxy's word (X-Forwarded-Proto)?
 */
bool forwarded_is_secure(const struct exchange *x);
/* Fields about where a request came from: whoever is not a trusted proxy cannot bring them, and a
 * trusted one's cannot be taken off by naming them in Connection. */
bool forwarded_is_provenance(uint8_t header_id);
/* The gateway's own: X-Forwarded-*, X-Request-Id, Forwarded, Via. */
void forwarded_write(struct exchange *x, struct writer *w, bool trusted);
