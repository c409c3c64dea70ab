/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* shared_routes.h - the routes that fabio's tags and commands make, as of the last build, and the
 * weights that they give to instances. Thread: control. */
#include "route/fabio.h"

struct shared_routes;

struct shared_routes *shared_routes_new(void);
void shared_routes_free(struct shared_routes *s);
/* The commands for the builds to come; takes a reference of its own. NULL = none. */
void shared_routes_use(struct shared_routes *s, struct fabio_commands *commands);
/* Are there commands, even bad ones? */
bool shared_routes_commanded(const struct shared_routes *s);
/* fabio_merge(); what comes out is borrowed until the next call, the weights too. */
const struct fabio_merged *shared_routes_build(struct shared_routes *s,
                                               const struct fabio_service *services, size_t n,
                                               const struct consul_conf *consul);
/* NULL = the weights of this service are the catalog's, whoever is healthy. */
const struct fabio_weights *shared_routes_weights(const struct shared_routes *s,
                                                  const char *service);
