/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to an identity: where the token is, whose it is, with which keys; and what happens
 * when these are not there. */
#include "policy/issuers.h"
#include "policy/token_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "token_maker.h"

static const char config_text[] =
    "issuers:\n"
    "  a: {issuer: ia, audience: any, keys: {jwks_url: http://localhost/a}}\n"
    "  b: {issuer: ib, audience: any, keys: {jwks_url: http://localhost/b, unknown_key_wait: 1s}}\n"
    "  cookie: {issuer: ia, audience: any, keys: {jwks_url: http://localhost/c},"
    " token_from: [{cookie: sid}, {query: access_token}]}\n"
    "  field: {issuer: ic, audience: any, keys: {jwks_url: http://localhost/d},"
    " token_from: [{header: X-Token}], forward_token: false}\n";

enum { A, B, COOKIE, FIELD };

static struct config *config;
static struct issuers *issuers;
static struct issuer_set *set;
static struct token_cache *cache;
static EVP_PKEY *key_a, *key_b;
static unsigned asked;

static void on_ask(void *arg)
{
    (void)arg;
    asked++;
}

static void give_keys(unsigned issuer, EVP_PKEY *key, const char *kid)
{
    char *more, *jwk, *jwks;

    assert_true(asprintf(&more, "\"kid\":\"%s\"", kid) > 0);
    jwk = maker_jwk(key, more);
    assert_true(asprintf(&jwks, "{\"keys\":[%s]}", jwk) > 0);
    issuer_take(set->at[issuer].issuer, maker_keyset(jwks, ALGS_PUBLIC), 1);
    free(jwks);
    free(jwk);
    free(more);
}

static int set_up(void **state)
{
    struct err e;

    (void)state;
    config = config_parse("t", config_text, strlen(config_text), &e);
    if (!config)
        print_error("%s\n", e.text);
    key_a = EVP_EC_gen("P-256");
    key_b = EVP_EC_gen("P-256");
    issuers = issuers_new(on_ask, NULL);
    set = issuers_prepare(issuers, config, &e);
    issuers_use(issuers, set);
    cache = token_cache_new_with(64, 1 << 16, 1);
    asked = 0;
    give_keys(A, key_a, "k");
    give_keys(B, key_b, "k");
    return config && set ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    token_cache_free(&cache);
    issuer_set_unref(&set);
    issuers_free(&issuers);
    config_unref(&config);
    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
    return 0;
}

static char *token(EVP_PKEY *key, const char *kid, const char *iss, const char *sub)
{
    char *header, *claims, *t;

    assert_true(asprintf(&header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid) > 0);
    assert_true(
        asprintf(&claims, "{\"iss\":\"%s\",\"sub\":\"%s\",\"exp\":%d}", iss, sub, NOW + 100) > 0);
    t = maker_token(key, ALG_ES256, header, claims);
    free(header);
    free(claims);
    return t;
}

static void add_field(struct request *r, const char *name, const char *value)
{
    struct header *h = &r->headers[r->nheaders++];

    h->name = str_of(name);
    h->value = str_of(value);
    h->id = (uint8_t)header_id(h->name);
}

/* A request with "Bearer TOKEN"; *ret_value is to be freed. */
static struct request *bearer(const char *t, char **ret_value)
{
    static struct request r;

    memset(&r, 0, sizeof r);
    assert_true(asprintf(ret_value, "Bearer %s", t) > 0);
    add_field(&r, "Authorization", *ret_value);
    return &r;
}

static enum token_error ask(const struct request *r, const unsigned *allowed, size_t n, int64_t now,
                            char *ret_who, struct issuer_wait *wait)
{
    struct identity *who = NULL;
    enum token_error e = issuers_authenticate(set, cache, allowed, n, r, now, &who, wait);

    assert_int_equal(e == TOKEN_OK, who != NULL);
    if (ret_who)
        snprintf(ret_who, 64, "%s/%s", who ? who->source : "", who ? who->subject : "");
    identity_unref(&who);
    return e;
}

