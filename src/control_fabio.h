/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_fabio.h - fabio's route commands in Consul's KV store (consul.fabio_kv), watched.
 *
 * What was heard last stays in force while Consul cannot be asked, with `state_dir` across a start
 * too; a key that is empty is believed only of an answer that is complete. Thread: control. */
#include "config/config.h"
#include "route/fabio.h"
#include "snapshot/builder.h"

struct control_fabio;
struct event_base;

/* From the loop: there are other commands, or control_fabio_heard() is true now. */
typedef void control_fabio_fn(void *arg);

struct control_fabio *control_fabio_new(struct event_base *base, struct builder *builder,
                                        control_fabio_fn *changed, void *arg);
/* Accepts NULL. */
void control_fabio_free(struct control_fabio *f);
/* Begins, goes on or ends as the configuration says. A key that is another one keeps the old
 * commands until the new ones are there. */
void control_fabio_use(struct control_fabio *f, struct config *c);
/* Consul has answered, or has failed to, or is not asked; or commands of the disk serve until then.
 */
bool control_fabio_heard(const struct control_fabio *f);
/* NULL = none. Borrowed until the next call of `changed` or of control_fabio_use(). */
const struct fabio_commands *control_fabio_commands(const struct control_fabio *f);
