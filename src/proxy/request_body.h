/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* request_body.h - the body of a request: already in memory as a whole, and then repeatable, or
 * pumped from the client while it arrives. */
#include "proxy/exchange.h"

/* Judges what came with the head. REASON_NONE, or why the request is refused. */
enum reason request_body_prepare(struct exchange *x);
/* Gets the upload of an attempt ready: head first, then the body. */
void request_body_start(struct exchange *x);
/* Moves it on. REASON_NONE while all is well; x->upload_done, x->upload_broken say more, and the
 * step deadline is armed when it waits. */
enum reason request_body_run(struct exchange *x);
/* The same for who wants the body himself, up to `max` bytes (whole_body.h). It goes to a sink that
 * takes everything at once; x->attempt->upload_done says that all is there. */
void request_body_collect_begin(struct exchange *x, uint64_t max);
enum reason request_body_collect(struct exchange *x, struct sock *sink);
/* A buffer with what was read beyond the part of the request that is in the head's buffer; NULL
 * when memory is out. */
struct buf *request_body_copy_leftover(struct exchange *x) MUST_CHECK;
/* What was read beyond this request goes back to the connection. */
void request_body_leftover(struct exchange *x);
/* Is the client's message known to be fully read? */
bool request_body_consumed(const struct exchange *x);
