/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/jwk.h"
#include "policy/base64url.h"
#include "policy/verifier.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdlib.h>

enum { NUMBER_MAX = 2048 };

static const char memory[] = "memory is out";

struct curve {
    const char *crv, *group;
    size_t bytes; /* of a coordinate */
    enum token_alg alg;
};

static const struct curve curves[] = {
    {"P-256", SN_X9_62_prime256v1, 32, ALG_ES256},
    {"P-384", SN_secp384r1, 48, ALG_ES384},
    {"P-521", SN_secp521r1, 66, ALG_ES512},
};

size_t jwk_hmac_bytes(enum token_alg alg)
{
    return alg == ALG_HS256 ? 32 : alg == ALG_HS384 ? 48 : alg == ALG_HS512 ? 64 : 0;
}

static const struct curve *curve_by_name(const char *crv)
{
    for (size_t i = 0; i < ARRAY_LEN(curves); i++)
        if (strcmp(curves[i].crv, crv) == 0)
            return &curves[i];
    return NULL;
}

static const char *rsa_problem(const EVP_PKEY *key)
{
    BIGNUM *n = NULL, *e = NULL;
    const char *why = NULL;
    int bits;

    if (!EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) ||
        !EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e)) {
        why = "its numbers cannot be read";
    } else {
        bits = BN_num_bits(n);
        if (bits < JWK_RSA_MIN_BITS)
            why = "RSA below 2048 bits";
        else if (bits > JWK_RSA_MAX_BITS)
            why = "RSA above 8192 bits";
        else if (!BN_is_odd(n))
            why = "its modulus is even";
        else if (!BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > 64)
            why = "its exponent is not an odd number from 3 to 2^64";
    }
    BN_free(n);
    BN_free(e);
    return why;
}

static const char *ec_problem(EVP_PKEY *key, unsigned *ret_algorithms)
{
    EVP_PKEY_CTX *ctx;
    char group[64];
    size_t n;
    int ok;

    if (!EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, &n))
        return "its curve has no name";
    for (size_t i = 0; i < ARRAY_LEN(curves); i++)
        if (strcmp(curves[i].group, group) == 0)
            *ret_algorithms = ALG_BIT(curves[i].alg);
    if (!*ret_algorithms)
        return "its curve is not one of P-256, P-384, P-521";
    ctx = EVP_PKEY_CTX_new(key, NULL);
    ok = ctx ? EVP_PKEY_public_check(ctx) : 0;
    EVP_PKEY_CTX_free(ctx);
    return ok == 1 ? NULL : "its point is not on the curve";
}

/* What this kind of key can be used with at all, or what is wrong with it. */
static const char *key_problem(EVP_PKEY *key, unsigned *ret_algorithms)
{
    *ret_algorithms = 0;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        *ret_algorithms = ALGS_RSA;
        return rsa_problem(key);
    case EVP_PKEY_RSA_PSS:
        *ret_algorithms = ALG_BIT(ALG_PS256) | ALG_BIT(ALG_PS384) | ALG_BIT(ALG_PS512);
        return rsa_problem(key);
    case EVP_PKEY_EC:
        return ec_problem(key, ret_algorithms);
    case EVP_PKEY_ED25519:
        *ret_algorithms = ALG_BIT(ALG_EDDSA);
        return NULL;
    default:
        return "a type of key that signs no tokens here";
    }
}

static const char *make_verifiers(struct jwk *k)
{
    for (int alg = 0; alg < TOKEN_ALGS; alg++) {
        if (!(k->algorithms & ALG_BIT(alg)))
            continue;
        k->verifiers[alg] = verifier_new(k->key, (enum token_alg)alg);
        if (!k->verifiers[alg])
            return "it cannot be used with an algorithm of its type";
    }
    return NULL;
}

