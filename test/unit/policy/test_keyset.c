/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys are taken from a set, a PEM file or a secret, and which of them a token may mean. */
#include "policy/keyset.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "token_maker.h"

#define ALL (ALGS_PUBLIC | ALGS_HMAC)
#define X   "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y   "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC  "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\""
#define ED                                                                                         \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define K32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct keyset *read_set(const char *keys, unsigned algorithms, bool secrets, struct err *e)
{
    struct jwk_rules rules = {.algorithms = algorithms, .secrets = secrets};
    struct keyset *s;
    char *text;

    assert_true(asprintf(&text, "{\"keys\":[%s]}", keys) > 0);
    s = keyset_from_jwks(str_of(text), &rules, e);
    free(text);
    return s;
}

/* One key, and what it is good for or why it is not taken. */
static void takes_keys_that_make_sense(void **state)
{
    static const struct {
        const char *key;
        unsigned allowed, algorithms;
        const char *why;
    } rows[] = {
        {"{" EC "}", ALL, ALG_BIT(ALG_ES256), NULL},
        {"{" EC ",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"verify\"]}", ALL,
         ALG_BIT(ALG_ES256), NULL},
        {"{" EC ",\"x5c\":[\"no certificate\"],\"x5u\":\"http://127.0.0.1:1/\"}", ALL,
         ALG_BIT(ALG_ES256), NULL},
        {"{" ED "}", ALL, ALG_BIT(ALG_EDDSA), NULL},
        {"{\"kty\":\"oct\",\"k\":\"" K32 "\"}", ALL, ALG_BIT(ALG_HS256), NULL},
        {"{" EC ",\"alg\":\"ES384\"}", ALL, 0, "none of the algorithms"},
        {"{" EC ",\"alg\":\"none\"}", ALL, 0, "not known here (alg)"},
        {"{" EC ",\"alg\":\"ECDH-ES\"}", ALL, 0, "not known here (alg)"},
        {"{" EC ",\"alg\":\"HS256\"}", ALL, 0, "none of the algorithms"},
        {"{" EC ",\"alg\":1}", ALL, 0, "not known here (alg)"},
        {"{" EC ",\"use\":\"enc\"}", ALL, 0, "(use)"},
        {"{" EC ",\"use\":null}", ALL, 0, "(use)"},
        {"{" EC ",\"key_ops\":[\"sign\"]}", ALL, 0, "(key_ops)"},
        {"{" EC ",\"key_ops\":\"verify\"}", ALL, 0, "(key_ops)"},
        {"{" EC ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}", ALL, 0,
         "private part is shown"},
        {"{" EC ",\"kid\":1}", ALL, 0, "kid is not a text"},
        {"{" EC ",\"kid\":\"\"}", ALL, 0, "kid is not a text"},
        {"{" EC "}", ALG_BIT(ALG_RS256), 0, "none of the algorithms"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" X "\"}", ALL, 0,
         "not on the curve"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" K32 "\",\"y\":\"" K32 "\"}", ALL, 0,
         "not on the curve"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}", ALL, 0, "length of a coordinate"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", ALL, 0,
         "length of a coordinate"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y "\"}", ALL, 0,
         "length of a coordinate"},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\"}", ALL, 0,
         "length of a coordinate"},
        {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X "\",\"y\":\"" Y "\"}", ALL, 0,
         "its curve"},
        {"{\"kty\":\"EC\",\"crv\":7,\"x\":\"" X "\",\"y\":\"" Y "\"}", ALL, 0, "its curve"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" X "\"}", ALL, 0, "not Ed25519"},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}", ALL, 0, "not Ed25519"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", ALL, 0, "32 bytes"},
        {"{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}", ALL, 0, "shorter than the hash"},
        {"{\"kty\":\"oct\",\"k\":\"" K32 "\"}", ALG_BIT(ALG_HS512), 0, "shorter than the hash"},
        {"{\"kty\":\"oct\",\"k\":\"" K32 "\",\"alg\":\"HS384\"}", ALL, 0, "shorter than the hash"},
        {"{\"kty\":\"oct\",\"k\":\"" K32 "\",\"alg\":\"RS256\"}", ALL, 0, "none of the algorithms"},
        {"{\"kty\":\"oct\",\"k\":\"" K32 "\"}", ALGS_PUBLIC, 0, "none of the algorithms"},
        {"{\"kty\":\"oct\",\"k\":\"\"}", ALL, 0, "k is not base64url"},
        {"{\"kty\":\"oct\"}", ALL, 0, "k is not base64url"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", ALL, 0, "below 2048"},
        {"{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}", ALL, 0, "not base64url"},
        {"{\"kty\":\"RSA\",\"n\":17,\"e\":\"AQAB\"}", ALL, 0, "not base64url"},
        {"{\"kty\":\"RSA\"}", ALL, 0, "not base64url"},
        {"{\"kty\":\"rsa\"}", ALL, 0, "not known here (kty)"},
        {"{\"kty\":\"AKP\"}", ALL, 0, "not known here (kty)"},
        {"{\"kty\":null}", ALL, 0, "no kty"},
        {"{}", ALL, 0, "no kty"},
        {"\"key\"", ALL, 0, "not an object"},
        {"null", ALL, 0, "not an object"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct keyset *s = read_set(rows[i].key, rows[i].allowed, true, &e);
        bool good = s ? !rows[i].why && s->n == 1 && s->keys[0].algorithms == rows[i].algorithms
                      : rows[i].why && strstr(e.text, rows[i].why);

        if (!good)
            print_error("%s: %s\n", rows[i].key, s ? "taken" : e.text);
        assert_true(good);
        keyset_unref(&s);
    }
}

