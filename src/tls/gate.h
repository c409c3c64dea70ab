/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* gate.h - how many handshakes a listener takes on. A handshake costs a thousand times what it
 * costs to ask for one, so it is refused before any cryptography.
 *
 * One for a listener, shared by its workers, and it outlives its settings: the limits are exact
 * whatever worker the kernel gives a connection to. `max_handshakes_per_second` is a GCRA (one
 * atomic word): after a pause that many at once, then one each 1/n s. */
#include "config/tls_conf.h"

#include <stdbool.h>
#include <stdint.h>

struct tls_gate;

struct tls_gate *tls_gate_new(void);
/* Any thread. */
struct tls_gate *tls_gate_ref(struct tls_gate *g);
void tls_gate_unref(struct tls_gate **g);

enum tls_entry { TLS_ENTER, TLS_TOO_FAST, TLS_TOO_MANY };

/* TLS_ENTER must be followed by one tls_gate_leave(). Any thread. */
enum tls_entry tls_gate_enter(struct tls_gate *g, const struct tls_conf *c, uint64_t now_ns);
void tls_gate_leave(struct tls_gate *g);
unsigned tls_gate_inside(const struct tls_gate *g);
