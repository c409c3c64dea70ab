/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* conn_open.h - what a new client connection goes through before its first request: PROXY protocol
 * header, TLS handshake. */
#include "proxy/conn.h"

/* The first stage of a connection of this listener. */
enum conn_stage conn_open_first(const struct listener_settings *l);
/* Goes on until HTTP can begin. False: it waits for more, or is closed and gone. */
bool conn_open(struct conn *c) MUST_CHECK;
