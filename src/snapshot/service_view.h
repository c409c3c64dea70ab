/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* service_view.h - builds and frees the parts of a snapshot that describe one service. */
#include "snapshot/service_rules.h"
#include "snapshot/snapshot.h"

/* A view of `state` with the instances of `set` (NULL = none), whose weights are the catalog's but
 * for `weights` (NULL = none), with what Consul's rules say of it (NULL = nothing). Never NULL.
 * Thread: control. */
struct service_view *service_view_new(struct registry *r, struct service_state *state,
                                      struct config *config, struct instance_set *set,
                                      const struct instance_weights *weights,
                                      const struct service_rules *rules, uint64_t now_ns);
/* Was it made of the same rules? */
bool service_view_has_rules(const struct service_view *v, const struct service_rules *rules);
/* What service_view.weights_hash is. */
uint64_t service_view_weights_hash(const struct instance_weights *weights);
struct service_view *service_view_ref(struct service_view *v);
/* Clears the caller's pointer; accepts a pointer to NULL. Any thread. */
void service_view_unref(struct service_view **v);
