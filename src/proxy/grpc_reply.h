/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* grpc_reply.h - a failure of the gateway's own, as the client of a gRPC call understands it: HTTP
 * status 200 and nothing but a head with `grpc-status` and `grpc-message` ("Trailers-Only"). */
#include "base/reason.h"

#include <stdbool.h>

struct exchange;

/* Is the request a call whose client can read that? */
bool grpc_reply_fits(const struct exchange *x);
/* Writes the answer for x->fail into x->out, and sets x->status and how the call ended. */
void grpc_reply_failure(struct exchange *x);
/* The code of gRPC for a reason of the gateway. */
unsigned grpc_code_of(enum reason why);
