/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* service_tls.h - how the instances of a service are spoken to: what configuration and catalog say
 * together, and the TLS settings for it. Control thread. */
#include "snapshot/snapshot.h"

/* Reads the TLS files of every service that names some: what is wrong with them, before the
 * configuration is in force. */
int service_tls_check(struct registry *r, const struct config *c, struct err *e) MUST_CHECK;
/* Fills in v->transports and, when one of them needs it, v->tls. */
void service_tls_fill(struct registry *r, struct service_view *v);