/* RSA keys of any size and exponent, as JWK and as PEM. */
static void weak_rsa_is_not_taken(void **state)
{
    static const struct {
        unsigned bits;
        const char *e; /* in base64url; NULL = its own */
        const char *why;
    } rows[] = {
        {2048, NULL, NULL},           {3072, NULL, NULL},
        {2047, NULL, "below 2048"},   {1024, NULL, "below 2048"},
        {512, NULL, "below 2048"},    {2048, "AQ", "its exponent"},
        {2048, "BA", "its exponent"}, {2048, "AQAAAAAAAAAB", "its exponent"},
        {2048, "Aw", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        EVP_PKEY *key = EVP_RSA_gen(rows[i].bits);
        char *n = maker_number(key, OSSL_PKEY_PARAM_RSA_N, 0), *jwk;
        struct err e = {""};
        struct keyset *s;

        assert_true(asprintf(&jwk, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", n,
                             rows[i].e ? rows[i].e : "AQAB") > 0);
        s = read_set(jwk, ALL, true, &e);
        if (!rows[i].why != !!s || (!s && !strstr(e.text, rows[i].why)))
            fail_msg("%s: %s", jwk, s ? "taken" : e.text);
        if (s)
            assert_int_equal(s->keys[0].algorithms, ALGS_RSA);
        keyset_unref(&s);
        free(jwk);
        free(n);
        EVP_PKEY_free(key);
    }
}

static void broken_sets_are_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "not JSON"},
        {"<html>Bad gateway</html>", "not JSON"},
        {"{\"keys\":[{" EC "}]", "not JSON"},
        {"{\"keys\":[{" EC "}]}x", "not JSON"},
        {"[]", "no key set"},
        {"null", "no key set"},
        {"7", "no key set"},
        {"{}", "no key set"},
        {"{\"keys\":{}}", "no key set"},
        {"{\"keys\":null}", "no key set"},
        {"{" EC "}", "no key set"},
        {"{\"keys\":[]}", "no key"},
        {"{\"keys\":[{}]}", "none of its 1 keys"},
        {"{\"keys\":[{" EC "}],\"keys\":[]}", "twice"},
        {"{\"keys\":[{" EC ",\"alg\":\"ES256\",\"alg\":\"none\"}]}", "twice"},
        {"{\"keys\":[[[[[[[[[[]]]]]]]]]]}", "too deeply"},
    };
    struct jwk_rules rules = {.algorithms = ALL};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct keyset *s = keyset_from_jwks(str_of(rows[i].text), &rules, &e);

        if (s || !strstr(e.text, rows[i].why))
            fail_msg("%s: %s", rows[i].text, s ? "taken" : e.text);
    }
}

