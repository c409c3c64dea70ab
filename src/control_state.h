/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_state.h - a look at `state_dir` before it is relied on. */
#include "config/config.h"

/* Logs a warning when nothing can be kept there; the gateway runs on. `before` is the configuration
 * that this one follows, or NULL at start: the same directory is not warned of twice. */
void control_state_look(const struct config *c, const struct config *before);
