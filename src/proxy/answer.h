/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* answer.h - the heads of an instance's answer: interim ones are passed on, the final one is the
 * last point where the request can still go elsewhere. */
#include "proxy/exchange.h"

/* Takes the heads that are in the buffer already. V_DONE = the final one was read, V_NEXT = more
 * bytes are needed; else how the attempt ended. */
enum verdict answer_read(struct exchange *x);