static void iss_chooses_among_those_allowed(void **state)
{
    static const unsigned both[] = {A, B}, only_b[] = {B}, only_a[] = {A};
    char *ta = token(key_a, "k", "ia", "ada"), *tb = token(key_b, "k", "ib", "bob"), *value;
    char *forged = token(key_b, "k", "ia", "ada"), who[64];

    (void)state;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(ask(bearer(ta, &value), both, 2, NOW, who, NULL), TOKEN_OK);
        assert_string_equal(who, "a/ada");
        free(value);
        assert_int_equal(ask(bearer(tb, &value), both, 2, NOW, who, NULL), TOKEN_OK);
        assert_string_equal(who, "b/bob");
        free(value);
        /* Known from another route is not allowed here. */
        assert_int_equal(ask(bearer(ta, &value), only_b, 1, NOW, NULL, NULL), TOKEN_ISSUER_UNKNOWN);
        free(value);
        assert_int_equal(ask(bearer(tb, &value), only_a, 1, NOW, NULL, NULL), TOKEN_ISSUER_UNKNOWN);
        free(value);
        /* The keys of the one are not those of the other. */
        assert_int_equal(ask(bearer(forged, &value), both, 2, NOW, NULL, NULL),
                         TOKEN_SIGNATURE_WRONG);
        free(value);
    }
    assert_int_equal(atomic_load(&set->at[A].issuer->shared.results[TOKEN_OK]), 2);
    assert_int_equal(atomic_load(&set->at[A].issuer->shared.results[TOKEN_SIGNATURE_WRONG]), 2);
    assert_int_equal(atomic_load(&set->at[B].issuer->shared.results[TOKEN_ISSUER_UNKNOWN]), 2);
    free(ta);
    free(tb);
    free(forged);
}

static void a_known_token_costs_no_signature(void **state)
{
    static const unsigned only[] = {A};
    char *t = token(key_a, "k", "ia", "ada"), *value, who[64];
    struct request *r = bearer(t, &value);
    struct token_cache_usage u;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(r, only, 1, NOW, who, NULL), TOKEN_OK);
    token_cache_usage(cache, &u);
    assert_int_equal(u.hits, 4);
    assert_int_equal(u.entries, 1);
    /* Until it expires: exp and 30 s. */
    assert_int_equal(ask(r, only, 1, NOW + 129, who, NULL), TOKEN_OK);
    assert_int_equal(ask(r, only, 1, NOW + 130, who, NULL), TOKEN_EXPIRED);
    /* A wrong one gets in never. */
    value[strlen(value) - 10] ^= 1;
    assert_int_not_equal(ask(r, only, 1, NOW, who, NULL), TOKEN_OK);
    token_cache_usage(cache, &u);
    assert_int_equal(u.entries, 0);
    value[strlen(value) - 10] ^= 1;
    /* The key is withdrawn: the same token ends at once. */
    assert_int_equal(ask(r, only, 1, NOW, who, NULL), TOKEN_OK);
    give_keys(A, key_b, "k");
    assert_int_equal(ask(r, only, 1, NOW, who, NULL), TOKEN_SIGNATURE_WRONG);
    free(value);
    free(t);
}

static void without_keys_nobody_gets_in(void **state)
{
    static const unsigned only[] = {FIELD};
    char *t = token(key_a, "k", "ic", "ada");
    struct request r = {.nheaders = 0};
    struct issuer_wait wait = {NULL, 0, 0};

    (void)state;
    add_field(&r, "x-token", t);
    assert_int_equal(ask(&r, only, 1, NOW, NULL, &wait), TOKEN_KEYS_UNAVAILABLE);
    assert_null(wait.issuer);
    /* While they are on their way it is worth waiting. */
    issuer_allow_wishes(set->at[FIELD].issuer, true);
    assert_int_equal(ask(&r, only, 1, NOW, NULL, &wait), TOKEN_KEYS_UNAVAILABLE);
    assert_ptr_equal(wait.issuer, set->at[FIELD].issuer);
    give_keys(FIELD, key_a, "k");
    assert_true(issuer_wait_over(&wait));
    assert_int_equal(ask(&r, only, 1, NOW, NULL, &wait), TOKEN_OK);
    assert_null(wait.issuer);
    free(t);
}

static void an_unknown_key_makes_it_ask(void **state)
{
    static const unsigned only[] = {B};
    char *t = token(key_a, "new", "ib", "ada"), *value;
    struct request *r = bearer(t, &value);
    struct issuer *b = set->at[B].issuer;
    struct issuer_wait wait = {NULL, 0, 0}, second = {NULL, 0, 0};

    (void)state;
    /* Asked a moment ago: refused at once. */
    assert_int_equal(ask(r, only, 1, NOW, NULL, &wait), TOKEN_KEY_UNKNOWN);
    assert_null(wait.issuer);
    assert_int_equal(asked, 0);

    issuer_allow_wishes(b, true);
    assert_int_equal(ask(r, only, 1, NOW, NULL, NULL), TOKEN_KEY_UNKNOWN);
    assert_int_equal(asked, 0);
    assert_int_equal(ask(r, only, 1, NOW, NULL, &wait), TOKEN_KEY_UNKNOWN);
    assert_ptr_equal(wait.issuer, b);
    assert_int_equal(wait.wait_ms, 1000);
    assert_int_equal(ask(r, only, 1, NOW, NULL, &second), TOKEN_KEY_UNKNOWN);
    assert_ptr_equal(second.issuer, b);
    assert_int_equal(asked, 1);
    assert_true(issuer_wished(b));
    assert_false(issuer_wished(b));
    assert_false(issuer_wait_over(&wait));

    /* In vain: the old keys stay, and who has waited waits no more. */
    assert_true(issuer_fail(b, "away"));
    assert_false(issuer_fail(b, "away"));
    assert_true(issuer_wait_over(&wait));
    assert_int_equal(ask(r, only, 1, NOW, NULL, &wait), TOKEN_KEY_UNKNOWN);
    assert_null(wait.issuer);
    assert_int_equal(b->failures, 2);

    give_keys(B, key_a, "new");
    assert_string_equal(b->error, "");
    assert_int_equal(ask(r, only, 1, NOW, NULL, &second), TOKEN_OK);
    free(value);
    free(t);
}

