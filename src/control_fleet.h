/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_fleet.h - from configuration to the fleet: who this gateway is to the others. */
#include "config/config.h"
#include "fleet/fleet.h"

/* NULL and no message when the configuration has no fleet. `o` comes with what does not depend on
 * the configuration. */
struct fleet *control_fleet_new(const struct fleet_options *o, const struct config *c,
                                struct err *e);
/* Can a running one stay when the configuration goes from a to b? */
bool control_fleet_same(const struct config *a, const struct config *b);
