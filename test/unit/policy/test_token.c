/* SPDX-License-Identifier: Apache-2.0 */
/* Forged, expired, confused, malformed and oversized tokens, each with the reason it must be
 * refused for; what good tokens look like is in test_jws.c. */
#include "policy/token.h"

#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "token_maker.h"

#define ISS   "\"iss\":\"https://issuer.example\""
#define AUD   "\"aud\":\"shop\""
#define SUB   "\"sub\":\"u1\""
#define EXP   "\"exp\":1700000600"
#define GOOD  "{" ISS "," AUD "," SUB "," EXP "}"
#define RS256 "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"

/* The issuer's keys, and those of others. */
static EVP_PKEY *rsa, *pinned, *ec, *ec384, *ec521, *ed, *other_rsa, *other_ec, *other_ed;
static struct keyset *keys, *secrets;

static const char *audiences[] = {"shop"}, *required[] = {"sub"}, *types[] = {"at+jwt"};

static const struct issuer_conf issuer = {
    .name = "public",
    .issuer = "https://issuer.example",
    .audience = audiences,
    .naudience = 1,
    .algorithms = ALGS_PUBLIC & ~ALG_BIT(ALG_RS512),
    .leeway_ms = 30000,
    .require_exp = true,
    .require = required,
    .nrequire = 1,
};
static struct issuer_conf secret_issuer, typed_issuer;

static int set_up(void **state)
{
    struct {
        EVP_PKEY **key;
        const char *more;
    } all[] = {{&rsa, "\"kid\":\"rsa\""},
               {&pinned, "\"kid\":\"pinned\",\"alg\":\"RS256\",\"use\":\"sig\""},
               {&ec, "\"kid\":\"ec\""},
               {&ec384, "\"kid\":\"ec384\""},
               {&ec521, "\"kid\":\"ec521\""},
               {&ed, "\"kid\":\"ed\""}};
    char *jwks = strdup("{\"keys\":["), *k, *secret = base64url(SECRET, strlen(SECRET));

    (void)state;
    rsa = EVP_RSA_gen(2048);
    pinned = EVP_RSA_gen(2048);
    other_rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    ec384 = EVP_EC_gen("P-384");
    ec521 = EVP_EC_gen("P-521");
    other_ec = EVP_EC_gen("P-256");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    other_ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        char *jwk = maker_jwk(*all[i].key, all[i].more);

        assert_true(asprintf(&k, "%s%s%s", jwks, i ? "," : "", jwk) > 0);
        free(jwk);
        free(jwks);
        jwks = k;
    }
    assert_true(asprintf(&k, "%s]}", jwks) > 0);
    keys = maker_keyset(k, issuer.algorithms);
    free(k);
    free(jwks);
    assert_true(asprintf(&k, "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"s\",\"k\":\"%s\"}]}", secret) >
                0);
    secrets = maker_keyset(k, ALGS_HMAC);
    free(k);
    free(secret);
    secret_issuer = issuer;
    secret_issuer.algorithms = ALGS_HMAC;
    typed_issuer = issuer;
    typed_issuer.types = types;
    typed_issuer.ntypes = 1;
    return 0;
}

static int tear_down(void **state)
{
    EVP_PKEY *all[] = {rsa, pinned, ec, ec384, ec521, ed, other_rsa, other_ec, other_ed};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        EVP_PKEY_free(all[i]);
    keyset_unref(&keys);
    keyset_unref(&secrets);
    return 0;
}

static enum token_error judge_at(const char *text, const struct issuer_conf *c,
                                 const struct keyset *k, int64_t now)
{
    /* Without a byte behind it, so that AddressSanitizer sees a step too far. */
    size_t n = strlen(text);
    char *copy = malloc(n ? n : 1);
    struct token t;
    enum token_error e;

    memcpy(copy, text, n);
    e = token_read((struct str){copy, n}, &t);
    if (e == TOKEN_OK) {
        e = token_verify(&t, c, k, now);
        token_release(&t);
    }
    free(copy);
    return e;
}

static enum token_error judge(const char *text)
{
    return judge_at(text, &issuer, keys, NOW);
}

static void expect(const char *name, enum token_error got, enum token_error want, unsigned *bad)
{
    if (got == want)
        return;
    print_error("%s: %s, expected %s\n", name, token_error_word(got), token_error_word(want));
    ++*bad;
}

/* Header and claims of the row, well signed with the RSA key of the issuer: what is wrong is what
 * they say. NULL = a good one. */
