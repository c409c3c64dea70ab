/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* grpc_status.h - what the gateway understands of a gRPC call: that it is one, how long its client
 * waits, and how it ended. The messages pass through as bytes.
 *
 * A call ends with the field `grpc-status`, in the trailers or, in an answer without a message, in
 * the head. Breaker and ejection count the statuses of breaker.failure_grpc_statuses as failures;
 * retries.on may name some that are tried again, as long as the answer is nothing but the status.
 */
#include "base/grpc_code.h"
#include "http/message.h"

struct exchange;

struct grpc_call {
    bool is;              /* the request is one */
    bool ended;           /* `status` is known */
    uint8_t status;       /* a code of gRPC; what is none of them is 2, unknown */
    uint64_t deadline_ns; /* after which the client waits no longer; 0 = it does not say */
};

/* The request has been read. */
void grpc_look_at_request(struct exchange *x);
/* The head of an answer has been read. */
void grpc_look_at_head(struct exchange *x);
/* Trailers have been read: fields in text, as in a head. */
void grpc_look_at_trailers(struct exchange *x, struct str text);
/* Did the call end so that breaker and ejection count a failure? */
bool grpc_is_failure(const struct exchange *x);
/* Is the answer nothing but a status that is tried again? */
bool grpc_may_retry(const struct exchange *x);

/* "application/grpc", "application/grpc+proto; ..." */
bool grpc_media_type(struct str value);
/* "250m" -> nanoseconds; 0 when it is malformed (or no time at all). */
uint64_t grpc_timeout_ns(struct str value);
