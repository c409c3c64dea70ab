/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* hash.h - non-cryptographic 64-bit hashing of byte strings.
 *
 * Stable across processes and versions: consistent hashing depends on it, since two gateways must
 * send the same key to the same instance. */
#include "base/str.h"

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed);

static inline uint64_t hash_str(struct str s, uint64_t seed)
{
    return hash_bytes(s.p, s.n, seed);
}

/* Spreads an integer over all 64 bits (finaliser of MurmurHash3). */
static inline uint64_t hash_mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdull;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ull;
    return h ^ (h >> 33);
}
