/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

/* Eight bytes at a time, mixed by multiplication; the tail is padded with zeros and the length
 * enters the seed, so "a" and "a\0" differ. */
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed)
{
    const unsigned char *b = p;
    uint64_t h = hash_mix(seed ^ (n * 0x9e3779b97f4a7c15ull));

    while (n >= 8) {
        uint64_t w;
        memcpy(&w, b, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
        b += 8;
        n -= 8;
    }
    if (n > 0) {
        uint64_t w = 0;
        memcpy(&w, b, n);
        h = (h ^ w) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
    }
    return hash_mix(h);
}
