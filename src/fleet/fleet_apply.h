/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fleet_apply.h - brings the fleet's words into force here, and takes back those that are gone.
 *
 * The later word counts: a state forced here after the fleet's word stays until it ends, then the
 * fleet's one comes into force for the rest of its time; one forced here before gives way. Thread:
 * control. */
#include "fleet/fleet_word.h"
#include "snapshot/registry.h"

struct fleet_applied;

struct fleet_applied *fleet_applied_new(struct registry *r);
void fleet_applied_free(struct fleet_applied *a);

/* Call it with every new view, and now and then with the same one: services may appear later.
 * Unless the view is `complete`, a word that is missing in it stays in force until its time is
 * over.
 */
void fleet_apply(struct fleet_applied *a, const struct fleet_view *v, bool complete,
                 uint64_t now_ns, int64_t wall_ms);

/* A word given here: in force at once, whether or not the service is known, and not taken back by a
 * view from before it was written. */
void fleet_apply_own(struct fleet_applied *a, const struct fleet_word *w, uint64_t now_ns,
                     int64_t wall_ms);
/* The word for this service is taken back here: a view from before that does not bring it back.
 * author and why as of an operation. */
void fleet_take_back(struct fleet_applied *a, const char *service, const char *author,
                     const char *why, uint64_t now_ns, int64_t wall_ms);
