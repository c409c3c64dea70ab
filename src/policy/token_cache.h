/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* token_cache.h - tokens that were found good a moment ago, so that most requests cost a lookup and
 * no signature.
 *
 * One a worker, never shared. An entry is found by the token's whole text: the hash, of its last
 * bytes, only leads there. It counts until the token expires, while the issuer has the same keys
 * (generation) and the configuration is the same (set id). Only good tokens get in, so strangers
 * cannot push anything out. Bounded in entries and bytes; the one that was used longest ago goes
 * first. */
#include "base/macros.h"
#include "policy/identity.h"

enum {
    TOKEN_CACHE_ENTRIES = 8192,
    TOKEN_CACHE_BYTES = 8 << 20, /* of texts; identities come on top */
};

struct issuer;
struct token_cache;

/* NULL when memory is out. */
struct token_cache *token_cache_new(void) MUST_CHECK;
/* The same with other bounds; `seed` fixes the hash, for tests. */
struct token_cache *token_cache_new_with(unsigned entries, size_t bytes, uint64_t seed) MUST_CHECK;
/* Accepts NULL. */
void token_cache_free(struct token_cache **c);

/* What a token was found good for. */
struct token_facts {
    struct issuer *issuer; /* borrowed in calls; the cache keeps a reference */
    uint64_t generation;   /* of its keys */
    uint64_t set_id;
    int64_t expires_at_s; /* leeway included; 0 = never */
    struct identity *identity;
};

/* NULL when it is not known, or no longer good at now_s under this set. Borrowed until the next
 * call. */
const struct token_facts *token_cache_find(struct token_cache *c, struct str token, uint64_t set_id,
                                           int64_t now_s);
/* Remembers a token; takes references of its own. Does nothing when memory is out. */
void token_cache_add(struct token_cache *c, struct str token, const struct token_facts *f);

struct token_cache_usage {
    unsigned entries;
    size_t bytes;
    uint64_t hits, misses, evicted;
};
void token_cache_usage(const struct token_cache *c, struct token_cache_usage *ret);
