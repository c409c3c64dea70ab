/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/introspection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1000000 };

static void the_form(void **state)
{
    static const struct {
        struct str token;
        const char *form;
    } rows[] = {
        {STR("abc-._~019AZ"), "token=abc-._~019AZ"},
        {STR("a+b/c=d"), "token=a%2Bb%2Fc%3Dd"},
        {STR("a&token=b#%20"), "token=a%26token%3Db%23%2520"},
        {STR("\xff\x80 \t"), "token=%FF%80%20%09"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bytes form = {0};
        char expected[128];

        snprintf(expected, sizeof expected, "token_type_hint=access_token&%s", rows[i].form);
        assert_true(introspection_form(&form, rows[i].token));
        assert_true(bytes_add(&form, "", 1));
        assert_string_equal(form.p, expected);
        bytes_free(&form);
    }
}

static void credentials(void **state)
{
    static const struct {
        const char *id, *secret, *line;
    } rows[] = {
        {NULL, NULL, ""},
        {"a", "b", "Authorization: Basic YTpi\r\n"},
        /* a%20b:c%3Ad */
        {"a b", "c:d", "Authorization: Basic YSUyMGI6YyUzQWQ=\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct introspection_conf c = {.client_id = rows[i].id, .client_secret = rows[i].secret};
        struct bytes line = {0};

        assert_true(introspection_credentials(&line, &c));
        assert_true(bytes_add(&line, "", 1));
        assert_string_equal(line.p, rows[i].line);
        bytes_free(&line);
    }
}

/* The longest that the configuration takes; what does not fit is no credential at all. */
static void long_credentials(void **state)
{
    char id[257], secret[4096];
    struct introspection_conf c = {.client_id = id, .client_secret = secret};
    struct bytes line = {0};

    (void)state;
    memset(id, '%', sizeof id - 1);
    id[256] = '\0';
    memset(secret, '%', sizeof secret - 1);
    secret[1024] = '\0';
    assert_true(introspection_credentials(&line, &c));
    bytes_free(&line);
    line = (struct bytes){0};
    secret[1024] = '%';
    secret[4095] = '\0';
    assert_false(introspection_credentials(&line, &c));
    assert_int_equal(bytes_len(&line), 0);
    bytes_free(&line);
}

static const char *const audience[] = {"shop", "till"};
static const struct introspection_conf strict = {
    .name = "login",
    .issuer = "https://i.example",
    .audience = (const char **)audience,
    .naudience = 2,
};
static const struct introspection_conf lax = {.name = "login"};

struct row {
    const char *name;
    const struct introspection_conf *conf;
    const char *answer;
    enum introspection_verdict verdict;
    const char *detail; /* NULL = any */
};

static const struct row rows[] = {
    {"bare", &lax, "{\"active\":true}", TOKEN_ACTIVE, NULL},
    {"white space", &lax, " {\"active\" : true}\n", TOKEN_ACTIVE, NULL},
    {"all of it", &strict,
     "{\"active\":true,\"iss\":\"https://i.example\",\"aud\":[\"x\",\"till\"],\"exp\":1000001}",
     TOKEN_ACTIVE, NULL},
    {"no issuer", &strict, "{\"active\":true,\"aud\":\"shop\"}", TOKEN_ACTIVE, NULL},
    {"within the leeway", &lax, "{\"active\":true,\"exp\":999971}", TOKEN_ACTIVE, NULL},
    {"inactive", &lax, "{\"active\":false}", TOKEN_INACTIVE, "the token is not active"},
    {"inactive with the claims of a good one", &strict,
     "{\"active\":false,\"iss\":\"https://i.example\",\"aud\":\"shop\",\"exp\":2000000}",
     TOKEN_INACTIVE, "the token is not active"},
    {"expired", &lax, "{\"active\":true,\"exp\":999970}", TOKEN_INACTIVE, "the token has expired"},
    {"exp zero", &lax, "{\"active\":true,\"exp\":0}", TOKEN_INACTIVE, "the token has expired"},
    {"exp as text", &lax, "{\"active\":true,\"exp\":\"2000000\"}", TOKEN_INACTIVE,
     "exp is not a time"},
    {"exp out of range", &lax, "{\"active\":true,\"exp\":1e300}", TOKEN_INACTIVE,
     "exp is not a time"},
    {"later", &lax, "{\"active\":true,\"nbf\":1000031}", TOKEN_INACTIVE,
     "the token is not valid yet"},
    {"other issuer", &strict, "{\"active\":true,\"iss\":\"https://i.example/\",\"aud\":\"shop\"}",
     TOKEN_INACTIVE, NULL},
    {"issuer is no text", &strict, "{\"active\":true,\"iss\":1,\"aud\":\"shop\"}", TOKEN_INACTIVE,
     NULL},
    {"other audience", &strict, "{\"active\":true,\"aud\":[\"shops\"]}", TOKEN_INACTIVE,
     "the token is for another audience"},
    {"no audience", &strict, "{\"active\":true}", TOKEN_INACTIVE, "the token names no audience"},
    {"subject is no text", &lax, "{\"active\":true,\"sub\":7}", TOKEN_INACTIVE,
     "sub is not a text"},
    {"active as text", &lax, "{\"active\":\"true\"}", TOKEN_UNTOLD, NULL},
    {"active as number", &lax, "{\"active\":1}", TOKEN_UNTOLD, NULL},
    {"active is null", &lax, "{\"active\":null}", TOKEN_UNTOLD, NULL},
    {"says nothing", &lax, "{}", TOKEN_UNTOLD, NULL},
    {"other case", &lax, "{\"Active\":true}", TOKEN_UNTOLD, NULL},
    {"twice", &lax, "{\"active\":false,\"active\":true}", TOKEN_UNTOLD, NULL},
    {"list", &lax, "[{\"active\":true}]", TOKEN_UNTOLD, NULL},
    {"bare word", &lax, "true", TOKEN_UNTOLD, NULL},
    {"text behind it", &lax, "{\"active\":true}x", TOKEN_UNTOLD, NULL},
    {"cut", &lax, "{\"active\":true", TOKEN_UNTOLD, NULL},
    {"nothing", &lax, "", TOKEN_UNTOLD, NULL},
    {"no UTF-8", &lax, "{\"active\":true,\"sub\":\"\xff\"}", TOKEN_UNTOLD, NULL},
};

static void answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct identity *who = NULL;
        const char *detail = NULL;
        enum introspection_verdict v =
            introspection_judge(r->conf, str_of(r->answer), NOW, &who, &detail);

        if (v != r->verdict || !!who != (v == TOKEN_ACTIVE))
            fail_msg("%s: verdict %d", r->name, (int)v);
        if (r->detail && strcmp(r->detail, detail) != 0)
            fail_msg("%s: %s", r->name, detail);
        identity_unref(&who);
    }
}

