/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* listener.h - listening sockets: opened by the control thread, accepted from by a worker. */
#include "base/err.h"
#include "config/config.h"
#include "proxy/worker.h"

/* A bound, listening, non-blocking socket, or -1 and why. Control thread. */
int listener_open_socket(const struct listener_conf *c, struct err *e) MUST_CHECK;
/* Control thread: gives the worker a listener, changes the settings of one or tells it to close it.
 * Takes over the descriptor and a reference to the settings. */
void listener_post(struct worker *w, struct listener_order order);

/* Worker: does what was posted. */
void listeners_update(struct worker *w);
/* Worker: accepts what has already arrived, then closes them all. */
void listeners_close(struct worker *w);
/* Worker: closes them as they are, and drops what was posted and not done. */
void listeners_drop(struct worker *w);
