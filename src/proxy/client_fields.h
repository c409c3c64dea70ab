/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* client_fields.h - the fields of a client's request that go along with another request made for
 * it. */
#include "base/bytes.h"
#include "proxy/exchange.h"

/* Not those that are about its body, which stays here, or would make of the answer another one
 * (conditions, ranges); nor those that every such request takes over anyway (subrequest.h). */
bool client_field_goes_along(const struct header *h);
/* Lines of all that go along; for `door`, with the credentials that services do not get and what
 * only the gateway may set, as far as the client may bring it. False when memory is out. */
bool client_fields_write(const struct exchange *x, bool door, struct bytes *to) MUST_CHECK;
