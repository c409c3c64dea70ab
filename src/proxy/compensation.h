/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* compensation.h - takes writes of an aggregate back, one after the other.
 *
 * The requests are made while the client's request is still there and go on without it: a client
 * that leaves must not leave a half of something behind. */
#include "proxy/exchange.h"

struct compensation;

struct compensation *compensation_new(struct worker *w) MUST_CHECK;
/* One more, to be sent after those before it. False when memory is out. */
bool compensation_add(struct compensation *c, struct exchange *x, const char *part, uint32_t slot,
                      struct str method, struct str path, struct str fields, struct str granted,
                      struct str body, uint64_t timeout_ms) MUST_CHECK;
/* It belongs to the worker from here on. `done` is called at its end, from the event loop, unless
 * compensation_leave() was called before. */
void compensation_go(struct compensation *c, void (*done)(void *arg), void *arg);
void compensation_leave(struct compensation *c);
bool compensation_over(const struct compensation *c);
/* The parts that were and that were not taken back, as text "a, b"; n = 0: none. */
struct str compensation_undone(const struct compensation *c, bool taken_back);
/* Once it is over; or when it has not gone. */
void compensation_free(struct compensation *c);
/* At the end of the worker. */
void compensation_end_all(struct worker *w);
