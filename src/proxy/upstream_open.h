/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* upstream_open.h - what a new connection to an instance goes through before its first request: the
 * three-way handshake, a PROXY protocol header, the handshake of TLS. */
#include "proxy/upstream.h"

/* What the configuration and the exchange's attempt say about where to go. `on_behalf` is storage
 * for the client's addresses. */
struct upstream_target upstream_target_of(const struct exchange *x,
                                          struct proxy_addresses *on_behalf);
/* Makes ready what will be needed: TLS session, PROXY protocol header. */
enum reason upstream_prepare(struct upstream *u, const struct upstream_target *to);
/* Goes on. IO_OK: a request can be sent. IO_AGAIN: an event will call again. IO_ERROR: *ret_why.
 * Where the choice of HTTP versions is the instance's, *u may become another one. */
enum io upstream_open(struct upstream **u, enum reason *ret_why) MUST_CHECK;
/* Its TLS is not what is asked for: says so where people look. REASON_UPSTREAM_TLS. */
enum reason upstream_tls_failed(struct upstream *u, const char *text);
/* What a failed system call means. Our own shortage (descriptors, memory) says nothing about the
 * instance: REASON_INTERNAL. */
enum reason upstream_reason(int e);
