/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* server.h - the HTTP side of one instance: the service, /health and /_chaos on one port. */
#include "store.h"

#include <event2/event.h>
#include <stdint.h>

struct server;

/* NULL with a message on stderr when the address cannot be bound. Port 0 picks a free one. */
struct server *server_start(struct event_base *base, const struct kind *kind, struct store *store,
                            const char *instance, const char *address, uint16_t port);
uint16_t server_port(const struct server *s);
void server_stop(struct server *s);
