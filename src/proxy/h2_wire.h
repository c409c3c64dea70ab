/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_wire.h - frames between nghttp2 and a socket, for both sides of HTTP/2. */
#include "proxy/sock.h"
#include "proxy/worker.h"

#include <nghttp2/nghttp2.h>

/* Writes all that nghttp2 has to say, in pieces as large as they come. `out` holds what the socket
 * has not taken yet; NULL = nothing. *ret_written: bytes that it took now.
 * IO_OK: there is nothing more. IO_AGAIN: an event will come. IO_ERROR: the connection has ended,
 * or nghttp2 cannot go on. */
enum io h2_wire_write(struct worker *w, nghttp2_session *ng, struct sock *s, struct buf **out,
                      size_t *ret_written) MUST_CHECK;
/* Hands to nghttp2 what the socket has, for some turns; the socket's event comes again when there
 * may be more. False: the connection has ended, or nghttp2 cannot go on. */
bool h2_wire_read(struct worker *w, nghttp2_session *ng, struct sock *s,
                  bool *ret_heard) MUST_CHECK;
