/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* request_id.h - the name of a request in every log it touches (X-Request-Id). */
#include "proxy/exchange.h"

/* The client's own when it is short and plain enough to be repeated anywhere, else 128 random bits.
 */
void request_id_choose(struct exchange *x);
