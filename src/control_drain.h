/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_drain.h - how the gateway stops: it says that it will (for `drain_delay` requests are
 * still welcome, while balancers in front look away), closes its listeners, lets the requests that
 * are under way end (no longer than `drain_timeout`), and takes its leave of Consul. Control
 * thread. */
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct control_drain;
struct event_base;
struct proxy;

struct control_drain_ops {
    void (*leave)(void *arg); /* no request is left: deregister, save, log out */
    bool (*left)(void *arg);  /* is that done? */
    void (*end)(void *arg);   /* stop the loop */
    void *arg;
};

struct control_drain *control_drain_new(struct event_base *base, struct proxy *proxy,
                                        const struct control_drain_ops *ops) MUST_CHECK;
/* Accepts NULL. */
void control_drain_free(struct control_drain *d);

/* The second time: ends at once. */
void control_drain_begin(struct control_drain *d, uint64_t delay_ms, uint64_t timeout_ms);
bool control_drain_begun(const struct control_drain *d);
