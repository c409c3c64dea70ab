/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* verifier.h - a public key made ready for one algorithm.
 *
 * OpenSSL looks up digest and implementation by name each time that a verification begins, which
 * costs 2 us of the 44 of ES256. So it begins once, and each signature is checked with a copy. */
#include "base/macros.h"
#include "base/str.h"
#include "config/issuers_conf.h"

#include <openssl/evp.h>

/* NULL when the key cannot be used so, or memory is out. Takes a reference to the key. */
EVP_MD_CTX *verifier_new(EVP_PKEY *key, enum token_alg alg) MUST_CHECK;
/* Is `sig`, in OpenSSL's form, the signature of `text`? *ret only when this could be found out,
 * else -1: memory is out. Any thread. */
int verifier_check(const EVP_MD_CTX *verifier, const unsigned char *sig, size_t n, struct str text,
                   bool *ret) MUST_CHECK;
