/* SPDX-License-Identifier: Apache-2.0 */
/* Good signatures of every algorithm: ours, and those that the RFCs show. */
#include "policy/jws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jwt.h>
#include <openssl/pem.h>

#include "token_maker.h"

#define CLAIMS "{\"iss\":\"i\",\"exp\":1700000600}"

static const char *const key_types[TOKEN_ALGS] = {
    [ALG_RS256] = "RSA",   [ALG_RS384] = "RSA",    [ALG_RS512] = "RSA",   [ALG_PS256] = "RSA",
    [ALG_PS384] = "RSA",   [ALG_PS512] = "RSA",    [ALG_ES256] = "P-256", [ALG_ES384] = "P-384",
    [ALG_ES512] = "P-521", [ALG_EDDSA] = "ED25519"};

static EVP_PKEY *make_key(enum token_alg alg)
{
    if (strcmp(key_types[alg], "RSA") == 0)
        return EVP_RSA_gen(2048);
    return alg == ALG_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen(key_types[alg]);
}

static enum token_error verify(const char *text, const struct keyset *keys)
{
    struct token t;
    enum token_error e = token_read(str_of(text), &t);

    assert_int_equal(e, TOKEN_OK);
    e = jws_verify(&t, keys);
    token_release(&t);
    return e;
}

static struct keyset *set_of(const char *jwk)
{
    struct keyset *s;
    char *jwks;

    assert_true(asprintf(&jwks, "{\"keys\":[%s]}", jwk) > 0);
    s = maker_keyset(jwks, ALGS_PUBLIC | ALGS_HMAC);
    free(jwks);
    return s;
}

/* Many signatures, since r and s of ECDSA are sometimes short. */
static void every_algorithm_of_public_keys(void **state)
{
    (void)state;
    for (enum token_alg alg = 0; alg < ALG_HS256; alg++) {
        EVP_PKEY *key = make_key(alg);
        char *jwk = maker_jwk(key, "\"kid\":\"k\""), *header;
        struct keyset *keys = set_of(jwk);

        assert_true(asprintf(&header, "{\"alg\":\"%s\",\"kid\":\"k\"}", token_alg_name(alg)) > 0);
        for (int i = 0; i < (alg == ALG_ES256 ? 600 : 3); i++) {
            char *t = maker_token(key, alg, header, CLAIMS);

            assert_int_equal(verify(t, keys), TOKEN_OK);
            free(t);
        }
        free(header);
        free(jwk);
        keyset_unref(&keys);
        EVP_PKEY_free(key);
    }
}

static void every_algorithm_of_secrets(void **state)
{
    char *k = base64url(SECRET, strlen(SECRET)), *jwk, *header;
    struct keyset *keys;

    (void)state;
    assert_true(asprintf(&jwk, "{\"kty\":\"oct\",\"k\":\"%s\"}", k) > 0);
    keys = set_of(jwk);
    for (enum token_alg alg = ALG_HS256; alg <= ALG_HS512; alg++) {
        char *t;

        assert_true(asprintf(&header, "{\"typ\":\"JWT\",\"alg\":\"%s\"}", token_alg_name(alg)) > 0);
        t = maker_secret_token(SECRET, strlen(SECRET), alg, header, CLAIMS);
        assert_int_equal(verify(t, keys), TOKEN_OK);
        free(t);
        free(header);
    }
    free(k);
    free(jwk);
    keyset_unref(&keys);
}

/* libjwt and we are of one opinion where both have one. */
static void as_libjwt_signs(void **state)
{
    static const struct {
        jwt_alg_t alg;
        enum token_alg ours;
    } rows[] = {{JWT_ALG_RS256, ALG_RS256}, {JWT_ALG_RS384, ALG_RS384}, {JWT_ALG_RS512, ALG_RS512},
                {JWT_ALG_ES256, ALG_ES256}, {JWT_ALG_ES384, ALG_ES384}, {JWT_ALG_ES512, ALG_ES512}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        EVP_PKEY *key = make_key(rows[i].ours);
        BIO *bio = BIO_new(BIO_s_mem());
        char *jwk = maker_jwk(key, "\"kid\":\"k\""), *pem, *text;
        struct keyset *keys = set_of(jwk);
        jwt_t *jwt;
        long n;

        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
        n = BIO_get_mem_data(bio, &pem);
        assert_int_equal(jwt_new(&jwt), 0);
        jwt_add_grant(jwt, "iss", "i");
        assert_int_equal(jwt_set_alg(jwt, rows[i].alg, (unsigned char *)pem, (int)n), 0);
        text = jwt_encode_str(jwt);
        assert_int_equal(verify(text, keys), TOKEN_OK);
        free(text);
        jwt_free(jwt);
        BIO_free(bio);
        free(jwk);
        keyset_unref(&keys);
        EVP_PKEY_free(key);
    }
}

