/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_registration.h - from configuration to the registration: how this gateway shows itself
 * in Consul, as the configuration and its name in the fleet change. Control thread. */
#include "config/config.h"
#include "discovery/registration.h"

struct control_registration;
struct event_base;

typedef enum registration_health registration_report_fn(void *arg, char *text, size_t room);

/* Registers nothing yet. */
struct control_registration *control_registration_new(struct event_base *base, const char *version,
                                                      registration_report_fn *report, void *arg);
/* Accepts NULL. */
void control_registration_free(struct control_registration *r);

/* Registers as the configuration says, or leaves when it wants none; nothing happens when that is
 * what is registered. `gateway`: its name in the fleet, NULL = there is none. The configuration is
 * kept by reference. */
void control_registration_use(struct control_registration *r, struct config *c,
                              const char *gateway);
/* After the first use: the name in the fleet may be another one now. */
void control_registration_rename(struct control_registration *r, const char *gateway);
void control_registration_drain(struct control_registration *r);
void control_registration_leave(struct control_registration *r);
bool control_registration_gone(const struct control_registration *r);
/* False when there is none. */
bool control_registration_status(const struct control_registration *r,
                                 struct registration_status *ret);