const char *jwk_from_key(EVP_PKEY *key, const struct jwk_rules *rules, struct jwk *ret)
{
    struct jwk k = {.key = key};
    const char *why = key_problem(key, &k.algorithms);

    k.algorithms &= rules->algorithms;
    if (!why && !k.algorithms)
        why = "it is for none of the algorithms that are allowed";
    if (!why)
        why = make_verifiers(&k);
    ERR_clear_error();
    if (why)
        jwk_release(&k);
    else
        *ret = k;
    return why;
}

const char *jwk_from_secret(struct str secret, const struct jwk_rules *rules, struct jwk *ret)
{
    struct jwk k = {.nsecret = secret.n};

    if (secret.n > JWK_SECRET_MAX)
        return "a secret longer than 1024 bytes";
    for (int alg = ALG_HS256; alg <= ALG_HS512; alg++)
        if ((rules->algorithms & ALG_BIT(alg)) && secret.n >= jwk_hmac_bytes((enum token_alg)alg))
            k.algorithms |= ALG_BIT(alg);
    if (!(rules->algorithms & ALGS_HMAC))
        return "it is for none of the algorithms that are allowed";
    if (!k.algorithms)
        return "a secret that is shorter than the hash";
    k.secret = malloc(secret.n);
    if (!k.secret)
        return memory;
    memcpy(k.secret, secret.p, secret.n);
    *ret = k;
    return NULL;
}

void jwk_release(struct jwk *k)
{
    for (int alg = 0; alg < TOKEN_ALGS; alg++)
        EVP_MD_CTX_free(k->verifiers[alg]);
    EVP_PKEY_free(k->key);
    if (k->secret) {
        OPENSSL_cleanse(k->secret, k->nsecret);
        free(k->secret);
    }
    free(k->kid);
    *k = (struct jwk){.kid = NULL};
}

/* A member that is base64url, into buf. */
static bool number_of(const json_t *json, const char *name, unsigned char buf[NUMBER_MAX],
                      size_t *ret_n)
{
    const json_t *v = json_object_get(json, name);
    struct str text = {json_string_value(v), json_string_length(v)};

    return json_is_string(v) && text.n > 0 && BASE64URL_BYTES(text.n) <= NUMBER_MAX &&
           base64url_decode(text, buf, ret_n);
}

/* Makes a public key of what is in `build`, which it frees. */
static EVP_PKEY *key_build(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static const char *rsa_key(const json_t *json, EVP_PKEY **ret)
{
    unsigned char n[NUMBER_MAX], e[NUMBER_MAX];
    size_t nn, ne;
    BIGNUM *bn, *be;
    OSSL_PARAM_BLD *build;

    if (!number_of(json, "n", n, &nn) || !number_of(json, "e", e, &ne))
        return "n or e is not base64url";
    bn = BN_bin2bn(n, (int)nn, NULL);
    be = BN_bin2bn(e, (int)ne, NULL);
    build = OSSL_PARAM_BLD_new();
    if (bn && be && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be))
        *ret = key_build("RSA", build);
    else
        OSSL_PARAM_BLD_free(build);
    BN_free(bn);
    BN_free(be);
    return *ret ? NULL : "n and e make no key";
}

static const char *ec_key(const json_t *json, EVP_PKEY **ret)
{
    unsigned char x[NUMBER_MAX], y[NUMBER_MAX], point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
    const char *crv = json_string_value(json_object_get(json, "crv"));
    const struct curve *c = crv ? curve_by_name(crv) : NULL;
    size_t nx, ny;
    OSSL_PARAM_BLD *build;

    if (!c)
        return "its curve is not one of P-256, P-384, P-521";
    if (!number_of(json, "x", x, &nx) || !number_of(json, "y", y, &ny) || nx != c->bytes ||
        ny != c->bytes)
        return "x or y does not have the length of a coordinate";
    memcpy(point + 1, x, nx);
    memcpy(point + 1 + nx, y, ny);
    build = OSSL_PARAM_BLD_new();
    if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + nx + ny))
        *ret = key_build("EC", build);
    else
        OSSL_PARAM_BLD_free(build);
    return *ret ? NULL : "its point is not on the curve";
}

