/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* conn_open.h - what a new client connection goes through before its first request: PROXY protocol
 * header, TLS handshake. */
#include "proxy/conn.h"

/* A connection just accepted: the first stage, and its deadline. */
void conn_open_begin(struct conn *c);
/* Goes on until HTTP can begin. False: it waits for more, or is closed and gone. */
bool conn_open(struct conn *c) MUST_CHECK;
/* It ends before that, perhaps because its time is over. For every connection that is closed. */
void conn_open_end(struct conn *c, bool timed_out);
