/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* service_view.h - builds and frees the parts of a snapshot that describe one service. */
#include "snapshot/snapshot.h"

/* A view of `state` with the instances of `set` (NULL = none). Never NULL. Thread: control. */
struct service_view *service_view_new(struct registry *r, struct service_state *state,
                                      struct config *config, struct instance_set *set,
                                      uint64_t now_ns);
struct service_view *service_view_ref(struct service_view *v);
/* Clears the caller's pointer; accepts a pointer to NULL. Any thread. */
void service_view_unref(struct service_view **v);
