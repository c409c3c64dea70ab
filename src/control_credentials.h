/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_credentials.h - keeps API keys and passwords fresh: looks at their files every two
 * seconds, watches stores in Consul's KV.
 *
 * When that does not work, what is there stays; the log and the status page say why. Thread:
 * control. */
#include "config/config.h"
#include "policy/credentials.h"
#include "snapshot/builder.h"

struct control_credentials;
struct event_base;

/* Called when the builder has got another set, or a store has answered for the first time: a
 * snapshot is to be made. Never from inside a call. */
typedef void credentials_changed_fn(void *arg);

/* Begins with those of this configuration. NULL and a message when a file does not do. The builder
 * is borrowed. */
struct control_credentials *control_credentials_new(struct event_base *base,
                                                    struct builder *builder, struct config *config,
                                                    credentials_changed_fn *changed, void *arg,
                                                    struct err *e) MUST_CHECK;
/* After the workers have ended. Accepts NULL. */
void control_credentials_free(struct control_credentials *c);
/* Has every store in Consul answered, or failed to? */
bool control_credentials_heard(const struct control_credentials *c);
/* Reads those of another configuration: for _use() or credentials_free(). NULL and a message when
 * they do not do; nothing has changed then. */
struct credentials *control_credentials_prepare(const struct control_credentials *c,
                                                struct config *config, struct err *e) MUST_CHECK;
/* Takes them over; `config` is what they were prepared for. */
void control_credentials_use(struct control_credentials *c, struct credentials *next,
                             struct config *config);