static void refused_for_what_it_says(void **state)
{
    static const struct {
        const char *name, *header, *claims;
        enum token_error want;
    } rows[] = {
        {"good", NULL, NULL, TOKEN_OK},

        {"alg none", "{\"alg\":\"none\"}", NULL, TOKEN_ALGORITHM_NONE},
        {"alg None", "{\"alg\":\"None\"}", NULL, TOKEN_ALGORITHM_NONE},
        {"alg NONE", "{\"alg\":\"NONE\",\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_NONE},
        {"alg nOnE", "{\"alg\":\"nOnE\"}", NULL, TOKEN_ALGORITHM_NONE},
        {"alg none in escapes", "{\"alg\":\"\\u006eone\"}", NULL, TOKEN_ALGORITHM_NONE},
        {"alg none and a blank", "{\"alg\":\"none \"}", NULL, TOKEN_ALGORITHM_UNKNOWN},
        {"alg empty", "{\"alg\":\"\",\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_UNKNOWN},
        {"alg missing", "{\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_MISSING},
        {"alg null", "{\"alg\":null,\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_TYPE},
        {"alg a number", "{\"alg\":256,\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_TYPE},
        {"alg a list", "{\"alg\":[\"RS256\"],\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_TYPE},
        {"alg in lower case", "{\"alg\":\"rs256\",\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_UNKNOWN},
        {"alg with a blank", "{\"alg\":\"RS256 \",\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_UNKNOWN},
        {"alg cut off", "{\"alg\":\"RS25\",\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_UNKNOWN},
        {"alg RS1", "{\"alg\":\"RS1\",\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_UNKNOWN},
        {"alg ES256K", "{\"alg\":\"ES256K\",\"kid\":\"ec\"}", NULL, TOKEN_ALGORITHM_UNKNOWN},
        {"alg of encryption", "{\"alg\":\"RSA-OAEP\",\"kid\":\"rsa\"}", NULL,
         TOKEN_ALGORITHM_UNKNOWN},
        {"alg not of the issuer", "{\"alg\":\"RS512\",\"kid\":\"rsa\"}", NULL,
         TOKEN_ALGORITHM_REFUSED},
        {"alg for a secret", "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", NULL, TOKEN_ALGORITHM_REFUSED},
        {"alg of another kind of key", "{\"alg\":\"ES256\",\"kid\":\"rsa\"}", NULL,
         TOKEN_KEY_MISMATCH},
        {"alg not of the key", "{\"alg\":\"PS256\",\"kid\":\"pinned\"}", NULL, TOKEN_KEY_MISMATCH},
        {"alg of another curve", "{\"alg\":\"ES384\",\"kid\":\"ec\"}", NULL, TOKEN_KEY_MISMATCH},
        {"alg of another hash", "{\"alg\":\"RS384\",\"kid\":\"rsa\"}", NULL, TOKEN_SIGNATURE_WRONG},
        {"alg of another padding", "{\"alg\":\"PS256\",\"kid\":\"rsa\"}", NULL,
         TOKEN_SIGNATURE_WRONG},

        {"kid unknown", "{\"alg\":\"RS256\",\"kid\":\"none\"}", NULL, TOKEN_KEY_UNKNOWN},
        {"kid a path", "{\"alg\":\"RS256\",\"kid\":\"../../../../dev/null\"}", NULL,
         TOKEN_KEY_UNKNOWN},
        {"kid for SQL", "{\"alg\":\"RS256\",\"kid\":\"x' UNION SELECT 'k\"}", NULL,
         TOKEN_KEY_UNKNOWN},
        {"kid for a shell", "{\"alg\":\"RS256\",\"kid\":\"|/bin/id\"}", NULL, TOKEN_KEY_UNKNOWN},
        {"kid an address", "{\"alg\":\"RS256\",\"kid\":\"http://evil.example/k\"}", NULL,
         TOKEN_KEY_UNKNOWN},
        {"kid longer", "{\"alg\":\"RS256\",\"kid\":\"rsa1\"}", NULL, TOKEN_KEY_UNKNOWN},
        {"kid in upper case", "{\"alg\":\"RS256\",\"kid\":\"RSA\"}", NULL, TOKEN_KEY_UNKNOWN},
        {"kid of another key", "{\"alg\":\"RS256\",\"kid\":\"pinned\"}", NULL,
         TOKEN_SIGNATURE_WRONG},
        {"kid a number", "{\"alg\":\"RS256\",\"kid\":1}", NULL, TOKEN_KEY_ID_TYPE},
        {"kid null", "{\"alg\":\"RS256\",\"kid\":null}", NULL, TOKEN_KEY_ID_TYPE},
        {"kid a list", "{\"alg\":\"RS256\",\"kid\":[\"rsa\"]}", NULL, TOKEN_KEY_ID_TYPE},
        {"kid empty", "{\"alg\":\"RS256\",\"kid\":\"\"}", NULL, TOKEN_KEY_ID_LENGTH},
        {"kid with a line break", "{\"alg\":\"RS256\",\"kid\":\"rsa\\n\"}", NULL,
         TOKEN_KEY_ID_CHARACTERS},
        {"kid with a NUL", "{\"alg\":\"RS256\",\"kid\":\"rsa\\u0000x\"}", NULL, TOKEN_HEADER_JSON},

        {"crit", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"exp\"],\"exp\":1}", NULL,
         TOKEN_CRITICAL},
        {"crit empty", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[]}", NULL, TOKEN_CRITICAL},
        {"crit null", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":null}", NULL, TOKEN_CRITICAL},
        {"b64", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"b64\":false}", NULL, TOKEN_UNENCODED},
        {"b64 and crit", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"b64\":false,\"crit\":[\"b64\"]}",
         NULL, TOKEN_CRITICAL},
        {"zip", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"zip\":\"DEF\"}", NULL, TOKEN_COMPRESSED},
        {"enc", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"enc\":\"A128GCM\"}", NULL,
         TOKEN_ENCRYPTION_HEADER},
        {"cty JWT", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"cty\":\"JWT\"}", NULL, TOKEN_NESTED},
        {"typ a number", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":1}", NULL, TOKEN_TYPE_INVALID},

        {"header no JSON", "alg=RS256", NULL, TOKEN_HEADER_JSON},
        {"header empty", "", NULL, TOKEN_HEADER_JSON},
        {"header cut off", "{\"alg\":\"RS256\"", NULL, TOKEN_HEADER_JSON},
        {"header and more", RS256 "x", NULL, TOKEN_HEADER_JSON},
        {"header twice", RS256 RS256, NULL, TOKEN_HEADER_JSON},
        {"header with a byte order mark", "\xef\xbb\xbf" RS256, NULL, TOKEN_HEADER_JSON},
        {"header in broken UTF-8", "{\"alg\":\"RS256\",\"kid\":\"\xc3\x28\"}", NULL,
         TOKEN_HEADER_JSON},
        {"header with single quotes", "{'alg':'RS256'}", NULL, TOKEN_HEADER_JSON},
        {"header with a comment", "{\"alg\":\"RS256\"/*x*/}", NULL, TOKEN_HEADER_JSON},
        {"header a list", "[\"RS256\"]", NULL, TOKEN_HEADER_OBJECT},
        {"header a text", "\"RS256\"", NULL, TOKEN_HEADER_OBJECT},
        {"header a number", "1", NULL, TOKEN_HEADER_OBJECT},
        {"header null", "null", NULL, TOKEN_HEADER_OBJECT},
        {"alg twice", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"alg\":\"none\"}", NULL,
         TOKEN_HEADER_DUPLICATE},
        {"alg twice in escapes", "{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}", NULL,
         TOKEN_HEADER_DUPLICATE},
        {"kid twice", "{\"alg\":\"RS256\",\"kid\":\"x\",\"kid\":\"rsa\"}", NULL,
         TOKEN_HEADER_DUPLICATE},
        {"header deep", "{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}", NULL,
         TOKEN_HEADER_DEPTH},

        {"payload no JSON", NULL, "iss=x", TOKEN_PAYLOAD_JSON},
        {"payload empty", NULL, "", TOKEN_PAYLOAD_JSON},
        {"payload cut off", NULL, "{" ISS, TOKEN_PAYLOAD_JSON},
        {"payload and more", NULL, GOOD "{}", TOKEN_PAYLOAD_JSON},
        {"payload in broken UTF-8", NULL, "{" ISS ",\"x\":\"\xff\"}", TOKEN_PAYLOAD_JSON},
        {"payload with a NUL", NULL, "{" ISS "," AUD "," EXP ",\"sub\":\"admin\\u0000x\"}",
         TOKEN_PAYLOAD_JSON},
        {"payload a list", NULL, "[" GOOD "]", TOKEN_PAYLOAD_OBJECT},
        {"payload a text", NULL, "\"x\"", TOKEN_PAYLOAD_OBJECT},
        {"payload null", NULL, "null", TOKEN_PAYLOAD_OBJECT},
        {"sub twice", NULL, "{" ISS "," AUD "," SUB "," EXP ",\"sub\":\"admin\"}",
         TOKEN_PAYLOAD_DUPLICATE},
        {"iss twice in escapes", NULL, "{" ISS "," AUD "," SUB "," EXP ",\"i\\u0073s\":\"x\"}",
         TOKEN_PAYLOAD_DUPLICATE},
        {"a member deep inside twice", NULL,
         "{" ISS "," AUD "," SUB "," EXP ",\"realm\":{\"roles\":[],\"roles\":[\"admin\"]}}",
         TOKEN_PAYLOAD_DUPLICATE},
        {"payload deep", NULL, "{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}",
         TOKEN_PAYLOAD_DEPTH},

        {"iss missing", NULL, "{" AUD "," SUB "," EXP "}", TOKEN_ISSUER_MISSING},
        {"iss a number", NULL, "{\"iss\":1," AUD "," SUB "," EXP "}", TOKEN_ISSUER_TYPE},
        {"iss a list", NULL, "{\"iss\":[\"https://issuer.example\"]," AUD "," SUB "," EXP "}",
         TOKEN_ISSUER_TYPE},
        {"iss with a slash more", NULL,
         "{\"iss\":\"https://issuer.example/\"," AUD "," SUB "," EXP "}", TOKEN_ISSUER_UNKNOWN},
        {"iss in upper case", NULL, "{\"iss\":\"https://ISSUER.example\"," AUD "," SUB "," EXP "}",
         TOKEN_ISSUER_UNKNOWN},
        {"iss begins alike", NULL,
         "{\"iss\":\"https://issuer.example.evil.example\"," AUD "," SUB "," EXP "}",
         TOKEN_ISSUER_UNKNOWN},
        {"iss empty", NULL, "{\"iss\":\"\"," AUD "," SUB "," EXP "}", TOKEN_ISSUER_UNKNOWN},

        {"exp missing", NULL, "{" ISS "," AUD "," SUB "}", TOKEN_EXPIRY_MISSING},
        {"exp a text", NULL, "{" ISS "," AUD "," SUB ",\"exp\":\"1700000600\"}",
         TOKEN_EXPIRY_INVALID},
        {"exp null", NULL, "{" ISS "," AUD "," SUB ",\"exp\":null}", TOKEN_EXPIRY_INVALID},
        {"exp true", NULL, "{" ISS "," AUD "," SUB ",\"exp\":true}", TOKEN_EXPIRY_INVALID},
        {"exp a list", NULL, "{" ISS "," AUD "," SUB ",\"exp\":[1700000600]}",
         TOKEN_EXPIRY_INVALID},
        {"exp negative", NULL, "{" ISS "," AUD "," SUB ",\"exp\":-1}", TOKEN_EXPIRY_INVALID},
        {"exp beyond 2^53", NULL, "{" ISS "," AUD "," SUB ",\"exp\":9007199254740993}",
         TOKEN_EXPIRY_INVALID},
        {"exp near 2^63", NULL, "{" ISS "," AUD "," SUB ",\"exp\":9223372036854775807}",
         TOKEN_EXPIRY_INVALID},
        {"exp beyond 2^63", NULL, "{" ISS "," AUD "," SUB ",\"exp\":9223372036854775808}",
         TOKEN_PAYLOAD_JSON},
        {"exp 1e300", NULL, "{" ISS "," AUD "," SUB ",\"exp\":1e300}", TOKEN_EXPIRY_INVALID},
        {"exp 1e400", NULL, "{" ISS "," AUD "," SUB ",\"exp\":1e400}", TOKEN_PAYLOAD_JSON},
        {"exp in milliseconds is far away", NULL, "{" ISS "," AUD "," SUB ",\"exp\":1700000600000}",
         TOKEN_OK},
        {"exp a fraction", NULL, "{" ISS "," AUD "," SUB ",\"exp\":1700000600.75}", TOKEN_OK},
        {"exp 0", NULL, "{" ISS "," AUD "," SUB ",\"exp\":0}", TOKEN_EXPIRED},
        {"exp with the leeway just over", NULL, "{" ISS "," AUD "," SUB ",\"exp\":1699999970}",
         TOKEN_EXPIRED},
        {"exp within the leeway", NULL, "{" ISS "," AUD "," SUB ",\"exp\":1699999971}", TOKEN_OK},
        {"nbf in the future", NULL, "{" ISS "," AUD "," SUB "," EXP ",\"nbf\":1700000031}",
         TOKEN_NOT_YET_VALID},
        {"nbf within the leeway", NULL, "{" ISS "," AUD "," SUB "," EXP ",\"nbf\":1700000030}",
         TOKEN_OK},
        {"nbf a text", NULL, "{" ISS "," AUD "," SUB "," EXP ",\"nbf\":\"0\"}",
         TOKEN_NOT_BEFORE_INVALID},
        {"nbf 1e300", NULL, "{" ISS "," AUD "," SUB "," EXP ",\"nbf\":1e300}",
         TOKEN_NOT_BEFORE_INVALID},
        {"iat in the future", NULL, "{" ISS "," AUD "," SUB "," EXP ",\"iat\":1700000031}",
         TOKEN_ISSUED_IN_FUTURE},
        {"iat an object", NULL, "{" ISS "," AUD "," SUB "," EXP ",\"iat\":{}}",
         TOKEN_ISSUED_AT_INVALID},

        {"aud missing", NULL, "{" ISS "," SUB "," EXP "}", TOKEN_AUDIENCE_MISSING},
        {"aud another", NULL, "{" ISS "," SUB "," EXP ",\"aud\":\"bank\"}", TOKEN_AUDIENCE_WRONG},
        {"aud begins alike", NULL, "{" ISS "," SUB "," EXP ",\"aud\":\"shopping\"}",
         TOKEN_AUDIENCE_WRONG},
        {"aud a part", NULL, "{" ISS "," SUB "," EXP ",\"aud\":\"sho\"}", TOKEN_AUDIENCE_WRONG},
        {"aud several in a text", NULL, "{" ISS "," SUB "," EXP ",\"aud\":\"shop bank\"}",
         TOKEN_AUDIENCE_WRONG},
        {"aud in upper case", NULL, "{" ISS "," SUB "," EXP ",\"aud\":\"SHOP\"}",
         TOKEN_AUDIENCE_WRONG},
        {"aud an empty list", NULL, "{" ISS "," SUB "," EXP ",\"aud\":[]}", TOKEN_AUDIENCE_WRONG},
        {"aud a list of others", NULL, "{" ISS "," SUB "," EXP ",\"aud\":[\"bank\",\"x\"]}",
         TOKEN_AUDIENCE_WRONG},
        {"aud a list with a number", NULL, "{" ISS "," SUB "," EXP ",\"aud\":[\"shop\",1]}",
         TOKEN_AUDIENCE_INVALID},
        {"aud a list in a list", NULL, "{" ISS "," SUB "," EXP ",\"aud\":[[\"shop\"]]}",
         TOKEN_AUDIENCE_INVALID},
        {"aud an object", NULL, "{" ISS "," SUB "," EXP ",\"aud\":{\"shop\":1}}",
         TOKEN_AUDIENCE_INVALID},
        {"aud null", NULL, "{" ISS "," SUB "," EXP ",\"aud\":null}", TOKEN_AUDIENCE_INVALID},
        {"aud a list with ours", NULL, "{" ISS "," SUB "," EXP ",\"aud\":[\"bank\",\"shop\"]}",
         TOKEN_OK},

        {"sub missing", NULL, "{" ISS "," AUD "," EXP "}", TOKEN_CLAIM_MISSING},
        {"sub empty", NULL, "{" ISS "," AUD "," EXP ",\"sub\":\"\"}", TOKEN_CLAIM_MISSING},
        {"sub null", NULL, "{" ISS "," AUD "," EXP ",\"sub\":null}", TOKEN_SUBJECT_INVALID},
        {"sub a number", NULL, "{" ISS "," AUD "," EXP ",\"sub\":1}", TOKEN_SUBJECT_INVALID},
        {"sub a list", NULL, "{" ISS "," AUD "," EXP ",\"sub\":[\"u1\"]}", TOKEN_SUBJECT_INVALID},
    };
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *t = maker_token(rsa, ALG_RS256, rows[i].header ? rows[i].header : RS256,
                              rows[i].claims ? rows[i].claims : GOOD);

        expect(rows[i].name, judge(t), rows[i].want, &bad);
        free(t);
    }
    assert_int_equal(bad, 0);
}

/* Ways to spoil a good token. They take it over. */
static char *replace(char *t, char *now)
{
    free(t);
    return now;
}

static char *format(char *t, const char *fmt)
{
    char *now;

    assert_true(asprintf(&now, "%.*s%s%s", (int)strcspn(fmt, "*"), fmt, t,
                         fmt + strcspn(fmt, "*") + 1) > 0);
    return replace(t, now);
}

static char *padded(char *t)
{
    return format(t, "*=");
}

static char *double_padded(char *t)
{
    return format(t, "*==");
}

static char *line_break(char *t)
{
    return format(t, "*\n");
}

static char *blank_inside(char *t)
{
    t[strlen(t) - 3] = ' ';
    return t;
}

static char *one_letter_more(char *t)
{
    return format(t, "*AA");
}

static char *five_parts(char *t)
{
    return format(t, "*.x.y");
}

static char *four_parts(char *t)
{
    return format(t, "*.x");
}

static char *six_parts(char *t)
{
    return format(t, "*.x.y.z");
}

static char *leading_dot(char *t)
{
    return format(t, ".*");
}

static char *trailing_dot(char *t)
{
    return format(t, "*.");
}

static char *two_parts(char *t)
{
    *strrchr(t, '.') = '\0';
    return t;
}

static char *one_part(char *t)
{
    *strchr(t, '.') = '\0';
    return t;
}

static char *no_signature(char *t)
{
    strrchr(t, '.')[1] = '\0';
    return t;
}

static char *dots_only(char *t)
{
    return replace(t, strdup(".."));
}

static char *nothing(char *t)
{
    return replace(t, strdup(""));
}

static char *a_byte_less(char *t)
{
    t[strlen(t) - 2] = '\0';
    return t;
}

static char *last_bits(char *t)
{
    /* 256 and 64 bytes end in a letter with unused bits: another letter, the same bytes. */
    t[strlen(t) - 1]++;
    return t;
}

static char *last_bits_of_header(char *t)
{
    t = replace(t, maker_token(rsa, ALG_RS256, "{\"alg\":\"RS256\",\"kid\":\"rsa\" }", GOOD));
    strchr(t, '.')[-1]++;
    return t;
}

static char *standard_alphabet(char *t)
{
    strrchr(t, '.')[3] = '+';
    return t;
}

static char *standard_alphabet_in_payload(char *t)
{
    strchr(t, '.')[3] = '/';
    return t;
}

static char *escaped(char *t)
{
    memcpy(strrchr(t, '.') + 1, "%41", 3);
    return t;
}

static char *high_byte(char *t)
{
    strchr(t, '.')[5] = (char)0xc3;
    return t;
}

static char *flipped(char *t)
{
    char *p = strrchr(t, '.') + 10;

    *p = *p == 'A' ? 'B' : 'A';
    return t;
}

static char *zeros(char *t)
{
    char *p = strrchr(t, '.') + 1;

    memset(p, 'A', strlen(p));
    return t;
}

static char *quoted(char *t)
{
    return format(t, "\"*\"");
}

static char *scheme_twice(char *t)
{
    return format(t, "Bearer *");
}

static char *header_repeated(char *t)
{
    char *now;

    assert_true(asprintf(&now, "%.*s%s", (int)(strchr(t, '.') - t), t, t) > 0);
    return replace(t, now);
}

static char *parts_swapped(char *t)
{
    char *now, *dot = strchr(t, '.'), *last = strrchr(t, '.');

    assert_true(
        asprintf(&now, "%.*s.%.*s%s", (int)(last - dot - 1), dot + 1, (int)(dot - t), t, last) > 0);
    return replace(t, now);
}

/* Another payload under the same signature. */
static char *promoted(char *t)
{
    char *admin = maker_unsigned(RS256, "{" ISS "," AUD ",\"sub\":\"admin\"," EXP "}"), *now;

    assert_true(asprintf(&now, "%s%s", admin, strrchr(t, '.')) > 0);
    free(admin);
    return replace(t, now);
}

static char *long_claim(char *t)
{
    char *pad = malloc(9001), *claims;

    memset(pad, 'x', 9000);
    pad[9000] = '\0';
    assert_true(asprintf(&claims, "{" ISS "," AUD "," SUB "," EXP ",\"x\":\"%s\"}", pad) > 0);
    free(pad);
    t = replace(t, maker_token(rsa, ALG_RS256, RS256, claims));
    free(claims);
    return t;
}

static char *megabyte(char *t)
{
    char *now = malloc((1 << 20) + 1);

    memset(now, 'e', 1 << 20);
    now[1 << 20] = '\0';
    return replace(t, now);
}

static char *dots(char *t)
{
    char *now = malloc(8001);

    memset(now, '.', 8000);
    now[8000] = '\0';
    return replace(t, now);
}

static char *long_header(char *t)
{
    char *pad = malloc(1801), *header;

    memset(pad, 'x', 1800);
    pad[1800] = '\0';
    assert_true(asprintf(&header, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"%s\"}", pad) > 0);
    free(pad);
    t = replace(t, maker_token(rsa, ALG_RS256, header, GOOD));
    free(header);
    return t;
}

static char *long_kid(char *t)
{
    char pad[258], *header;

    memset(pad, 'x', 257);
    pad[257] = '\0';
    assert_true(asprintf(&header, "{\"alg\":\"RS256\",\"kid\":\"%s\"}", pad) > 0);
    t = replace(t, maker_token(rsa, ALG_RS256, header, GOOD));
    free(header);
    return t;
}

/* An encrypted token as RFC 7516 A.1 has them. */
static char *encrypted(char *t)
{
    static const char header[] = "{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}";
    char *h = base64url(header, sizeof header - 1), *now;

    assert_true(asprintf(&now, "%s.QQ.QQ.QQ.QQ", h) > 0);
    free(h);
    return replace(t, now);
}

static char *json_form(char *t)
{
    return replace(t, strdup("{\"payload\":\"e30\",\"protected\":\"e30\",\"signature\":\"AA\"}"));
}

/* A good token that was spoilt afterwards. */
static void refused_for_its_shape(void **state)
{
    static const struct {
        const char *name;
        char *(*spoil)(char *t);
        enum token_error want;
    } rows[] = {
        {"padding", padded, TOKEN_SIGNATURE_ENCODING},
        {"two paddings", double_padded, TOKEN_SIGNATURE_ENCODING},
        {"line break at the end", line_break, TOKEN_SIGNATURE_ENCODING},
        {"blank inside", blank_inside, TOKEN_SIGNATURE_ENCODING},
        {"bits behind the last byte", last_bits, TOKEN_SIGNATURE_ENCODING},
        {"bits behind the header", last_bits_of_header, TOKEN_HEADER_ENCODING},
        {"alphabet of MIME", standard_alphabet, TOKEN_SIGNATURE_ENCODING},
        {"alphabet of MIME in the payload", standard_alphabet_in_payload, TOKEN_PAYLOAD_ENCODING},
        {"percent encoding", escaped, TOKEN_SIGNATURE_ENCODING},
        {"no ASCII", high_byte, TOKEN_PAYLOAD_ENCODING},
        {"in quotes", quoted, TOKEN_HEADER_ENCODING},
        {"scheme twice", scheme_twice, TOKEN_HEADER_ENCODING},
        {"header twice in a row", header_repeated, TOKEN_HEADER_JSON},
        {"payload before header", parts_swapped, TOKEN_ALGORITHM_MISSING},
        {"signature longer", one_letter_more, TOKEN_SIGNATURE_LENGTH},
        {"signature shorter", a_byte_less, TOKEN_SIGNATURE_LENGTH},
        {"signature missing", no_signature, TOKEN_SIGNATURE_MISSING},
        {"signature changed", flipped, TOKEN_SIGNATURE_WRONG},
        {"signature of zeros", zeros, TOKEN_SIGNATURE_WRONG},
        {"payload of another", promoted, TOKEN_SIGNATURE_WRONG},
        {"five parts", five_parts, TOKEN_ENCRYPTED},
        {"encrypted", encrypted, TOKEN_ENCRYPTED},
        {"four parts", four_parts, TOKEN_STRUCTURE},
        {"six parts", six_parts, TOKEN_STRUCTURE},
        {"two parts", two_parts, TOKEN_STRUCTURE},
        {"one part", one_part, TOKEN_STRUCTURE},
        {"dot in front", leading_dot, TOKEN_STRUCTURE},
        {"dot at the end", trailing_dot, TOKEN_STRUCTURE},
        {"dots only", dots_only, TOKEN_HEADER_JSON},
        {"thousands of dots", dots, TOKEN_STRUCTURE},
        {"nothing", nothing, TOKEN_EMPTY},
        {"JSON serialization", json_form, TOKEN_STRUCTURE},
        {"claims too long", long_claim, TOKEN_TOO_LONG},
        {"a megabyte", megabyte, TOKEN_TOO_LONG},
        {"header too long", long_header, TOKEN_HEADER_TOO_LONG},
        {"kid too long", long_kid, TOKEN_KEY_ID_LENGTH},
    };
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *t = rows[i].spoil(maker_token(rsa, ALG_RS256, RS256, GOOD));

        expect(rows[i].name, judge(t), rows[i].want, &bad);
        free(t);
    }
    assert_int_equal(bad, 0);
}

static char *public_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *copy;
    long n;

    PEM_write_bio_PUBKEY(bio, key);
    n = BIO_get_mem_data(bio, &data);
    copy = strndup(data, (size_t)n);
    BIO_free(bio);
    return copy;
}

/* RS/HS confusion: the public key as the secret, in all the shapes that servers have fallen for. */
static void public_keys_are_no_secrets(void **state)
{
    char *pem = public_pem(rsa), *jwk = maker_jwk(rsa, "\"kid\":\"rsa\"");
    char *n = maker_number(rsa, OSSL_PKEY_PARAM_RSA_N, 0);
    struct {
        const char *name, *secret;
        size_t bytes;
    } rows[] = {
        {"PEM", pem, strlen(pem)},
        {"PEM without the last line break", pem, strlen(pem) - 1},
        {"PEM and a NUL", pem, strlen(pem) + 1},
        {"JWK", jwk, strlen(jwk)},
        {"modulus", n, strlen(n)},
        {"nothing", "", 0},
        {"the kid", "rsa", 3},
    };
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *t = maker_secret_token(rows[i].secret, rows[i].bytes, ALG_HS256,
                                     "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", GOOD);

        expect(rows[i].name, judge(t), TOKEN_ALGORITHM_REFUSED, &bad);
        /* Nor when the configuration would allow both. */
        struct issuer_conf lax = issuer;

        lax.algorithms = ALGS_PUBLIC | ALGS_HMAC;
        expect(rows[i].name, judge_at(t, &lax, keys, NOW), TOKEN_KEY_MISMATCH, &bad);
        free(t);
    }
    free(pem);
    free(jwk);
    free(n);
    assert_int_equal(bad, 0);
}

/* Signed by somebody else, who says so. */
static void keys_in_the_header_are_not_read(void **state)
{
    static const char *const brought[] = {
        "\"jwk\":", "\"jku\":\"http://127.0.0.1:1/k\",\"jwk\":",
        "\"x5u\":\"http://127.0.0.1:1/c\",\"jwk\":", "\"x5c\":[\"MIIB\"],\"jwk\":",
        "\"x5t#S256\":\"AAAA\",\"jwk\":"};
    char *jwk = maker_jwk(other_rsa, "\"kid\":\"rsa\"");
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(brought); i++) {
        char *more, *header;

        assert_true(asprintf(&more, "%s%s", brought[i], jwk) > 0);
        assert_true(asprintf(&header, "{\"alg\":\"RS256\",\"kid\":\"rsa\",%s}", more) > 0);
        char *t = maker_token(other_rsa, ALG_RS256, header, GOOD);

        expect(brought[i], judge(t), TOKEN_SIGNATURE_WRONG, &bad);
        free(t);
        free(header);
        assert_true(asprintf(&header, "{\"alg\":\"RS256\",%s}", more) > 0);
        t = maker_token(other_rsa, ALG_RS256, header, GOOD);
        expect(brought[i], judge(t), TOKEN_SIGNATURE_WRONG, &bad);
        free(t);
        free(header);
        free(more);
    }
    free(jwk);
    assert_int_equal(bad, 0);
}

/* Signatures that the right key did not make, or made in another way. */
static void refused_for_its_signature(void **state)
{
    struct row {
        const char *name, *header;
        EVP_PKEY *key;
        enum token_alg alg;
        struct pss_options pss;
        enum token_error want;
    } rows[] = {
        {"RSA of another", RS256, other_rsa, ALG_RS256, {0}, TOKEN_SIGNATURE_WRONG},
        {"ES256 of another",
         "{\"alg\":\"ES256\",\"kid\":\"ec\"}",
         other_ec,
         ALG_ES256,
         {0},
         TOKEN_SIGNATURE_WRONG},
        {"EdDSA of another",
         "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}",
         other_ed,
         ALG_EDDSA,
         {0},
         TOKEN_SIGNATURE_WRONG},
        {"PS256 as RS256", RS256, rsa, ALG_PS256, {0}, TOKEN_SIGNATURE_WRONG},
        {"RS256 as PS256",
         "{\"alg\":\"PS256\",\"kid\":\"rsa\"}",
         rsa,
         ALG_RS256,
         {0},
         TOKEN_SIGNATURE_WRONG},
        {"PS256 with a short salt",
         "{\"alg\":\"PS256\",\"kid\":\"rsa\"}",
         rsa,
         ALG_PS256,
         {8, NULL},
         TOKEN_SIGNATURE_WRONG},
        {"PS256 with the longest salt",
         "{\"alg\":\"PS256\",\"kid\":\"rsa\"}",
         rsa,
         ALG_PS256,
         {222, NULL},
         TOKEN_SIGNATURE_WRONG},
        {"PS256 with MGF1 of SHA-1",
         "{\"alg\":\"PS256\",\"kid\":\"rsa\"}",
         rsa,
         ALG_PS256,
         {0, EVP_sha1()},
         TOKEN_SIGNATURE_WRONG},
        {"ES384 as ES512",
         "{\"alg\":\"ES512\",\"kid\":\"ec521\"}",
         ec384,
         ALG_ES384,
         {0},
         TOKEN_SIGNATURE_LENGTH},
        {"EdDSA as ES256",
         "{\"alg\":\"ES256\",\"kid\":\"ec\"}",
         ed,
         ALG_EDDSA,
         {0},
         TOKEN_SIGNATURE_WRONG},
        {"ES256 as EdDSA",
         "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}",
         ec,
         ALG_ES256,
         {0},
         TOKEN_SIGNATURE_WRONG},
        {"RSA as ES256",
         "{\"alg\":\"ES256\",\"kid\":\"ec\"}",
         rsa,
         ALG_RS256,
         {0},
         TOKEN_SIGNATURE_LENGTH},
        {"no kid and no key of this kind",
         "{\"alg\":\"RS256\"}",
         other_rsa,
         ALG_RS256,
         {0},
         TOKEN_SIGNATURE_WRONG},
    };
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned char sig[1024];
        char *text = maker_unsigned(rows[i].header, GOOD), *t;
        size_t n = maker_sign(rows[i].key, rows[i].alg, text, &rows[i].pss, sig);

        t = maker_append(text, sig, n);
        expect(rows[i].name, judge(t), rows[i].want, &bad);
        free(t);
    }
    assert_int_equal(bad, 0);
}

enum { HALF = 32 };

/* n of P-256, and L of Ed25519 in its byte order. */
static const unsigned char p256_order[HALF] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const unsigned char ed_order[HALF] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

static void r_zero(unsigned char *sig)
{
    memset(sig, 0, HALF);
}

static void s_zero(unsigned char *sig)
{
    memset(sig + HALF, 0, HALF);
}

static void both_zero(unsigned char *sig)
{
    memset(sig, 0, 2 * HALF);
}

static void r_order(unsigned char *sig)
{
    memcpy(sig, p256_order, HALF);
}

static void s_order(unsigned char *sig)
{
    memcpy(sig + HALF, p256_order, HALF);
}

static void all_ones(unsigned char *sig)
{
    memset(sig, 0xff, 2 * HALF);
}

static void swapped(unsigned char *sig)
{
    unsigned char r[HALF];

    memcpy(r, sig, HALF);
    memcpy(sig, sig + HALF, HALF);
    memcpy(sig + HALF, r, HALF);
}

/* s + L verifies where nobody looks at its range. */
static void s_plus_order(unsigned char *sig)
{
    unsigned carry = 0;

    for (size_t i = 0; i < HALF; i++) {
        carry += sig[HALF + i] + ed_order[i];
        sig[HALF + i] = (unsigned char)carry;
        carry >>= 8;
    }
}

static void refused_for_its_numbers(void **state)
{
    static const struct {
        const char *name;
        bool edwards;
        void (*change)(unsigned char *sig);
        enum token_error want;
    } rows[] = {
        {"r is 0", false, r_zero, TOKEN_SIGNATURE_ZERO},
        {"s is 0", false, s_zero, TOKEN_SIGNATURE_ZERO},
        {"r and s are 0", false, both_zero, TOKEN_SIGNATURE_ZERO},
        {"r is the order", false, r_order, TOKEN_SIGNATURE_WRONG},
        {"s is the order", false, s_order, TOKEN_SIGNATURE_WRONG},
        {"r and s are all ones", false, all_ones, TOKEN_SIGNATURE_WRONG},
        {"r and s swapped", false, swapped, TOKEN_SIGNATURE_WRONG},
        {"EdDSA of zeros", true, both_zero, TOKEN_SIGNATURE_WRONG},
        {"EdDSA with s + L", true, s_plus_order, TOKEN_SIGNATURE_WRONG},
    };
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned char sig[1024];
        char *text = maker_unsigned(rows[i].edwards ? "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"
                                                    : "{\"alg\":\"ES256\",\"kid\":\"ec\"}",
                                    GOOD),
             *t;
        size_t n = maker_sign(rows[i].edwards ? ed : ec, rows[i].edwards ? ALG_EDDSA : ALG_ES256,
                              text, NULL, sig);

        rows[i].change(sig);
        t = maker_append(text, sig, n);
        expect(rows[i].name, judge(t), rows[i].want, &bad);
        free(t);
    }
    assert_int_equal(bad, 0);
}

/* ASN.1 in the place of r and s, as OpenSSL makes it. */
static void der_is_no_signature(void **state)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    char *text = maker_unsigned("{\"alg\":\"ES256\",\"kid\":\"ec\"}", GOOD), *t;
    unsigned char der[128];
    size_t n = sizeof der;

    (void)state;
    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, ec);
    assert_int_equal(EVP_DigestSign(ctx, der, &n, (unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(ctx);
    t = maker_append(text, der, n);
    assert_int_equal(judge(t), TOKEN_SIGNATURE_LENGTH);
    free(t);
}

static void secrets_are_guarded(void **state)
{
    static const char hs256[] = "{\"alg\":\"HS256\",\"kid\":\"s\"}";
    struct {
        const char *name, *header, *secret;
        size_t bytes;
        enum token_alg alg;
        enum token_error want;
    } rows[] = {
        {"good", hs256, SECRET, strlen(SECRET), ALG_HS256, TOKEN_OK},
        {"typ JWT", "{\"alg\":\"HS256\",\"typ\":\"jwt\"}", SECRET, strlen(SECRET), ALG_HS256,
         TOKEN_OK},
        {"another secret", hs256, "x" SECRET, strlen(SECRET) + 1, ALG_HS256, TOKEN_SIGNATURE_WRONG},
        {"no secret", hs256, "", 0, ALG_HS256, TOKEN_SIGNATURE_WRONG},
        {"a part of the secret", hs256, SECRET, 32, ALG_HS256, TOKEN_SIGNATURE_WRONG},
        {"HS384 as HS256", hs256, SECRET, strlen(SECRET), ALG_HS384, TOKEN_SIGNATURE_LENGTH},
        {"HS256 as HS512", "{\"alg\":\"HS512\",\"kid\":\"s\"}", SECRET, strlen(SECRET), ALG_HS256,
         TOKEN_SIGNATURE_LENGTH},
        {"in lower case", "{\"alg\":\"hs256\",\"kid\":\"s\"}", SECRET, strlen(SECRET), ALG_HS256,
         TOKEN_ALGORITHM_UNKNOWN},
        {"alg none", "{\"alg\":\"none\",\"kid\":\"s\"}", SECRET, strlen(SECRET), ALG_HS256,
         TOKEN_ALGORITHM_NONE},
        {"alg RS256", RS256, SECRET, strlen(SECRET), ALG_HS256, TOKEN_ALGORITHM_REFUSED},
        {"another typ", "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", SECRET, strlen(SECRET), ALG_HS256,
         TOKEN_TYPE_REFUSED},
        {"unknown kid", "{\"alg\":\"HS256\",\"kid\":\"t\"}", SECRET, strlen(SECRET), ALG_HS256,
         TOKEN_KEY_UNKNOWN},
    };
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *t =
            maker_secret_token(rows[i].secret, rows[i].bytes, rows[i].alg, rows[i].header, GOOD);

        expect(rows[i].name, judge_at(t, &secret_issuer, secrets, NOW), rows[i].want, &bad);
        free(t);
    }
    assert_int_equal(bad, 0);
}

static void types_are_checked(void **state)
{
    static const struct {
        const char *header;
        enum token_error want;
    } rows[] = {
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}", TOKEN_OK},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"AT+JWT\"}", TOKEN_OK},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"application/at+jwt\"}", TOKEN_OK},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}", TOKEN_TYPE_REFUSED},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwtx\"}", TOKEN_TYPE_REFUSED},
        {RS256, TOKEN_TYPE_REFUSED},
    };
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *t = maker_token(rsa, ALG_RS256, rows[i].header, GOOD);

        expect(rows[i].header, judge_at(t, &typed_issuer, keys, NOW), rows[i].want, &bad);
        free(t);
    }
    assert_int_equal(bad, 0);
}

