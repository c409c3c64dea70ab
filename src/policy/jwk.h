/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* jwk.h - one key that verifies tokens, and what it is good for: from a JSON Web Key (RFC 7517, RFC
 * 7518 section 6, RFC 8037) or from PEM.
 *
 * A key that is weak or makes no sense is not taken: RSA below 2048 bits or with an exponent of 1,
 * points that are not on their curve, secrets shorter than the hash, keys that are not for
 * signatures, and keys whose private part is shown, since anyone could sign with it. */
#include "base/macros.h"
#include "base/str.h"
#include "config/issuers_conf.h"

#include <jansson.h>
#include <openssl/evp.h>

enum { JWK_RSA_MIN_BITS = 2048, JWK_RSA_MAX_BITS = 8192, JWK_SECRET_MAX = 1024 };

struct jwk {
    char *kid;                         /* owned; NULL = it has none */
    unsigned algorithms;               /* ALG_BIT()s that it may be used with; never 0 */
    EVP_PKEY *key;                     /* owned; NULL: it is a secret */
    EVP_MD_CTX *verifiers[TOKEN_ALGS]; /* owned; of a key: one for each of its algorithms */
    unsigned char *secret;             /* owned */
    size_t nsecret;
};

/* What the issuer's configuration allows. */
struct jwk_rules {
    unsigned algorithms;
    bool secrets; /* keys of type oct may be in the set: it does not come over a network */
};

/* NULL and *ret is the caller's; else why the key is not taken: static text. */
const char *jwk_from_json(const json_t *json, const struct jwk_rules *rules,
                          struct jwk *ret) MUST_CHECK;
/* Takes over the key, in any case. */
const char *jwk_from_key(EVP_PKEY *key, const struct jwk_rules *rules, struct jwk *ret) MUST_CHECK;
const char *jwk_from_secret(struct str secret, const struct jwk_rules *rules,
                            struct jwk *ret) MUST_CHECK;
void jwk_release(struct jwk *k);

/* Bytes of the hash of an HMAC algorithm; 0 for others. */
size_t jwk_hmac_bytes(enum token_alg alg);
