/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/jws.h"
#include "policy/base64url.h"
#include "policy/keyset.h"
#include "policy/verifier.h"

#include <jwt.h>

/* r and s of an ECDSA signature have this many bytes each; 0 = it is none. */
static size_t ec_bytes(enum token_alg alg)
{
    return alg == ALG_ES256 ? 32 : alg == ALG_ES384 ? 48 : alg == ALG_ES512 ? 66 : 0;
}

static size_t signature_bytes(const struct jwk *k, enum token_alg alg)
{
    if (k->secret)
        return jwk_hmac_bytes(alg);
    if (ec_bytes(alg))
        return 2 * ec_bytes(alg);
    return (size_t)EVP_PKEY_get_size(k->key);
}

/* An unsigned number as a DER INTEGER at `out`; its length there. */
static size_t der_integer(const unsigned char *p, size_t n, unsigned char *out)
{
    size_t pad;

    while (n > 1 && p[0] == 0) {
        p++;
        n--;
    }
    pad = p[0] >> 7;
    out[0] = 2;
    out[1] = (unsigned char)(n + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, p, n);
    return 2 + pad + n;
}

enum { DER_MAX = 3 + 2 * (3 + 66) };

/* r and s, side by side in a token, as OpenSSL wants them. */
static size_t der_signature(const unsigned char *rs, size_t bytes, unsigned char out[DER_MAX])
{
    unsigned char body[DER_MAX];
    size_t n = der_integer(rs, bytes, body), at = 0;

    n += der_integer(rs + bytes, bytes, body + n);
    out[at++] = 0x30;
    if (n > 127)
        out[at++] = 0x81;
    out[at++] = (unsigned char)n;
    memcpy(out + at, body, n);
    return at + n;
}

static bool is_zero(const unsigned char *p, size_t n)
{
    unsigned char any = 0;

    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

static enum token_error verify_public(const struct token *t, const struct jwk *k,
                                      const unsigned char *sig, size_t n)
{
    unsigned char der[DER_MAX];
    size_t ec = ec_bytes(t->alg);
    bool good;

    if (ec) {
        n = der_signature(sig, ec, der);
        sig = der;
    }
    if (verifier_check(k->verifiers[t->alg], sig, n, t->signed_of, &good) < 0)
        return TOKEN_MEMORY;
    return good ? TOKEN_OK : TOKEN_SIGNATURE_WRONG;
}

/* libjwt compares in constant time. It takes its algorithm from the header, which was compared with
 * the key's, and parses the payload again: a few microseconds once in a token's life. */
static enum token_error verify_secret(const struct token *t, const struct jwk *k)
{
    char text[TOKEN_MAX + 1];
    jwt_t *jwt = NULL;
    bool good;

    memcpy(text, t->text.p, t->text.n);
    text[t->text.n] = '\0';
    good = jwt_decode(&jwt, text, k->secret, (int)k->nsecret) == 0;
    jwt_free(jwt);
    return good ? TOKEN_OK : TOKEN_SIGNATURE_WRONG;
}

static enum token_error verify_with(const struct token *t, const struct jwk *k,
                                    const unsigned char *sig, size_t n)
{
    size_t ec = ec_bytes(t->alg);

    if (n != signature_bytes(k, t->alg))
        return TOKEN_SIGNATURE_LENGTH;
    if (ec && (is_zero(sig, ec) || is_zero(sig + ec, ec)))
        return TOKEN_SIGNATURE_ZERO;
    return k->secret ? verify_secret(t, k) : verify_public(t, k, sig, n);
}

enum token_error jws_verify(const struct token *t, const struct keyset *keys)
{
    unsigned char sig[BASE64URL_BYTES(TOKEN_MAX)];
    const struct jwk *candidates[KEYSET_TRIES];
    enum token_error e = TOKEN_KEY_UNKNOWN;
    size_t n, tries;

    switch (keyset_find(keys, t->kid, t->alg, candidates, &tries)) {
    case KEYSET_UNKNOWN:
        return TOKEN_KEY_UNKNOWN;
    case KEYSET_MISMATCH:
        return TOKEN_KEY_MISMATCH;
    case KEYSET_AMBIGUOUS:
        return TOKEN_KEY_AMBIGUOUS;
    case KEYSET_FOUND:
        break;
    }
    if (!base64url_decode(t->signature, sig, &n))
        return TOKEN_SIGNATURE_ENCODING;
    for (size_t i = 0; i < tries; i++) {
        e = verify_with(t, candidates[i], sig, n);
        if (e == TOKEN_OK)
            break;
    }
    return e;
}