/* Where the token is looked for. */
static void places(void **state)
{
    static const struct {
        const char *name;
        unsigned issuer;
        const char *fields[6]; /* name, value, ... */
        const char *query;
        enum token_error want;
        const char *found;
    } rows[] = {
        {"bearer", A, {"authorization", "Bearer x.y.z"}, "", TOKEN_OK, "x.y.z"},
        {"bearer in lower case", A, {"authorization", "bearer x"}, "", TOKEN_OK, "x"},
        {"many blanks", A, {"authorization", "Bearer   x"}, "", TOKEN_OK, "x"},
        {"no token", A, {"authorization", "Bearer"}, "", TOKEN_OK, ""},
        {"no blank", A, {"authorization", "Bearerx"}, "", TOKEN_MISSING, NULL},
        {"a tab", A, {"authorization", "Bearer\tx"}, "", TOKEN_MISSING, NULL},
        {"another scheme", A, {"authorization", "Basic eDp5"}, "", TOKEN_MISSING, NULL},
        {"a longer scheme", A, {"authorization", "BearerX x"}, "", TOKEN_MISSING, NULL},
        {"nothing", A, {"accept", "Bearer x"}, "", TOKEN_MISSING, NULL},
        {"twice",
         A,
         {"authorization", "Bearer x", "Authorization", "Bearer x"},
         "",
         TOKEN_REPEATED,
         NULL},
        {"beside another scheme",
         A,
         {"authorization", "Bearer x", "authorization", "Basic y"},
         "",
         TOKEN_REPEATED,
         NULL},
        {"in a query that is not looked at", A, {0}, "access_token=x", TOKEN_MISSING, NULL},
        {"cookie", COOKIE, {"cookie", "a=b; sid=x.y.z; c=d"}, "", TOKEN_OK, "x.y.z"},
        {"cookie with equals signs", COOKIE, {"cookie", "sid=x=y"}, "", TOKEN_OK, "x=y"},
        {"cookie in upper case", COOKIE, {"cookie", "SID=x"}, "", TOKEN_MISSING, NULL},
        {"longer name", COOKIE, {"cookie", "xsid=x; sid2=y"}, "", TOKEN_MISSING, NULL},
        {"empty cookie", COOKIE, {"cookie", "sid="}, "", TOKEN_OK, ""},
        {"cookie without a value", COOKIE, {"cookie", "sid"}, "", TOKEN_OK, ""},
        {"two cookies", COOKIE, {"cookie", "sid=x; sid=y"}, "", TOKEN_REPEATED, NULL},
        {"two fields of cookies",
         COOKIE,
         {"cookie", "sid=x", "Cookie", "sid=x"},
         "",
         TOKEN_REPEATED,
         NULL},
        {"cookie before query", COOKIE, {"cookie", "sid=x"}, "access_token=y", TOKEN_OK, "x"},
        {"bearer where cookies count",
         COOKIE,
         {"authorization", "Bearer x"},
         "",
         TOKEN_MISSING,
         NULL},
        {"query", COOKIE, {0}, "a=b&access_token=x.y.z&c", TOKEN_OK, "x.y.z"},
        {"query twice", COOKIE, {0}, "access_token=x&access_token=x", TOKEN_REPEATED, NULL},
        {"query encoded", COOKIE, {0}, "access%5Ftoken=x", TOKEN_MISSING, NULL},
        {"field", FIELD, {"X-TOKEN", "x.y.z"}, "", TOKEN_OK, "x.y.z"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct request r = {.query = str_of(rows[i].query)};
        struct str found = STR_NULL;
        enum token_error e;

        for (size_t k = 0; k < ARRAY_LEN(rows[i].fields) && rows[i].fields[k]; k += 2)
            add_field(&r, rows[i].fields[k], rows[i].fields[k + 1]);
        e = token_find(&r, &config->issuers[rows[i].issuer], &found);
        if (e != rows[i].want || (e == TOKEN_OK && !str_eq(found, str_of(rows[i].found))))
            fail_msg("%s: %s \"%.*s\"", rows[i].name, token_error_word(e), STR_FMT(found));
    }
}

/* Each issuer takes its tokens only from where it is told to. */
static void an_issuer_takes_tokens_from_its_places_only(void **state)
{
    static const unsigned all[] = {COOKIE, A};
    char *t = token(key_a, "k", "ia", "ada"), *cookie, *value, who[64];
    struct request *r, both = {.nheaders = 0};

    (void)state;
    give_keys(COOKIE, key_b, "k");
    /* The issuer `cookie` has the same iss and other keys; the token came in the field. */
    r = bearer(t, &value);
    assert_int_equal(ask(r, all, 2, NOW, who, NULL), TOKEN_OK);
    assert_string_equal(who, "a/ada");
    assert_int_equal(ask(r, all, 1, NOW, who, NULL), TOKEN_MISSING);
    /* Known, but in a cookie it is for the other one. */
    assert_true(asprintf(&cookie, "sid=%s", t) > 0);
    add_field(&both, "cookie", cookie);
    assert_int_equal(ask(&both, all, 2, NOW, who, NULL), TOKEN_SIGNATURE_WRONG);
    /* With both, the one that is good counts. */
    add_field(&both, "authorization", value);
    assert_int_equal(ask(&both, all, 2, NOW, who, NULL), TOKEN_OK);
    assert_string_equal(who, "a/ada");
    free(cookie);
    free(value);
    free(t);
}

static void what_the_service_does_not_see(void **state)
{
    (void)state;
    assert_true(issuer_conf_hides(&config->issuers[FIELD], STR("x-token")));
    assert_false(issuer_conf_hides(&config->issuers[FIELD], STR("authorization")));
    assert_false(issuer_conf_hides(&config->issuers[A], STR("authorization")));
}

/* Which issuers live on when the configuration changes, and that a bad file changes nothing. */
static void over_configurations(void **state)
{
    static const char next_text[] =
        "issuers:\n"
        "  b: {issuer: other, audience: any, keys: {jwks_url: http://localhost/b}, leeway: 1s}\n"
        "  a: {issuer: ia, audience: any, keys: {jwks_url: http://localhost/elsewhere}}\n"
        "  cookie: {issuer: ia, audience: any, algorithms: [ES256],"
        " keys: {jwks_url: http://localhost/c}}\n";
    static const char bad_text[] =
        "issuers: {f: {issuer: f, audience: any, keys: {pem_file: /nowhere/key.pem}}}\n";
    struct err e;
    struct config *next = config_parse("t", next_text, strlen(next_text), &e);
    struct config *bad = config_parse("t", bad_text, strlen(bad_text), &e);
    struct issuer_set *later;

    (void)state;
    assert_null(issuers_prepare(issuers, bad, &e));
    assert_non_null(strstr(e.text, "issuers.f.keys: /nowhere/key.pem: "));
    later = issuers_prepare(issuers, next, &e);
    assert_ptr_equal(later->at[0].issuer, set->at[B].issuer);
    assert_ptr_not_equal(later->at[1].issuer, set->at[A].issuer);
    assert_ptr_not_equal(later->at[2].issuer, set->at[COOKIE].issuer);
    assert_int_equal(issuer_generation(later->at[1].issuer), 0);
    assert_int_not_equal(later->id, set->id);
    issuers_use(issuers, later);
    issuer_set_unref(&later);
    config_unref(&next);
    config_unref(&bad);
}

static void keys_in_files(void **state)
{
    char path[] = "/tmp/frontdesk-keys-XXXXXX", *text;
    int fd = mkstemp(path);
    struct err e;
    struct config *c;
    struct issuer_set *s;

    (void)state;
    assert_int_equal(write(fd, SECRET "\n", sizeof SECRET), sizeof SECRET);
    close(fd);
    assert_true(asprintf(&text, "issuers: {f: {issuer: f, audience: any, keys: {secret_file: %s}}}",
                         path) > 0);
    c = config_parse("t", text, strlen(text), &e);
    assert_non_null(c);
    s = issuers_prepare(issuers, c, &e);
    assert_non_null(s);
    assert_int_not_equal(issuer_generation(s->at[0].issuer), 0);
    issuer_set_unref(&s);
    config_unref(&c);
    free(text);
    unlink(path);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(iss_chooses_among_those_allowed),
        TEST(a_known_token_costs_no_signature),
        TEST(without_keys_nobody_gets_in),
        TEST(an_unknown_key_makes_it_ask),
        TEST(places),
        TEST(an_issuer_takes_tokens_from_its_places_only),
        TEST(what_the_service_does_not_see),
        TEST(over_configurations),
        TEST(keys_in_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
