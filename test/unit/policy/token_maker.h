/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* token_maker.h - keys, key sets and tokens of any shape, for tests. Include after <cmocka.h>. */
#include "policy/keyset.h"
#include "policy/token.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

/* Include-only helpers: each test uses what it needs. */
#define HELPER static inline

#define NOW    1700000000
#define SECRET "a secret that is as long as SHA-512 is wide, and then some more.."

HELPER char *base64url(const void *bytes, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *p = bytes;
    char *text = calloc(1, n / 3 * 4 + 5);
    size_t at = 0;

    assert_non_null(text);
    for (size_t i = 0; i < n; i += 3) {
        unsigned b =
            (unsigned)(p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0));
        for (unsigned k = 0; k < 4 && (k < 2 || i + k - 1 < n); k++)
            text[at++] = letters[b >> (18 - 6 * k) & 63];
    }
    return text;
}

HELPER const EVP_MD *maker_digest(enum token_alg alg)
{
    static const int bits[TOKEN_ALGS] = {
        [ALG_RS256] = 256, [ALG_RS384] = 384, [ALG_RS512] = 512, [ALG_PS256] = 256,
        [ALG_PS384] = 384, [ALG_PS512] = 512, [ALG_ES256] = 256, [ALG_ES384] = 384,
        [ALG_ES512] = 512, [ALG_HS256] = 256, [ALG_HS384] = 384, [ALG_HS512] = 512};

    return bits[alg] == 256   ? EVP_sha256()
           : bits[alg] == 384 ? EVP_sha384()
           : bits[alg] == 512 ? EVP_sha512()
                              : NULL;
}

HELPER size_t maker_coordinate(enum token_alg alg)
{
    return alg == ALG_ES256 ? 32 : alg == ALG_ES384 ? 48 : 66;
}

/* DER to r and s side by side. */
HELPER size_t maker_jose(enum token_alg alg, unsigned char *sig, size_t n)
{
    const unsigned char *p = sig;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
    size_t half = maker_coordinate(alg);

    assert_non_null(s);
    BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, (int)half);
    BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + half, (int)half);
    ECDSA_SIG_free(s);
    return 2 * half;
}

/* How an RSA-PSS signature may be unlike what RFC 7518 says. */
struct pss_options {
    int salt;           /* 0 = as long as the digest */
    const EVP_MD *mgf1; /* NULL = the digest */
};

/* The raw signature; its length. */
HELPER size_t maker_sign(EVP_PKEY *key, enum token_alg alg, const char *text,
                         const struct pss_options *pss, unsigned char sig[1024])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    size_t n = 1024;
    bool is_pss = alg >= ALG_PS256 && alg <= ALG_PS512;
    bool is_ec = alg >= ALG_ES256 && alg <= ALG_ES512;

    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, maker_digest(alg), NULL, key), 1);
    if (is_pss) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
                                         pss && pss->salt ? pss->salt : RSA_PSS_SALTLEN_DIGEST);
        if (pss && pss->mgf1)
            EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, pss->mgf1);
    }
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(ctx);
    return is_ec ? maker_jose(alg, sig, n) : n;
}

HELPER size_t maker_hmac(const void *secret, size_t n, enum token_alg alg, const char *text,
                         unsigned char sig[1024])
{
    unsigned len = 0;

    HMAC(maker_digest(alg), secret, (int)n, (const unsigned char *)text, strlen(text), sig, &len);
    return len;
}

/* HEADER.PAYLOAD of two texts. */
HELPER char *maker_unsigned(const char *header, const char *claims)
{
    char *h = base64url(header, strlen(header)), *c = base64url(claims, strlen(claims)), *text;

    assert_true(asprintf(&text, "%s.%s", h, c) > 0);
    free(h);
    free(c);
    return text;
}

/* Takes over `text`. */
HELPER char *maker_append(char *text, const void *sig, size_t n)
{
    char *s = base64url(sig, n), *whole;

    assert_true(asprintf(&whole, "%s.%s", text, s) > 0);
    free(text);
    free(s);
    return whole;
}

HELPER char *maker_token(EVP_PKEY *key, enum token_alg alg, const char *header, const char *claims)
{
    unsigned char sig[1024];
    char *text = maker_unsigned(header, claims);

    return maker_append(text, sig, maker_sign(key, alg, text, NULL, sig));
}

HELPER char *maker_secret_token(const void *secret, size_t n, enum token_alg alg,
                                const char *header, const char *claims)
{
    unsigned char sig[1024];
    char *text = maker_unsigned(header, claims);

    return maker_append(text, sig, maker_hmac(secret, n, alg, text, sig));
}

HELPER char *maker_number(EVP_PKEY *key, const char *name, size_t bytes)
{
    unsigned char buf[1024];
    BIGNUM *n = NULL;
    char *text;
    int len;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    len = bytes ? BN_bn2binpad(n, buf, (int)bytes) : BN_bn2bin(n, buf);
    text = base64url(buf, (size_t)len);
    BN_free(n);
    return text;
}

/* The public key as JWK; `more` are further members, such as "\"kid\":\"a\"". */
HELPER char *maker_jwk(EVP_PKEY *key, const char *more)
{
    static const struct {
        int bits;
        const char *crv;
        size_t bytes;
    } curves[] = {{256, "P-256", 32}, {384, "P-384", 48}, {521, "P-521", 66}};
    char *a, *b = NULL, *text = NULL;
    unsigned char raw[32];
    size_t n = sizeof raw;

    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        a = maker_number(key, OSSL_PKEY_PARAM_RSA_N, 0);
        b = maker_number(key, OSSL_PKEY_PARAM_RSA_E, 0);
        assert_true(asprintf(&text, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\",%s}", a, b, more) >
                    0);
    } else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
        int i = EVP_PKEY_get_bits(key) == 256 ? 0 : EVP_PKEY_get_bits(key) == 384 ? 1 : 2;

        a = maker_number(key, OSSL_PKEY_PARAM_EC_PUB_X, curves[i].bytes);
        b = maker_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, curves[i].bytes);
        assert_true(asprintf(&text, "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\",%s}",
                             curves[i].crv, a, b, more) > 0);
    } else {
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &n), 1);
        a = base64url(raw, n);
        assert_true(
            asprintf(&text, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\",%s}", a, more) > 0);
    }
    free(a);
    free(b);
    return text;
}

HELPER struct keyset *maker_keyset(const char *jwks, unsigned algorithms)
{
    struct jwk_rules rules = {.algorithms = algorithms, .secrets = true};
    struct err e = {""};
    struct keyset *s = keyset_from_jwks(str_of(jwks), &rules, &e);

    if (!s)
        print_error("%s\n", e.text);
    assert_non_null(s);
    return s;
}
