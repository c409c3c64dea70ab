/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* limit_key.h - who counts as one client of a limit, for one request: a short text that is hashed
 * and then forgotten.
 *
 * Texts of different kinds never meet. A value that is missing (no such header, no such claim) is a
 * client like any other, so that leaving it out is no way around the limit. */
#include "proxy/exchange.h"

struct identity;

enum { LIMIT_KEY_MAX = 768, LIMIT_KEY_VALUE_MAX = 512 };

struct limit_key {
    size_t n;
    char text[LIMIT_KEY_MAX]; /* not cleared behind n */
};

/* False when the limit is not for this request: its address is excepted, or it is by who was
 * authenticated and nobody was. `who` may be NULL. */
bool limit_key_of(const struct exchange *x, const struct identity *who,
                  const struct rate_limit_conf *c, struct limit_key *ret);
