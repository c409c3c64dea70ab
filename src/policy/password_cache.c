/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/password_cache.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 512, WAYS = 4 };

struct slot {
    unsigned char digest[PASSWORD_DIGEST];
    uint64_t until_ns;
    struct identity *who; /* ref; NULL = free */
};

struct password_cache {
    struct slot slots[SETS][WAYS];
};

struct password_cache *password_cache_new(void)
{
    return calloc(1, sizeof(struct password_cache));
}

void password_cache_free(struct password_cache **cp)
{
    struct password_cache *c = *cp;

    *cp = NULL;
    for (unsigned s = 0; c && s < SETS; s++)
        for (unsigned i = 0; i < WAYS; i++)
            identity_unref(&c->slots[s][i].who);
    free(c);
}

/* A digest is random by itself. */
static struct slot *set_of(struct password_cache *c, const unsigned char *digest)
{
    return c->slots[(digest[0] | digest[1] << 8) % SETS];
}

struct identity *password_cache_find(struct password_cache *c,
                                     const unsigned char digest[PASSWORD_DIGEST], uint64_t now_ns)
{
    struct slot *set = set_of(c, digest);

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].who && CRYPTO_memcmp(set[i].digest, digest, PASSWORD_DIGEST) == 0)
            return now_ns < set[i].until_ns ? set[i].who : NULL;
    return NULL;
}

/* The same one, a free one, or the one that ends first. */
static struct slot *place_for(struct slot *set, const unsigned char *digest)
{
    struct slot *best = &set[0];

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].who && CRYPTO_memcmp(set[i].digest, digest, PASSWORD_DIGEST) == 0)
            return &set[i];
        if (best->who && (!set[i].who || set[i].until_ns < best->until_ns))
            best = &set[i];
    }
    return best;
}

void password_cache_add(struct password_cache *c, const unsigned char digest[PASSWORD_DIGEST],
                        struct identity *who, uint64_t until_ns)
{
    struct slot *s = place_for(set_of(c, digest), digest);

    identity_ref(who);
    identity_unref(&s->who);
    memcpy(s->digest, digest, PASSWORD_DIGEST);
    s->until_ns = until_ns;
    s->who = who;
}
