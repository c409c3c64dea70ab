/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* keyset.h - the keys of one issuer as of one reading. Immutable, counted by reference.
 *
 * `kid` is a hint, and a lookup in this set is all it is used for. A key without one (from PEM, a
 * secret) may be meant by any token; a key that has one is meant by tokens with that one, and by
 * tokens without any as long as there are few keys: KEYSET_TRIES bounds what a token may cost. */
#include "base/err.h"
#include "policy/jwk.h"

#include <stdatomic.h>

enum { KEYSET_TRIES = 4, KEYSET_MAX = 128, KEYSET_JSON_MAX = 256 << 10, KEYSET_DIGEST = 32 };

struct keyset {
    _Atomic int refs;
    uint64_t generation;                 /* another one for each reading in this process; never 0 */
    unsigned char digest[KEYSET_DIGEST]; /* of the text that it was read from */
    const char *skipped_why;             /* why the first of those was left out; static text */
    size_t skipped;
    size_t n; /* at least 1 */
    struct jwk keys[];
};

/* NULL and a message when there is not one usable key in it. The text itself is not repeated. */
struct keyset *keyset_from_jwks(struct str text, const struct jwk_rules *rules,
                                struct err *e) MUST_CHECK;
/* PUBLIC KEY and CERTIFICATE blocks; every one of them must do. */
struct keyset *keyset_from_pem(struct str text, const struct jwk_rules *rules,
                               struct err *e) MUST_CHECK;
/* A secret; one line break at its end does not count. */
struct keyset *keyset_from_secret(struct str text, const struct jwk_rules *rules,
                                  struct err *e) MUST_CHECK;
/* Any thread. */
struct keyset *keyset_ref(struct keyset *s);
void keyset_unref(struct keyset **s);
/* Were both read from the same text? */
bool keyset_same(const struct keyset *a, const struct keyset *b);

enum keyset_match {
    KEYSET_FOUND,
    KEYSET_UNKNOWN,  /* no key with that kid */
    KEYSET_MISMATCH, /* there is, but it is not for that algorithm */
    KEYSET_AMBIGUOUS /* too many that could be meant */
};

/* The keys that may have signed a token with this kid (NULL = none) and algorithm. */
enum keyset_match keyset_find(const struct keyset *s, const char *kid, enum token_alg alg,
                              const struct jwk *ret[KEYSET_TRIES], size_t *ret_n);