static void whose_it_is(void **state)
{
    struct identity *who = NULL;
    const char *detail;

    (void)state;
    assert_int_equal(introspection_judge(&lax,
                                         STR("{\"active\":true,\"sub\":\"ada\",\"exp\":1000060.9,"
                                             "\"scope\":\"a b\"}"),
                                         NOW, &who, &detail),
                     TOKEN_ACTIVE);
    assert_int_equal(who->kind, IDENTITY_INTROSPECTION);
    assert_string_equal(who->source, "login");
    assert_string_equal(who->subject, "ada");
    assert_int_equal(who->expires_at_s, 1000060);
    assert_true(identity_has_scope(who, "b"));
    identity_unref(&who);
}

static void fields_that_stay(void **state)
{
    struct token_place places[] = {{PLACE_HEADER, "X-Token", ""}, {PLACE_COOKIE, "sid", ""}};
    struct introspection_conf c = {.places = places, .nplaces = 2};

    (void)state;
    assert_true(introspection_conf_hides(&c, STR("x-token")));
    assert_false(introspection_conf_hides(&c, STR("sid")));
    assert_false(introspection_conf_hides(&c, STR("Cookie")));
    c.forward_token = true;
    assert_false(introspection_conf_hides(&c, STR("X-Token")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form),         cmocka_unit_test(credentials),
        cmocka_unit_test(long_credentials), cmocka_unit_test(answers),
        cmocka_unit_test(whose_it_is),      cmocka_unit_test(fields_that_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
