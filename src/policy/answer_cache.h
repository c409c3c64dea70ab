/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* answer_cache.h - what authorities have said a moment ago (forward authentication, introspection),
 * by a digest of all that the answer depends on.
 *
 * The digest is a SHA-256 that begins with a secret of the worker, so nobody can aim entries at one
 * place. One a worker, never shared. Bounded in entries and in bytes, as who uses it estimates
 * them; what was used longest ago goes first. Answers of strangers' making (refusals) belong into a
 * cache of their own, where they push out nothing but each other. */
#include "base/macros.h"
#include "policy/identity.h"

enum {
    ANSWER_DIGEST = 32,
    /* What is enough for a worker. */
    ANSWERS_GOOD = 16384,
    ANSWERS_GOOD_BYTES = 16 << 20,
    ANSWERS_REFUSED = 4096,
    ANSWERS_REFUSED_BYTES = 1 << 20
};

struct answer_cache;

struct cached_answer {
    struct identity *identity; /* NULL = it was refused; the cache keeps a reference */
    const char *detail;        /* why; static text */
};

/* NULL when memory is out. */
struct answer_cache *answer_cache_new(unsigned max_entries, size_t max_bytes) MUST_CHECK;
/* Accepts NULL. */
void answer_cache_free(struct answer_cache **c);
/* NULL = it is not known, or no longer. Borrowed until the next call. */
const struct cached_answer *answer_cache_find(struct answer_cache *c,
                                              const unsigned char digest[ANSWER_DIGEST],
                                              uint64_t now_ns);
/* In place of what is there by that digest. Does nothing when memory is out, or when it is too
 * large by itself. */
void answer_cache_add(struct answer_cache *c, const unsigned char digest[ANSWER_DIGEST],
                      const struct cached_answer *a, size_t bytes, uint64_t until_ns);
