/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* siphash.h - keyed hashing of what strangers send (Aumasson and Bernstein, 2012).
 *
 * Who does not know the key can neither predict a value nor find two texts with the same one: so
 * nobody can choose whose place in a table he gets. SipHash-1-3, which is enough for tables. Where
 * several gateways must agree on a value (balancing), use hash.h. */
#include "base/str.h"

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, const void *p, size_t n);
/* Any number of rounds; SipHash-2-4 has published test vectors. */
uint64_t siphash_rounds(const struct siphash_key *key, const void *p, size_t n, int c, int d);
