/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* secure.h - what TLS towards the client, or the lack of it, means for a request. */
#include "proxy/exchange.h"

struct writer;

/* Does the listener send every request to its TLS twin? */
bool secure_redirects(const struct exchange *x);
/* The URL there. -1 when the request names no host or it does not fit. */
int secure_location(const struct exchange *x, char *out, size_t cap, size_t *ret_n) MUST_CHECK;
/* A check of the access step: was the connection made for this host, has the client shown the
 * certificate that the route wants? */
enum verdict secure_check(struct exchange *x);
/* Strict-Transport-Security (RFC 6797), where the listener has it. */
void secure_write_response_fields(const struct exchange *x, struct writer *w);
bool secure_replaces_response_field(const struct exchange *x, struct str name);