#define A2_N                                                                                       \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4" \
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re" \
    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX" \
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define A2_SIG                                                                                     \
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5" \
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb" \
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO" \
    "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define JOE                                                                                        \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"

/* 7520 section 3.4 and 4: "It's a dangerous business, Frodo, ..." */
#define BILBO_N                                                                                    \
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmS" \
    "CpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-Of" \
    "VfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKw" \
    "uCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
#define FRODO                                                                                      \
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250" \
    "byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hl" \
    "cmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
#define BILBO_RS256                                                                                \
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xugl" \
    "II7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x" \
    "8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE" \
    "_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"
#define BILBO_PS384                                                                                \
    "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TT" \
    "B5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrY" \
    "RXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtf" \
    "a64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"
#define BILBO_ES512                                                                                \
    "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3" \
    "mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"
#define BILBO_EC                                                                                   \
    "{\"kty\":\"EC\",\"crv\":\"P-521\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":"        \
    "\"sig\","                                                                                     \
    "\"x\":\"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5c" \
    "j0Kt\",\"y\":\"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cw" \
    "lGfP-HqHZR1\"}"

/* Some sign what is no JSON, so they are looked at below token_read(). */
static void vectors_of_the_rfcs(void **state)
{
    static const struct {
        const char *name;
        enum token_alg alg;
        const char *jwk, *kid, *text;
    } rows[] = {
        {"7515 A.1", ALG_HS256,
         "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"
         "PS4hcgUuTwjAzZr1Z9CAow\"}",
         NULL,
         "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE
         ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
        {"7515 A.2", ALG_RS256, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" A2_N "\"}", NULL,
         "eyJhbGciOiJSUzI1NiJ9." JOE "." A2_SIG},
        {"7515 A.3", ALG_ES256,
         "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
         "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
         NULL,
         "eyJhbGciOiJFUzI1NiJ9." JOE
         ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1"
         "Q"},
        {"7520 4.1", ALG_RS256,
         "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"e\":"
         "\"AQAB\","
         "\"n\":\"" BILBO_N "\"}",
         "bilbo.baggins@hobbiton.example",
         "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." FRODO
         "." BILBO_RS256},
        {"7520 4.2", ALG_PS384,
         "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"e\":\"AQAB\",\"n\":"
         "\"" BILBO_N "\"}",
         "bilbo.baggins@hobbiton.example",
         "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." FRODO
         "." BILBO_PS384},
        {"7520 4.3", ALG_ES512, BILBO_EC, "bilbo.baggins@hobbiton.example",
         "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." FRODO
         "." BILBO_ES512},
        {"8037 A.4", ALG_EDDSA,
         "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
         "7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
         "}",
         NULL,
         "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
         "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keyset *keys = set_of(rows[i].jwk);
        char *text = strdup(rows[i].text), *dot = strrchr(text, '.');
        struct token t = {.text = str_of(text),
                          .signed_of = {text, (size_t)(dot - text)},
                          .signature = str_of(dot + 1),
                          .alg = rows[i].alg,
                          .kid = rows[i].kid};
        enum token_error e = jws_verify(&t, keys);

        if (e != TOKEN_OK)
            print_error("%s: %s\n", rows[i].name, token_error_word(e));
        assert_int_equal(e, TOKEN_OK);
        strchr(text, '.')[9] ^= 1;
        assert_int_equal(jws_verify(&t, keys), TOKEN_SIGNATURE_WRONG);
        free(text);
        keyset_unref(&keys);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_of_public_keys),
        cmocka_unit_test(every_algorithm_of_secrets),
        cmocka_unit_test(as_libjwt_signs),
        cmocka_unit_test(vectors_of_the_rfcs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