static void large_sets_are_refused(void **state)
{
    size_t room = KEYSET_JSON_MAX + 64;
    char *text = malloc(room);
    struct jwk_rules rules = {.algorithms = ALL};
    struct err e;
    size_t n;

    (void)state;
    memset(text, ' ', room);
    memcpy(text, "{\"keys\":[{" EC "}]}", strlen("{\"keys\":[{" EC "}]}"));
    struct keyset *s = keyset_from_jwks((struct str){text, KEYSET_JSON_MAX}, &rules, &e);
    assert_non_null(s);
    keyset_unref(&s);
    assert_null(keyset_from_jwks((struct str){text, KEYSET_JSON_MAX + 1}, &rules, &e));
    assert_non_null(strstr(e.text, "256 KiB"));
    n = (size_t)sprintf(text, "{\"keys\":[{}");
    for (int i = 0; i < KEYSET_MAX; i++)
        n += (size_t)sprintf(text + n, ",{}");
    n += (size_t)sprintf(text + n, "]}");
    assert_null(keyset_from_jwks((struct str){text, n}, &rules, &e));
    assert_non_null(strstr(e.text, "more than 128"));
    free(text);
}

/* What is no use is left out, and the rest stays. */
static void good_keys_beside_bad_ones(void **state)
{
    struct err e;
    struct keyset *s = read_set("{\"kty\":\"new\"},{" EC ",\"kid\":\"a\"},{" EC
                                ",\"use\":\"enc\"},{" ED ",\"kid\":\"b\"}",
                                ALGS_PUBLIC, false, &e);

    (void)state;
    assert_non_null(s);
    assert_int_equal(s->n, 2);
    assert_int_equal(s->skipped, 2);
    assert_non_null(strstr(s->skipped_why, "kty"));
    assert_string_equal(s->keys[1].kid, "b");
    keyset_unref(&s);
    /* A secret that everybody can read is none. */
    assert_null(read_set("{\"kty\":\"oct\",\"k\":\"" K32 "\"}", ALL, false, &e));
    assert_non_null(strstr(e.text, "shown to everybody"));
}

static void which_keys_a_token_may_mean(void **state)
{
    static const struct {
        const char *keys, *kid;
        enum token_alg alg;
        enum keyset_match want;
        size_t n;
    } rows[] = {
        {"{" EC ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"}", "a", ALG_ES256, KEYSET_FOUND, 1},
        {"{" EC ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"}", "b", ALG_ES256, KEYSET_MISMATCH, 0},
        {"{" EC ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"}", "c", ALG_ES256, KEYSET_UNKNOWN, 0},
        {"{" EC ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"}", NULL, ALG_ES256, KEYSET_FOUND, 1},
        {"{" EC ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"}", NULL, ALG_RS256, KEYSET_MISMATCH, 0},
        {"{" EC "}", "anything", ALG_ES256, KEYSET_FOUND, 1},
        {"{" EC "},{" EC ",\"kid\":\"a\"}", "a", ALG_ES256, KEYSET_FOUND, 2},
        {"{" EC ",\"kid\":\"a\"},{" ED ",\"kid\":\"a\"}", "a", ALG_EDDSA, KEYSET_FOUND, 1},
        {"{" EC "},{" EC "},{" EC "},{" EC "}", NULL, ALG_ES256, KEYSET_FOUND, 4},
        {"{" EC "},{" EC "},{" EC "},{" EC "},{" EC "}", NULL, ALG_ES256, KEYSET_AMBIGUOUS, 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct jwk *found[KEYSET_TRIES];
        struct err e;
        struct keyset *s = read_set(rows[i].keys, ALL, true, &e);
        size_t n;

        assert_int_equal(keyset_find(s, rows[i].kid, rows[i].alg, found, &n), rows[i].want);
        assert_int_equal(n, rows[i].n);
        keyset_unref(&s);
    }
}

static void pem_files(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-384"), *rsa = EVP_RSA_gen(2048), *weak = EVP_RSA_gen(1024);
    X509 *cert = X509_new();
    BIO *pubs = BIO_new(BIO_s_mem()), *both = BIO_new(BIO_s_mem()), *priv = BIO_new(BIO_s_mem());
    BIO *weaks = BIO_new(BIO_s_mem()), *x = BIO_new(BIO_s_mem()), *cut = BIO_new(BIO_s_mem());
    struct {
        const char *name;
        BIO *bio;
        size_t n; /* 0 = refused */
        const char *why;
    } rows[] = {
        {"public keys", pubs, 2, NULL},
        {"a key and a private key", both, 0, "private key"},
        {"a private key", priv, 0, "private key"},
        {"a weak key", weaks, 0, "below 2048"},
        {"a certificate", x, 1, NULL},
        {"cut off", cut, 0, "cannot be read"},
        {"nothing", BIO_new(BIO_s_mem()), 0, "no key"},
    };
    struct jwk_rules rules = {.algorithms = ALGS_PUBLIC};

    (void)state;
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 60);
    X509_set_pubkey(cert, ec);
    X509_sign(cert, ec, EVP_sha256());
    BIO_puts(pubs, "a note\n");
    PEM_write_bio_PUBKEY(pubs, ec);
    PEM_write_bio_PUBKEY(pubs, rsa);
    PEM_write_bio_PUBKEY(both, ec);
    PEM_write_bio_PrivateKey(both, ec, NULL, NULL, 0, NULL, NULL);
    PEM_write_bio_PrivateKey(priv, rsa, NULL, NULL, 0, NULL, NULL);
    PEM_write_bio_PUBKEY(weaks, weak);
    PEM_write_bio_X509(x, cert);
    BIO_puts(cut, "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0C\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        char *data = NULL;
        long n = BIO_get_mem_data(rows[i].bio, &data);
        struct keyset *s = keyset_from_pem((struct str){data ? data : "", (size_t)n}, &rules, &e);

        if (s ? s->n != rows[i].n : !rows[i].why || !strstr(e.text, rows[i].why))
            fail_msg("%s: %s", rows[i].name, s ? "taken" : e.text);
        keyset_unref(&s);
        BIO_free(rows[i].bio);
    }
    X509_free(cert);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(weak);
}

