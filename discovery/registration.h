/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* registration.h - this gateway as a service of Consul's catalog, so that others find it there:
 * a load balancer in front, a monitoring system, a person.
 *
 * It is registered with the agent (PUT /v1/agent/service/register), with a TCP check for each
 * listener, which the agent makes, and a check with a time to live, which the gateway reports to.
 * Control thread; nothing blocks. It has a connection of its own, so it never waits behind blocking
 * queries. */
#include "base/err.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct discovery_options;
struct event_base;
struct registration;

enum registration_health { REGISTRATION_PASSING, REGISTRATION_WARNING, REGISTRATION_CRITICAL };

struct registration_pair {
    const char *key, *value;
};

/* Strings are copied. */
struct registration_options {
    struct event_base *base;                /* borrowed */
    const struct discovery_options *consul; /* address, token, TLS */
    const char *name;                       /* of the service: "frontdesk" */
    const char *id;                         /* must be the only one of its agent */
    const char *host;                       /* NULL = the node's address */
    uint16_t port;
    const char *const *tags;
    size_t ntags;
    const struct registration_pair *meta;
    size_t nmeta;
    const char *const *listeners; /* "127.0.0.1:8080": what the agent's checks connect to */
    size_t nlisteners;
    uint64_t check_interval_ms, deregister_after_ms;
    /* What the gateway's own check says; asked often. `text` comes empty. */
    enum registration_health (*report)(void *arg, char *text, size_t room);
    void *arg;
};

struct registration *registration_new(const struct registration_options *o,
                                      struct err *e) MUST_CHECK;
/* A registration that has not left stays in the catalog until its check's time is over. Accepts
 * NULL. */
void registration_free(struct registration *r);

/* Maintenance from now on: the catalog shows that no new requests are wanted. */
void registration_drain(struct registration *r);
/* Deregisters. */
void registration_leave(struct registration *r);
/* True once left, or when that failed. */
bool registration_gone(const struct registration *r);

struct registration_status {
    const char *name, *id; /* borrowed */
    bool registered, in_maintenance;
    uint64_t registrations; /* since start: more than one = the agent forgot us */
    const char *last_error; /* "" = none; borrowed */
};
void registration_status(const struct registration *r, struct registration_status *ret);
