/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* client_cert.h - the client's certificate as the service sees it: Client-Cert and
 * Client-Cert-Chain (RFC 9440), on routes that have `forward_client_certificate`.
 *
 * The same fields of a request from outside never go on, on any route: they are guarded fields
 * (config/guarded.c). */
#include "proxy/exchange.h"

struct writer;

void client_cert_write(const struct exchange *x, struct writer *w);
