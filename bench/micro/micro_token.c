/* SPDX-License-Identifier: Apache-2.0 */
/* micro_token.c - a bearer token (ES256): known to the worker, and verified anew. Key and token are
 * fixed, as a signature made anew would be another one each time. */
#include "micro.h"
#include "policy/issuers.h"
#include "policy/keyset.h"
#include "policy/token.h"

#include <string.h>

enum { NOW = 1700000000 };

static const char keys[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"2026-11\","
                           "\"x\":\"p5DUzytQkCwJM8jbROdECkiEU6FM4x9kl8w8WjgabuA\","
                           "\"y\":\"z9OhdWqxLPAF8TjwTJvFwmLCDiP0XFtZRl7PjW-UztA\"}]}";

/* For "orders" and "profile", ten minutes long. */
#define TOKEN                                                                                      \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjIwMjYtMTEifQ.eyJpc3MiOiJodHRwczovL2xvZ"     \
    "2luLnNob3AuZXhhbXBsZSIsImF1ZCI6WyJvcmRlcnMiLCJwcm9maWxlIl0sInN1YiI6IjViNGUxYzBlLThkN2EtN"     \
    "GE1My05YzRmLTFmNmEyZjNiN2QxMCIsImV4cCI6MTcwMDAwMDYwMCwiaWF0IjoxNzAwMDAwMDAwLCJqdGkiOiIwM"     \
    "UhGM1o1VjlXIiwiY2xpZW50X2lkIjoid2ViIiwic2NvcGUiOiJvcmRlcnM6cmVhZCBvcmRlcnM6d3JpdGUgcHJvZ"     \
    "mlsZSBlbWFpbCIsInJlYWxtX2FjY2VzcyI6eyJyb2xlcyI6WyJjdXN0b21lciIsImJldGEiXX19.idgh2tkDNyOX"     \
    "OAhzvkXgJTBM3ycLyJaBvlt1Lrubj7ouNthGAbQaWKI3WUE4ge4cJWdmPymqfZvDiBzAfKnefQ"

static struct config *config;
static struct issuers *issuers;
static struct issuer_set *set;
static struct token_cache *cache; /* NULL = every token is verified */
static struct request request = {
    .nheaders = 3,
    .headers = {{STR("Host"), STR("shop.example"), HEADER_HOST, false},
                {STR("Authorization"), STR("Bearer " TOKEN), HEADER_AUTHORIZATION, false},
                {STR("Accept"), STR("*/*"), HEADER_OTHER, false}}};

static void no_asking(void *arg)
{
    (void)arg;
}

static void prepare(long cached)
{
    static const char text[] =
        "issuers: {i: {issuer: 'https://login.shop.example', audience: [orders],"
        " keys: {jwks_url: 'http://localhost/'}}}";
    static const struct jwk_rules rules = {.algorithms = 1u << ALG_ES256};
    struct keyset *known_keys;
    struct err e;

    config = config_parse("bench", text, strlen(text), &e);
    micro_check(config != NULL);
    issuers = issuers_new(no_asking, NULL);
    set = issuers_prepare(issuers, config, &e);
    micro_check(set != NULL);
    known_keys = keyset_from_jwks(str_of(keys), &rules, &e);
    micro_check(known_keys != NULL);
    issuer_take(set->at[0].issuer, known_keys, 1);
    cache = cached ? token_cache_new_with(1024, 4 << 20, 1) : NULL;
}

static void authenticate(unsigned n)
{
    static const unsigned allowed[] = {0};

    while (n--) {
        struct identity *who = NULL;

        micro_check(issuers_authenticate(set, cache, allowed, 1, &request, NOW, &who, NULL) ==
                    TOKEN_OK);
        identity_unref(&who);
    }
}

static void release(void)
{
    if (cache)
        token_cache_free(&cache);
    issuer_set_unref(&set);
    issuers_free(&issuers);
    config_unref(&config);
}

static const struct micro_case cases[] = {
    {"bearer token, known", 1000, prepare, authenticate, release, 1},
    {"bearer token, verified (ES256)", 20, prepare, authenticate, release, 0},
};

const struct micro_group micro_token = MICRO_GROUP(cases);
