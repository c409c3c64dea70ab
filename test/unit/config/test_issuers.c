/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#define URL  "keys: {jwks_url: \"https://i.example/jwks\"}"
#define FULL "issuer: i, audience: [a], "

static void what_is_written_is_there(void **state)
{
    struct config *c = parse_ok(
        "issuers:\n"
        "  shop: {issuer: \"https://i.example\", audience: [a, b], " URL "}\n"
        "  own:\n"
        "    issuer: own\n"
        "    audience: any\n"
        "    keys: {secret_file: /s}\n"
        "    algorithms: [HS256, HS512]\n"
        "    leeway: 5s\n"
        "    types: [application/JWT]\n"
        "    require_exp: false\n"
        "    require: [sub, tenant]\n"
        "    token_from: [{header: X-Token}, {cookie: sid}, {query: t}, {header: authorization}]\n"
        "    realm: own realm\n"
        "  files: {issuer: f, audience: [x], forward_token: false, algorithms: [ES256, EdDSA],\n"
        "          keys: {pem_file: /p, refresh: 1h}}\n"
        "policies: {p: {authenticate: [{issuer: own}, {issuer: shop}]}}\n");
    const struct issuer_conf *i = &c->issuers[0];

    (void)state;
    assert_int_equal(c->nissuers, 3);
    assert_string_equal(i->name, "shop");
    assert_string_equal(i->issuer, "https://i.example");
    assert_int_equal(i->naudience, 2);
    assert_string_equal(i->audience[1], "b");
    assert_string_equal(i->keys.jwks_url, "https://i.example/jwks");
    assert_int_equal(i->keys.refresh_ms, 600000);
    assert_int_equal(i->keys.unknown_key_interval_ms, 10000);
    assert_int_equal(i->keys.unknown_key_wait_ms, 2000);
    assert_int_equal(i->algorithms, ALGS_PUBLIC);
    assert_int_equal(i->leeway_ms, 30000);
    assert_true(i->require_exp && i->forward_token && !i->any_audience);
    assert_int_equal(i->nplaces, 1);
    assert_int_equal(i->places[0].kind, PLACE_HEADER);
    assert_string_equal(i->places[0].name, "Authorization");
    assert_string_equal(i->places[0].scheme, "Bearer");
    assert_string_equal(i->realm, "frontdesk");

    i = &c->issuers[1];
    assert_true(i->any_audience && !i->require_exp);
    assert_int_equal(i->algorithms, ALG_BIT(ALG_HS256) | ALG_BIT(ALG_HS512));
    assert_string_equal(i->types[0], "jwt");
    assert_int_equal(i->nrequire, 2);
    assert_int_equal(i->nplaces, 4);
    assert_string_equal(i->places[0].scheme, "");
    assert_int_equal(i->places[1].kind, PLACE_COOKIE);
    assert_int_equal(i->places[2].kind, PLACE_QUERY);
    assert_string_equal(i->places[3].scheme, "Bearer");

    i = &c->issuers[2];
    assert_int_equal(i->algorithms, ALG_BIT(ALG_ES256) | ALG_BIT(ALG_EDDSA));
    assert_false(i->forward_token);
    assert_int_equal(c->policies[0].mechanisms[0].index, 1);
    assert_int_equal(c->policies[0].mechanisms[1].index, 0);
    config_unref(&c);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct refusal rows[] = {
        {"issuers: []", "issuers by name"},
        {"issuers: {\"a b\": {}}", "a b"},
        {"issuers: {a: {audience: [a], " URL "}}", "issuer is missing"},
        {"issuers: {a: {issuer: \"\", audience: [a], " URL "}}", "1 to 512 characters"},
        {"issuers: {a: {issuer: i, " URL "}}", "audience is missing"},
        {"issuers: {a: {issuer: i, audience: [], " URL "}}", "let nobody in"},
        {"issuers: {a: {issuer: i, audience: a, " URL "}}", "a list of audiences, or any"},
        {"issuers: {a: {" FULL "}}", "keys is missing"},
        {"issuers: {a: {" FULL "keys: {}}}", "exactly one of jwks_url"},
        {"issuers: {a: {" FULL "keys: {jwks_file: /a, pem_file: /b}}}", "exactly one of jwks_url"},
        {"issuers: {a: {" FULL "keys: {jwks_file: /a, ca: /b}}}", "ca is for jwks_url"},
        {"issuers: {a: {" FULL "keys: {jwks_url: \"http://i.example/\"}}}", "has to be https://"},
        {"issuers: {a: {" FULL "keys: {jwks_url: \"http://localhost.example/\"}}}",
         "has to be https://"},
        {"issuers: {a: {" FULL "keys: {jwks_url: \"http://127.0.0.1.example/\"}}}",
         "has to be https://"},
        {"issuers: {a: {" FULL "keys: {jwks_url: \"http://127.1/\"}}}", "has to be https://"},
        {"issuers: {a: {" FULL "keys: {jwks_url: \"http://10.0.0.1/\"}}}", "has to be https://"},
        {"issuers: {a: {" FULL "keys: {jwks_url: \"file:///etc/passwd\"}}}", "is not an address"},
        {"issuers: {a: {" FULL "keys: {jwks_url: \"https:///x\"}}}", "is not an address"},
        {"issuers: {a: {" FULL "keys: {jwks_url: \"https://u:secret@i.example/\"}}}",
         "the value holds user information"},
        {"issuers: {a: {" FULL "keys: {jwks_url: \"https://i.example/ x\"}}}", "a character"},
        {"issuers: {a: {" FULL URL ", algorithms: [none]}}", "an algorithm: RS256"},
        {"issuers: {a: {" FULL URL ", algorithms: [rs256]}}", "an algorithm: RS256"},
        {"issuers: {a: {" FULL URL ", algorithms: []}}", "let nobody in"},
        {"issuers: {a: {" FULL URL ", algorithms: [RS256, HS256]}}", "cannot stand together"},
        {"issuers: {a: {" FULL URL ", algorithms: [HS256]}}", "need a secret"},
        {"issuers: {a: {" FULL "keys: {pem_file: /p}, algorithms: [HS256]}}", "need a secret"},
        {"issuers: {a: {" FULL "keys: {secret_file: /s}, algorithms: [RS256]}}",
         "a secret is for HS256"},
        {"issuers: {a: {" FULL "keys: {secret_file: /s}, types: [at+jwt]}}", "only be [jwt]"},
        {"issuers: {a: {" FULL URL ", types: [\"a b\"]}}", "media type"},
        {"issuers: {a: {" FULL URL ", leeway: 10m}}", "leeway"},
        {"issuers: {a: {" FULL URL ", token_from: []}}", "let nobody in"},
        {"issuers: {a: {" FULL URL ", token_from: [{}]}}", "exactly one of header"},
        {"issuers: {a: {" FULL URL ", token_from: [{header: X, cookie: y}]}}",
         "exactly one of header"},
        {"issuers: {a: {" FULL URL ", token_from: [{cookie: y, scheme: Bearer}]}}",
         "scheme is for header"},
        {"issuers: {a: {" FULL URL ", token_from: [{header: Cookie}]}}", "a key of its own"},
        {"issuers: {a: {" FULL URL ", token_from: [{header: Content-Length}]}}", "header"},
        {"issuers: {a: {" FULL URL ", token_from: [{query: \"a&b\"}]}}", "not the name"},
        {"issuers: {a: {" FULL URL ", forward_token: false, token_from: [{cookie: y}]}}",
         "no cookies or parameters"},
        {"issuers: {a: {" FULL URL ", realm: \"a\\\"b\"}}", "a realm may not have"},
        {"issuers: {a: {" FULL URL ", algorithm: [RS256]}}", "did you mean algorithms?"},
        {"policies: {p: {authenticate: [{issuer: x}]}}", "issuers has no \"x\""},
        {"issuers: {shop: {" FULL URL "}}\npolicies: {p: {authenticate: [{issuer: shp}]}}",
         "did you mean shop?"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

static void secrets_in_addresses_are_not_repeated(void **state)
{
    static const char text[] =
        "issuers: {a: {" FULL "keys: {jwks_url: \"https://u:hunter2@i.example/\"}}}";
    struct err e = {""};

    (void)state;
    assert_null(config_parse("t.yaml", text, strlen(text), &e));
    assert_null(strstr(e.text, "hunter2"));
}

static void loopback_addresses(void **state)
{
    static const char *const urls[] = {"http://127.0.0.1:8080/k", "http://127.3.2.1/",
                                       "http://localhost:80",     "http://LOCALHOST/",
                                       "http://[::1]:9000/k?x=y", "https://anything.example:443"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        char text[200];
        struct config *c;

        snprintf(text, sizeof text, "issuers: {a: {" FULL "keys: {jwks_url: \"%s\"}}}", urls[i]);
        c = parse_ok(text);
        assert_string_equal(c->issuers[0].keys.jwks_url, urls[i]);
        config_unref(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_there),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(secrets_in_addresses_are_not_repeated),
        cmocka_unit_test(loopback_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
