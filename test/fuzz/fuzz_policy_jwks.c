/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a key set, as PEM and as a secret: what is taken can be used, and is strong enough.
 */
#include "policy/keyset.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct keyset *s)
{
    if (!s)
        return;
    assert(s->n > 0 && s->n <= KEYSET_MAX && s->generation > 0);
    for (size_t i = 0; i < s->n; i++) {
        const struct jwk *k = &s->keys[i];

        assert(k->algorithms != 0 && (k->key != NULL) != (k->secret != NULL));
        assert(!k->secret || (k->nsecret >= 32 && !(k->algorithms & ALGS_PUBLIC)));
        assert(!k->key || !(k->algorithms & ALGS_HMAC));
        if (k->algorithms & ALGS_RSA)
            assert(EVP_PKEY_get_bits(k->key) >= JWK_RSA_MIN_BITS);
    }
    keyset_unref(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jwk_rules rules = {.algorithms = ALGS_PUBLIC | ALGS_HMAC, .secrets = true};
    struct str text = {(const char *)data, size};
    struct err e;

    if (size == 0)
        return 0;
    if (data[0] == '-')
        check(keyset_from_pem(text, &rules, &e));
    else if (data[0] == 's')
        check(keyset_from_secret(text, &rules, &e));
    else
        check(keyset_from_jwks(text, &rules, &e));
    return 0;
}
