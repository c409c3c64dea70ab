/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

struct state {
    uint64_t a, b, c, d;
};

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void mix(struct state *s, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        s->a += s->b;
        s->c += s->d;
        s->b = rotate(s->b, 13) ^ s->a;
        s->d = rotate(s->d, 16) ^ s->c;
        s->a = rotate(s->a, 32);
        s->c += s->b;
        s->a += s->d;
        s->b = rotate(s->b, 17) ^ s->c;
        s->d = rotate(s->d, 21) ^ s->a;
        s->c = rotate(s->c, 32);
    }
}

static inline uint64_t load(const unsigned char *p, size_t n)
{
    uint64_t w = 0;

    for (size_t i = 0; i < n; i++)
        w |= (uint64_t)p[i] << (8 * i);
    return w;
}

static inline uint64_t run(const struct siphash_key *key, const void *p, size_t n, int c, int d)
{
    const unsigned char *at = p;
    size_t left = n;
    struct state s = {key->k0 ^ 0x736f6d6570736575ull, key->k1 ^ 0x646f72616e646f6dull,
                      key->k0 ^ 0x6c7967656e657261ull, key->k1 ^ 0x7465646279746573ull};
    uint64_t w;

    for (; left >= 8; left -= 8, at += 8) {
        w = load(at, 8);
        s.d ^= w;
        mix(&s, c);
        s.a ^= w;
    }
    w = load(at, left) | (uint64_t)n << 56;
    s.d ^= w;
    mix(&s, c);
    s.a ^= w;
    s.c ^= 0xff;
    mix(&s, d);
    return s.a ^ s.b ^ s.c ^ s.d;
}

uint64_t siphash(const struct siphash_key *key, const void *p, size_t n)
{
    return run(key, p, n, 1, 3);
}

uint64_t siphash_rounds(const struct siphash_key *key, const void *p, size_t n, int c, int d)
{
    return run(key, p, n, c, d);
}
