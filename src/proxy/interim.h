/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* interim.h - informational answers (1xx) on their way from the instance to the client.
 *
 * They go out at once, since an early hint that comes with the answer is none. What the client does
 * not take stays in x->out and goes before the answer. */
#include "proxy/exchange.h"

/* Passes on x->resp, an interim answer. REASON_NONE, or why the attempt or the request is over. */
enum reason interim_send(struct exchange *x) MUST_CHECK;
/* Takes back what was not sent, when another answer follows. */
void interim_drop(struct exchange *x);
