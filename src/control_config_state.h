/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_config_state.h - what was last found good below a prefix of Consul's KV store, on disk:
 * STATE_DIR/NAME.state, for the configuration ("config") and fabio's commands ("fabio"). The file
 * holds keys and secrets of the documents: mode 0600.
 * Thread: control. */
#include "base/bytes.h"
#include "base/err.h"
#include "config/kv_rows.h"

#include <stdbool.h>

struct event_base;
struct config_state;

/* Writes, off the control thread, to a file of this directory. */
struct config_state *config_state_new(struct event_base *base, const char *directory,
                                      const char *name);
/* Is it of this directory? (NULL: neither.) */
bool config_state_is_in(const struct config_state *s, const char *directory);
/* What was put is written first. Accepts NULL. */
void config_state_free(struct config_state *s);
/* `body` is Consul's answer for the prefix. Accepts a NULL config_state. */
void config_state_put(struct config_state *s, const char *prefix, struct str body);

/* What is there for this prefix, and when it was written (0 = unknown). NULL: nothing that can be
 * used; the log says why when there was a file. */
struct kv_rows *config_state_read(const char *directory, const char *name, const char *prefix,
                                  int64_t *ret_wall_ms) MUST_CHECK;
