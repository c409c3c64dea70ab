/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fleet.h - several gateways as one: each shows the others what is not closed with it, and a state
 * that is forced for the fleet is one write to Consul's KV store. docs/fleet.md is the manual.
 *
 * Runs on the control thread and never blocks. With Consul away each gateway goes on by itself;
 * what is forced ends by its time everywhere. */
#include "base/err.h"
#include "base/macros.h"
#include "config/config.h"
#include "discovery/discovery.h"
#include "snapshot/operate.h"
#include "snapshot/snapshot.h"

#include <jansson.h>

struct event_base;
struct fleet;

/* Strings are copied, the rest is borrowed. */
struct fleet_options {
    struct event_base *base;
    const struct discovery_options *consul; /* address, token, TLS */
    const struct fleet_conf *conf;          /* enabled */
    struct registry *registry;
    const char *version;
    const char *address; /* "10.0.0.4:8080": where clients reach this gateway */
    struct snapshot *(*snapshot)(void *arg);
    void *arg;
};

struct fleet *fleet_new(const struct fleet_options *o, struct err *e) MUST_CHECK;
/* This gateway's name among the others, which is another one when somebody has it already. */
const char *fleet_name(const struct fleet *f);
/* Begins to leave: ends the session, as far as there is time until fleet_free(). No
 * word of the others is followed any more. Once. */
void fleet_leave(struct fleet *f);
/* Accepts NULL. What the fleet has forced here stays until its time is over. */
void fleet_free(struct fleet *f);

/* The document of /v1/fleet. A new reference. */
json_t *fleet_document(struct fleet *f);
/* Does what is told now reach the others? */
bool fleet_connected(const struct fleet *f);
/* Forces (or, with OPERATE_AUTO, takes back) a state everywhere: here at once, elsewhere by one
 * write that is tried again until the state's time is over. -1 and a message when Consul is away,
 * or when the operation is none of a fleet. */
int fleet_force(struct fleet *f, const char *service, const struct operate_request *q,
                struct err *e) MUST_CHECK;
