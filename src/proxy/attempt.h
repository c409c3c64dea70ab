/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* attempt.h - the accounts of one try at one instance, and of the request as a whole: in-flight
 * counts, ejection, breaker, retry rules. The only place where the proxy talks to circuit/. */
#include "proxy/exchange.h"

/* The balancer's choice, reserved: x->index, x->instance, in-flight count, probation. REASON_NONE
 * or why there is none. */
enum reason attempt_begin(struct exchange *x);
/* The same for a second try `a` beside the present one, within the retry budget. False when it may
 * not be or cannot be: then `a` holds nothing. */
bool attempt_begin_hedge(struct exchange *x, struct attempt *a) MUST_CHECK;
/* The end of a try. REASON_NONE = the instance answered well. Closes the connection unless the
 * exchange has given it back before. */
void attempt_end(struct exchange *x, enum reason why);
/* The other try was quicker: closes the connection and judges nothing. */
void attempt_cancel(struct exchange *x);
/* The service slot that the route sends this request to: its weights, sticky when it says so. */
uint32_t attempt_choose_target(struct exchange *x);
/* The instance has not acted on the request, by its own word: it can be sent again, whatever it is.
 */
bool attempt_unprocessed(const struct attempt *a);
/* Is all of the request's body still there? */
bool attempt_repeatable(const struct exchange *x);
/* Can the request still go out, and may it, given what an instance has seen of it? */
bool attempt_sendable(const struct exchange *x);
/* Is this failure of a kind that is tried again, whatever the budget and the number of tries? */
bool attempt_retryable(const struct exchange *x, enum reason why);
/* May this failure be tried again elsewhere? Takes from the retry budget when it says yes. */
bool attempt_may_retry(struct exchange *x, enum reason why);

/* Is it the service's fault? Decides what breakers and ejection count. */
bool reason_blames_service(enum reason why);

/* The outcome of the whole request, for the breaker and the concurrency limit; safe to call when
 * neither was taken. */
void request_settle(struct exchange *x);
