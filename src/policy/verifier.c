/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/verifier.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

static const EVP_MD *digest_of(enum token_alg alg)
{
    switch (alg) {
    case ALG_RS256:
    case ALG_PS256:
    case ALG_ES256:
        return EVP_sha256();
    case ALG_RS384:
    case ALG_PS384:
    case ALG_ES384:
        return EVP_sha384();
    case ALG_RS512:
    case ALG_PS512:
    case ALG_ES512:
        return EVP_sha512();
    case ALG_EDDSA:
    case ALG_HS256:
    case ALG_HS384:
    case ALG_HS512:
    case TOKEN_ALGS:
        break;
    }
    return NULL;
}

static bool is_pss(enum token_alg alg)
{
    return alg == ALG_PS256 || alg == ALG_PS384 || alg == ALG_PS512;
}

EVP_MD_CTX *verifier_new(EVP_PKEY *key, enum token_alg alg)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx; /* borrowed from ctx */

    if (ctx && EVP_DigestVerifyInit(ctx, &pctx, digest_of(alg), NULL, key) == 1 &&
        (!is_pss(alg) || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                          EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1)))
        return ctx;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return NULL;
}

int verifier_check(const EVP_MD_CTX *verifier, const unsigned char *sig, size_t n, struct str text,
                   bool *ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int r = -1;

    if (ctx && EVP_MD_CTX_copy_ex(ctx, verifier) == 1) {
        *ret = EVP_DigestVerify(ctx, sig, n, (const unsigned char *)text.p, text.n) == 1;
        r = 0;
    }
    if (r < 0 || !*ret)
        ERR_clear_error();
    EVP_MD_CTX_free(ctx);
    return r;
}
