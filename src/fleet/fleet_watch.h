/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fleet_watch.h - a blocking query on everything below the fleet's prefix in Consul's KV store, by
 * the rules of discovery/watch.h. Thread: control. */
#include "fleet/fleet_word.h"

#include <event2/event.h>

struct consul_http;
struct fleet_watch;

/* A new view, which is the callee's to free; or NULL and why there is none. `complete`: nothing
 * that is missing in it is there. */
typedef void fleet_watch_fn(void *arg, struct fleet_view *v, bool complete, const char *error);

struct fleet_watch *fleet_watch_new(struct event_base *base, struct consul_http *http,
                                    const char *prefix, fleet_watch_fn *fn, void *arg) MUST_CHECK;
void fleet_watch_free(struct fleet_watch *w);
