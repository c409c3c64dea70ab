/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* registration.h - keeps one instance registered in Consul.
 *
 * A thread of its own registers the instance with an HTTP check, looks every 5 seconds whether the
 * agent still knows it, and registers it again when not: after an agent was away or was rebuilt.
 * The service never waits for it. */
#include <stdint.h>

struct registration_input {
    const char *consul; /* http://127.0.0.1:8500 */
    const char *service, *instance, *address;
    const char *tags; /* separated by commas */
    uint16_t port;
};

struct registration;

/* The strings are borrowed until registration_stop(). NULL when no thread can be had. */
struct registration *registration_start(const struct registration_input *in);
/* Deregisters and ends the thread; waits 2 seconds at most for an agent that does not answer. */
void registration_stop(struct registration *r);
