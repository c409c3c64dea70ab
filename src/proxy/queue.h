/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* queue.h - requests that wait for a place under their service's concurrency limit.
 *
 * Each worker keeps its own, oldest first; the number in all workers is bounded by circuit/limit.h.
 * Whoever frees a place wakes a worker that waits for that service. */
#include "proxy/exchange.h"

/* V_WAIT, or V_FINISH when the queue is full. Gives the breaker's ticket back: the state may be
 * another one when the wait is over. */
enum verdict queue_enter(struct exchange *x);
/* Safe when not queued. */
void queue_leave(struct exchange *x);
/* A place of this service has become free, in this worker. */
void queue_wake(struct worker *w, struct service_state *s);
/* Lets those go on that find a place now. */
void queue_resume(struct worker *w);
