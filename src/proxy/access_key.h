/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_key.h - whose API key does this request carry? */
#include "proxy/access_identity.h"

/* Never waits. A request with two keys is refused, whichever of them are good: who reads the first
 * and who reads the last would see different clients. */
access_auth_fn access_key_check;
/* "?" and the query for the service: without the keys of stores that this request was checked
 * against, unless they `pass`. Nothing when nothing is left. */
void access_key_write_query(const struct exchange *x, struct writer *w);
