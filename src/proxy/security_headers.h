/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* security_headers.h - the fields of `security_headers:` on answers: the gateway's own as well as
 * those of services, where these do not have them. */
#include "proxy/exchange.h"

struct writer;

void security_headers_write(const struct exchange *x, struct writer *w);
bool security_headers_replace(const struct exchange *x, struct str name);
