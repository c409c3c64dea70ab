/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - what a bearer token costs: known already, and verified anew beside OpenSSL's bare
 * verification of the same signature. Built and run by bench/tokens.py. */
#include "policy/issuers.h"
#include "policy/token.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The test's helpers check with cmocka's words. */
#define assert_non_null(p)     assert(p)
#define assert_true(c)         assert(c)
#define assert_int_equal(a, b) assert((a) == (b))
#define print_error(...)       fprintf(stderr, __VA_ARGS__)

#include "token_maker.h"

enum { ROUNDS = 15 };

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void no_asking(void *arg)
{
    (void)arg;
}

struct bench {
    struct config *config;
    struct issuers *issuers;
    struct issuer_set *set;
    struct request request;
    char *token, *field;
    EVP_PKEY *key;
    enum token_alg alg;
};

static void set_up(struct bench *b, EVP_PKEY *key, enum token_alg alg)
{
    static const char text[] =
        "issuers: {i: {issuer: 'https://login.shop.example', audience: [orders],"
        " keys: {jwks_url: 'http://localhost/'}}}";
    char claims[600], header[100], *jwk = maker_jwk(key, "\"kid\":\"2026-11\""), *jwks;
    struct err e;

    memset(b, 0, sizeof *b);
    b->key = key;
    b->alg = alg;
    b->config = config_parse("t", text, strlen(text), &e);
    b->issuers = issuers_new(no_asking, NULL);
    b->set = issuers_prepare(b->issuers, b->config, &e);
    assert_true(asprintf(&jwks, "{\"keys\":[%s]}", jwk) > 0);
    issuer_take(b->set->at[0].issuer, maker_keyset(jwks, ALGS_PUBLIC), 1);
    snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"2026-11\"}",
             token_alg_name(alg));
    snprintf(claims, sizeof claims,
             "{\"iss\":\"https://login.shop.example\",\"aud\":[\"orders\",\"profile\"],"
             "\"sub\":\"5b4e1c0e-8d7a-4a53-9c4f-1f6a2f3b7d10\",\"exp\":%d,\"iat\":%d,"
             "\"jti\":\"01HF3Z5V9W\",\"client_id\":\"web\",\"scope\":\"orders:read orders:write "
             "profile email\",\"realm_access\":{\"roles\":[\"customer\",\"beta\"]}}",
             NOW + 600, NOW);
    b->token = maker_token(key, alg, header, claims);
    assert_true(asprintf(&b->field, "Bearer %s", b->token) > 0);
    b->request.headers[0] = (struct header){STR("Host"), STR("shop.example"), HEADER_HOST, false};
    b->request.headers[1] =
        (struct header){STR("Authorization"), str_of(b->field), HEADER_AUTHORIZATION, false};
    b->request.headers[2] = (struct header){STR("Accept"), STR("*/*"), HEADER_OTHER, false};
    b->request.nheaders = 3;
    free(jwk);
    free(jwks);
}

static void tear_down(struct bench *b)
{
    issuer_set_unref(&b->set);
    issuers_free(&b->issuers);
    config_unref(&b->config);
    free(b->token);
    free(b->field);
    EVP_PKEY_free(b->key);
}

static void authenticate(const struct bench *b, struct token_cache *cache)
{
    static const unsigned allowed[] = {0};
    struct identity *who = NULL;
    enum token_error e =
        issuers_authenticate(b->set, cache, allowed, 1, &b->request, NOW, &who, NULL);

    assert_int_equal(e, TOKEN_OK);
    identity_unref(&who);
}

/* What OpenSSL takes for the same signature, ready to be verified. */
struct bare {
    unsigned char sig[1024];
    size_t n;
    struct str text;
};

static void bare_verify(const struct bench *b, const struct bare *s)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, maker_digest(b->alg), NULL, b->key), 1);
    assert_int_equal(
        EVP_DigestVerify(ctx, s->sig, s->n, (const unsigned char *)s->text.p, s->text.n), 1);
    EVP_MD_CTX_free(ctx);
}

