/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* proxy_header.h - the PROXY protocol header at the beginning of a client connection, before TLS:
 * the stage CONN_PROXY_HEADER of conn_open.h.
 *
 * The bytes are looked at without taking them until the header is whole, so that nothing of what
 * follows gets into the wrong hands: TLS reads the descriptor itself. */
#include "proxy/conn.h"

/* IO_OK: the header is read and c->peer is whom it names. IO_AGAIN: more must come. IO_EOF,
 * IO_ERROR: to be closed; a header that is missing or wrong was counted. */
enum io proxy_header_run(struct conn *c);
