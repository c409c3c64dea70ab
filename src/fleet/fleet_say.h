/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fleet_say.h - what this gateway tells the fleet: every breaker and instance that is not as it
 * should be, breakers first. Thread: control. */
#include "fleet/fleet_word.h"
#include "snapshot/snapshot.h"

/* Fills in entries, n and more. Texts are borrowed from the snapshot until the next loop turn, the
 * array is in `a`. s may be NULL. */
void fleet_say(const struct snapshot *s, uint64_t now_ns, int64_t wall_ms, struct arena *a,
               struct fleet_gateway *ret);
