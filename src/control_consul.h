/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_consul.h - from configuration to the access to Consul: agents, TLS, login, and the rights
 * that the token needs for what is switched on. */
#include "config/config.h"
#include "discovery/consul_access.h"

#include <stdbool.h>

/* Strings are the configuration's. */
void control_consul_options(const struct config *c, struct consul_access_options *ret);
/* Rights aside: those can change under way. */
bool control_consul_same(const struct config *a, const struct config *b);