static void bare_make(const struct bench *b, struct bare *s)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    s->text = (struct str){b->token, (size_t)(strrchr(b->token, '.') - b->token)};
    s->n = sizeof s->sig;
    EVP_DigestSignInit(ctx, NULL, maker_digest(b->alg), NULL, b->key);
    assert_int_equal(
        EVP_DigestSign(ctx, s->sig, &s->n, (const unsigned char *)s->text.p, s->text.n), 1);
    EVP_MD_CTX_free(ctx);
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* Turn and turn about, so that both see the same machine; the best round of each. */
static void compare(EVP_PKEY *key, enum token_alg alg, int times)
{
    struct token_cache *cache = token_cache_new();
    double ours = 1e18, theirs = 1e18, known = 1e18, t;
    struct bench b;
    struct bare s;

    set_up(&b, key, alg);
    bare_make(&b, &s);
    for (int r = 0; r < ROUNDS; r++) {
        t = now_ns();
        for (int i = 0; i < times; i++)
            authenticate(&b, NULL);
        ours = least(ours, (now_ns() - t) / times);
        t = now_ns();
        for (int i = 0; i < times; i++)
            bare_verify(&b, &s);
        theirs = least(theirs, (now_ns() - t) / times);
        authenticate(&b, cache);
        t = now_ns();
        for (int i = 0; i < 100000; i++)
            authenticate(&b, cache);
        known = least(known, (now_ns() - t) / 100000);
    }
    printf("%-6s %4zu bytes: verified anew %7.2f us, OpenSSL alone %7.2f us, %+5.1f %%;"
           " known %5.0f ns\n",
           token_alg_name(alg), strlen(b.token), ours / 1000, theirs / 1000,
           100 * (ours - theirs) / theirs, known);
    token_cache_free(&cache);
    tear_down(&b);
}

/* A worker that knows thousands of tokens. */
static void crowd(unsigned n)
{
    struct token_cache *cache = token_cache_new();
    struct issuer_set *set;
    char **texts = malloc(n * sizeof *texts);
    double best = 1e18;
    struct bench b;

    set_up(&b, EVP_EC_gen("P-256"), ALG_ES256);
    set = b.set;
    for (unsigned i = 0; i < n; i++) {
        struct token_facts f = {.issuer = set->at[0].issuer,
                                .generation = issuer_generation(set->at[0].issuer),
                                .set_id = set->id};

        texts[i] = strdup(b.token);
        for (int k = 0; k < 8; k++)
            texts[i][strlen(texts[i]) - 9 + k] = (char)('A' + (i >> 3 * k & 7));
        f.identity = identity_new(IDENTITY_JWT, "i", json_pack("{s:i}", "sub", (int)i), 0);
        token_cache_add(cache, str_of(texts[i]), &f);
        identity_unref(&f.identity);
    }
    for (int r = 0; r < ROUNDS; r++) {
        double t = now_ns();

        for (unsigned i = 0; i < n; i++)
            assert_non_null(token_cache_find(cache, str_of(texts[i * 7919 % n]), set->id, NOW));
        best = least(best, (now_ns() - t) / n);
    }
    printf("lookup among %u tokens of %zu bytes: %.0f ns\n", n, strlen(texts[0]), best);
    for (unsigned i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
    token_cache_free(&cache);
    tear_down(&b);
}

int main(void)
{
    compare(EVP_EC_gen("P-256"), ALG_ES256, 500);
    compare(EVP_RSA_gen(2048), ALG_RS256, 1000);
    compare(EVP_RSA_gen(2048), ALG_PS256, 1000);
    compare(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), ALG_EDDSA, 500);
    compare(EVP_EC_gen("P-384"), ALG_ES384, 100);
    crowd(8000);
    return 0;
}
