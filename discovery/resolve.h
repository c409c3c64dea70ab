/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* resolve.h - host names of instances to addresses, without blocking.
 *
 * Literals need no DNS. Names are asked for by libevent's resolver (which reads /etc/hosts and
 * resolv.conf) when first seen and again every 30 s for as long as someone uses them. A failed
 * look-up keeps the address that was known. An instance has one address: the present one while it
 * is still among the answers, else the first IPv4 one, else the first. */
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct event_base;
struct resolver;

/* Called in a later loop turn when any address changed, and before every refresh: whoever needs
 * names calls resolver_get() for all of them; a name that is not asked for then is forgotten. */
typedef void resolver_changed_fn(void *arg);

struct resolver *resolver_new(struct event_base *base, resolver_changed_fn *changed,
                              void *arg) MUST_CHECK;
/* Look-ups in flight end in later loop turns without a call; their memory is freed then. Accepts
 * NULL. */
void resolver_free(struct resolver *r);

/* The address known for `host` now; false when there is none (yet). */
bool resolver_get(struct resolver *r, const char *host, uint16_t port,
                  struct sockaddr_storage *ret_addr, socklen_t *ret_len);
