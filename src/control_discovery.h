/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_discovery.h - from configuration to discovery: it does not know struct config. */
#include "config/config.h"
#include "discovery/discovery.h"
#include "route/fabio.h"
#include "snapshot/journal.h"

struct event_base;

/* Strings are the configuration's. */
struct discovery_options control_discovery_options(const struct config *c);
/* With static instances and the names that routes use already given. `recall`: begin with the
 * catalog that an earlier process has kept in `state_dir`. */
struct discovery *control_discovery_new(struct event_base *base, const struct config *c,
                                        const struct fabio_commands *commands, bool recall,
                                        discovery_changed_fn *changed, void *arg,
                                        struct err *e) MUST_CHECK;
/* `commands`: whose targets become static services; NULL = none. */
void control_discovery_configure(struct discovery *d, const struct config *c,
                                 const struct fabio_commands *commands);
/* A breaker that has opened since `after` moves its service to another place, if it has several.
 * Returns the id of the newest transition. */
uint64_t control_discovery_hear(struct discovery *d, struct journal *j, uint64_t after);
/* Can a running discovery go from one to the other by control_discovery_configure() alone? */
bool control_discovery_same(const struct config *a, const struct config *b);
