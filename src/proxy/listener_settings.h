/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* listener_settings.h - what a listener is told by the configuration, as its workers need it.
 *
 * Immutable and refcounted: the control thread makes one for each listener whenever a configuration
 * comes into force and posts it to the workers; a connection keeps the one it was accepted with. */
#include "base/err.h"
#include "config/config.h"

#include <stdatomic.h>

struct tls_server;

struct listener_settings {
    _Atomic int refs;
    struct config *config; /* ref: owner of conf */
    const struct listener_conf *conf;
    struct tls_server *tls; /* ref; NULL = plain */
};

/* `before` is what the listener at that address had until now; NULL = it is new. Control thread. */
struct listener_settings *listener_settings_new(struct config *c, const struct listener_conf *conf,
                                                const struct listener_settings *before,
                                                struct err *e) MUST_CHECK;
/* Any thread. */
struct listener_settings *listener_settings_ref(struct listener_settings *s);
void listener_settings_unref(struct listener_settings **s);
