/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_issuers.h - keeps the keys of the issuers fresh: fetches key sets, looks at key files.
 *
 * A key set is fetched every `refresh` (sooner when its answer says so), after a failure again ever
 * more rarely, and when a token names a key that is not there, but not twice within
 * `unknown_key_interval`. Files are looked at every two seconds. When it does not work, the keys
 * that are there stay, the log and the status page say why. */
#include "policy/issuers.h"
#include "proxy/proxy.h"
#include "snapshot/builder.h"

struct control_issuers;
struct event_base;

/* Begins with the issuers of this configuration. The builder gets each set that is used, the proxy
 * is told when an issuer has been asked; both are borrowed. NULL and a message when the issuers do
 * not do. */
struct control_issuers *control_issuers_new(struct event_base *base, struct builder *builder,
                                            struct proxy *proxy, struct config *config,
                                            struct err *e) MUST_CHECK;
/* Accepts NULL. */
void control_issuers_free(struct control_issuers *c);
/* The issuers of a configuration: the caller's reference. NULL and a message when they do not do;
 * nothing has changed until they are used. */
struct issuer_set *control_issuers_prepare(struct control_issuers *c, struct config *config,
                                           struct err *e) MUST_CHECK;
/* Takes over the reference. */
void control_issuers_use(struct control_issuers *c, struct issuer_set *set);
