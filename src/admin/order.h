/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* order.h - the body of a write: what an operator wants, from JSON to a checked struct. Pure.
 *
 *   {"state": "forced_open", "ttl": "10m", "reason": "...", "author": "...",
 *    "scope": "local" | "fleet", "even_last": false}
 *
 * Strict, because what is misspelt would be left out at the worst moment: unknown members, wrong
 * types and duplicates are refused by name. Texts are cut to what the journal keeps, at a whole
 * character, and control characters in them become spaces. */
#include "base/err.h"
#include "snapshot/operate.h"

enum { ORDER_MAX_BYTES = 4096 };

struct order {
    enum operation what;
    uint64_t ttl_ms; /* 0 = not given */
    char author[AUTHOR_MAX], why[WHY_MAX];
    bool fleet, even_last;
};

int order_parse(const char *text, size_t n, struct order *ret, struct err *e) MUST_CHECK;
/* Copies a text for the journal: cut at a whole character, control characters as spaces. */
void order_text(char *ret, size_t cap, const char *text);