/* What each rule of the issuer does when it is off, and what is left when it is. */
static void rules_can_be_relaxed(void **state)
{
    struct issuer_conf lax = issuer;
    char *t = maker_token(rsa, ALG_RS256, RS256, "{" ISS "}");
    struct token token;
    struct identity *who;

    (void)state;
    assert_int_equal(judge(t), TOKEN_EXPIRY_MISSING);
    lax.require_exp = false;
    assert_int_equal(judge_at(t, &lax, keys, NOW), TOKEN_AUDIENCE_MISSING);
    lax.any_audience = true;
    lax.naudience = 0;
    assert_int_equal(judge_at(t, &lax, keys, NOW), TOKEN_CLAIM_MISSING);
    lax.nrequire = 0;
    assert_int_equal(judge_at(t, &lax, keys, NOW), TOKEN_OK);

    assert_int_equal(token_read(str_of(t), &token), TOKEN_OK);
    assert_int_equal(token_expires(&token, &lax), 0);
    who = token_identity(&token, &lax);
    assert_non_null(who);
    assert_string_equal(who->subject, "");
    assert_string_equal(who->source, "public");
    assert_int_equal(who->expires_at_s, 0);
    identity_unref(&who);
    token_release(&token);
    free(t);

    t = maker_token(rsa, ALG_RS256, RS256, GOOD);
    assert_int_equal(token_read(str_of(t), &token), TOKEN_OK);
    assert_int_equal(token_expires(&token, &issuer), 1700000630);
    who = token_identity(&token, &issuer);
    assert_string_equal(who->subject, "u1");
    assert_int_equal(who->expires_at_s, 1700000630);
    identity_unref(&who);
    token_release(&token);
    assert_int_equal(judge_at(t, &issuer, keys, 1700000629), TOKEN_OK);
    assert_int_equal(judge_at(t, &issuer, keys, 1700000630), TOKEN_EXPIRED);
    free(t);
}

/* Every error has words, and texts that can stand in a header field's quotes. */
static void errors_have_words(void **state)
{
    (void)state;
    for (int i = 0; i < TOKEN_ERRORS; i++) {
        const char *word = token_error_word((enum token_error)i);
        const char *text = token_error_text((enum token_error)i);

        assert_int_equal(word[strspn(word, "abcdefghijklmnopqrstuvwxyz_")], '\0');
        for (const char *p = text; *p; p++)
            assert_true(*p >= ' ' && *p <= '~' && *p != '"' && *p != '\\');
        for (int k = 0; k < i; k++)
            assert_string_not_equal(word, token_error_word((enum token_error)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_for_what_it_says),
        cmocka_unit_test(refused_for_its_shape),
        cmocka_unit_test(public_keys_are_no_secrets),
        cmocka_unit_test(keys_in_the_header_are_not_read),
        cmocka_unit_test(refused_for_its_signature),
        cmocka_unit_test(refused_for_its_numbers),
        cmocka_unit_test(der_is_no_signature),
        cmocka_unit_test(secrets_are_guarded),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(rules_can_be_relaxed),
        cmocka_unit_test(errors_have_words),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