static void secrets(void **state)
{
    static const struct {
        const char *text;
        size_t bytes; /* 0 = refused */
        unsigned algorithms;
    } rows[] = {
        {"12345678901234567890123456789012", 32, ALG_BIT(ALG_HS256)},
        {"12345678901234567890123456789012\n", 32, ALG_BIT(ALG_HS256)},
        {"12345678901234567890123456789012\r\n", 32, ALG_BIT(ALG_HS256)},
        {"12345678901234567890123456789012\n\n", 33, ALG_BIT(ALG_HS256)},
        {SECRET, sizeof SECRET - 1, ALGS_HMAC},
        {"1234567890123456789012345678901\n", 0, 0},
        {"\n", 0, 0},
        {"", 0, 0},
    };
    struct jwk_rules rules = {.algorithms = ALGS_HMAC, .secrets = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e;
        struct keyset *s = keyset_from_secret(str_of(rows[i].text), &rules, &e);

        assert_int_equal(s != NULL, rows[i].bytes > 0);
        if (!s)
            continue;
        assert_int_equal(s->keys[0].nsecret, rows[i].bytes);
        assert_int_equal(s->keys[0].algorithms, rows[i].algorithms);
        keyset_unref(&s);
    }
}

static void the_same_text_is_the_same_set(void **state)
{
    struct err e;
    struct keyset *a = read_set("{" EC "}", ALL, false, &e),
                  *b = read_set("{" EC "}", ALL, false, &e);
    struct keyset *c = read_set("{" EC " }", ALL, false, &e);

    (void)state;
    assert_true(keyset_same(a, b));
    assert_false(keyset_same(a, c));
    assert_true(a->generation != b->generation && b->generation != c->generation);
    keyset_unref(&a);
    keyset_unref(&b);
    keyset_unref(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_keys_that_make_sense),
        cmocka_unit_test(weak_rsa_is_not_taken),
        cmocka_unit_test(broken_sets_are_refused),
        cmocka_unit_test(large_sets_are_refused),
        cmocka_unit_test(good_keys_beside_bad_ones),
        cmocka_unit_test(which_keys_a_token_may_mean),
        cmocka_unit_test(pem_files),
        cmocka_unit_test(secrets),
        cmocka_unit_test(the_same_text_is_the_same_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