static const char *okp_key(const json_t *json, EVP_PKEY **ret)
{
    const char *crv = json_string_value(json_object_get(json, "crv"));
    unsigned char x[NUMBER_MAX];
    size_t n;

    if (!crv || strcmp(crv, "Ed25519") != 0)
        return "its curve is not Ed25519";
    if (!number_of(json, "x", x, &n) || n != 32)
        return "x does not have 32 bytes";
    *ret = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, n);
    return *ret ? NULL : "x is no key";
}

static const char *oct_key(const json_t *json, const struct jwk_rules *rules, struct jwk *ret)
{
    unsigned char k[NUMBER_MAX];
    const char *why;
    size_t n;

    if (!rules->secrets)
        return "a secret that is shown to everybody";
    if (!number_of(json, "k", k, &n))
        return "k is not base64url";
    why = jwk_from_secret((struct str){(char *)k, n}, rules, ret);
    OPENSSL_cleanse(k, sizeof k);
    return why;
}

static bool holds(const json_t *list, const char *word)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), word) == 0)
            return true;
    }
    return false;
}

/* What the key says it is for. Narrows *algorithms to its `alg`. */
static const char *check_purpose(const json_t *json, unsigned *algorithms)
{
    const json_t *use = json_object_get(json, "use"), *alg = json_object_get(json, "alg");
    const json_t *ops = json_object_get(json, "key_ops");
    int known;

    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return "it is not for signatures (use)";
    if (ops && !holds(ops, "verify"))
        return "it is not for signatures (key_ops)";
    if (!alg)
        return NULL;
    known =
        json_is_string(alg) ? token_alg_parse(json_string_value(alg), json_string_length(alg)) : -1;
    if (known < 0)
        return "it is for an algorithm that is not known here (alg)";
    *algorithms &= ALG_BIT(known);
    return *algorithms ? NULL : "it is for none of the algorithms that are allowed";
}

static const char *copy_kid(const json_t *json, char **ret)
{
    const json_t *kid = json_object_get(json, "kid");

    if (!kid)
        return NULL;
    if (!json_is_string(kid) || json_string_length(kid) == 0)
        return "its kid is not a text";
    *ret = strdup(json_string_value(kid));
    return *ret ? NULL : memory;
}

static const char *key_from_json(const json_t *json, const struct jwk_rules *rules, struct jwk *ret)
{
    const char *kty = json_string_value(json_object_get(json, "kty")), *why;
    EVP_PKEY *key = NULL;

    if (!kty)
        return "it has no kty";
    if (strcmp(kty, "oct") == 0)
        return oct_key(json, rules, ret);
    if (json_object_get(json, "d"))
        return "its private part is shown: it must not be trusted any more";
    if (strcmp(kty, "RSA") == 0)
        why = rsa_key(json, &key);
    else if (strcmp(kty, "EC") == 0)
        why = ec_key(json, &key);
    else if (strcmp(kty, "OKP") == 0)
        why = okp_key(json, &key);
    else
        why = "a type of key that is not known here (kty)";
    return why ? why : jwk_from_key(key, rules, ret);
}

const char *jwk_from_json(const json_t *json, const struct jwk_rules *rules, struct jwk *ret)
{
    struct jwk_rules narrowed = *rules;
    struct jwk k = {.kid = NULL};
    const char *why;

    if (!json_is_object(json))
        return "it is not an object";
    why = check_purpose(json, &narrowed.algorithms);
    if (!why)
        why = key_from_json(json, &narrowed, &k);
    if (!why)
        why = copy_kid(json, &k.kid);
    ERR_clear_error();
    if (why)
        jwk_release(&k);
    else
        *ret = k;
    return why;
}
