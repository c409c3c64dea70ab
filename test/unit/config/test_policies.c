/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#define ROUTE "routes: [{path: /, service: web, auth: a}]\n"
#define KEYS  "api_keys: {k: {file: /k}}\n"

static void every_key(void **state)
{
    struct config *c = parse_ok(
        "policies:\n"
        "  a:\n"
        "    authenticate: [{api_keys: k}, {basic: b}, {client_certificate: true},\n"
        "      {client_certificate: {subject: [CN=x], san: [\"uri:a/*/c\"], issuer: [CN=ca]}}]\n"
        "    scopes: [x, y]\n"
        "    any_scope: [z]\n"
        "    roles: [r]\n"
        "    any_role: [s, t]\n"
        "    roles_claim: groups\n"
        "    methods: [GET]\n"
        "    claims: [{claim: a, equals: 1}, {claim: b, one_of: [x, y]}, {claim: c, contains: z},\n"
        "      {claim: d, present: true}, {claim: e, present: false}, {claim: sub, path_parameter: "
        "id}]\n"
        "    headers: {X-User: sub}\n"
        "  o: {authenticate: [{api_keys: k}], optional: true}\n"
        "  m: {any: [a, n]}\n"
        "  n: {not: l}\n"
        "  l: {all: [a, o], headers: {X-Tenant: tenant}}\n"
        "api_keys: {k: {file: /k, header: X-Key, query: key, pepper_file: /p, pass: true}}\n"
        "basic: {b: {htpasswd: /h, realm: my realm, cache: 5s}}\n" ROUTE);
    const struct policy_conf *a = config_policy(c, "a"), *m = config_policy(c, "m");

    (void)state;
    assert_int_equal(a->nmechanisms, 4);
    assert_int_equal(a->mechanisms[1].kind, MECHANISM_BASIC);
    assert_string_equal(a->mechanisms[3].cert.sans[0], "uri:a/*/c");
    assert_int_equal(a->scopes.n, 2);
    assert_int_equal(a->nclaims, 6);
    assert_int_equal(a->claims[4].test, CLAIM_ABSENT);
    assert_string_equal(a->claims[5].values[0], "id");
    assert_string_equal(a->roles_claim, "groups");
    assert_string_equal(a->headers[0].name, "X-User");
    assert_ptr_equal(m->of[0], a);
    assert_ptr_equal(m->of[1], config_policy(c, "n"));
    assert_true(m->authenticates && m->asks_identity);
    assert_int_equal(m->cost, 6);
    assert_int_equal(m->ways, 4 + 4 + 1);
    assert_true(config_policy(c, "o")->optional);
    assert_null(config_policy(c, "zz"));
    assert_string_equal(c->api_keys[0].query, "key");
    assert_true(c->api_keys[0].pass);
    assert_int_equal(c->basic[0].cache_ms, 5000);
    config_unref(&c);
}

static void refusals(void **state)
{
    static const struct refusal rows[] = {
        {"policies: {a: {}}", "without a rule"},
        {"policies: {a: {authenticate: []}}", "without a rule"},
        {"policies: {a: {scopes: []}}", "let nobody in"},
        {"policies: {a: {scopes: [\"x y\"]}}", "t.yaml:1: policies.a.scopes[0]: \"x y\" holds"},
        {"policies: {a: {scope: [x]}}", "did you mean scopes?"},
        {"policies: {a: {any: [a]}}", "in a circle"},
        {"policies:\n  a: {any: [b]}\n  b: {all: [c]}\n  c: {not: a}", "in a circle"},
        {"policies:\n  a: {scopes: [x]}\n  b:\n    any: [a, aa]",
         "t.yaml:4: policies.b.any[1]: policies has no \"aa\"; did you mean a?"},
        {"policies: {a: {not: x}}", "policies has no \"x\""},
        {"policies: {a: {any: []}}", "a list of policies"},
        {"policies: {a: {any: x}}", "a list of policies"},
        {"policies: {a: {not: [x]}}", "the name of a policy"},
        {"policies: {a: {any: [b], all: [b]}}", "exclude each other"},
        {"policies: {a: {any: [b], scopes: [x]}}", "headers only"},
        {"policies: {a: {authenticate: [{api_keys: x}]}}", "api_keys has no \"x\""},
        {KEYS "policies: {a: {authenticate: [{api_keys: kk}]}}", "did you mean k?"},
        {"policies: {a: {authenticate: [{basic: x}]}}", "basic has no"},
        {"policies: {a: {authenticate: [{nothing: x}]}}", "unknown key"},
        {"policies: {a: {authenticate: [{}]}}", "exactly one mechanism"},
        {KEYS "policies: {a: {authenticate: [{api_keys: k, basic: k}]}}", "exactly one mechanism"},
        {"policies: {a: {authenticate: [{client_certificate: false}]}}", "expected true"},
        {"policies: {a: {authenticate: [{client_certificate: {san: [web]}}]}}", "dns:"},
        {"policies: {a: {authenticate: [{client_certificate: {san: [\"dns:*.*.*.*.*\"]}}]}}",
         "more than 4 stars"},
        {"policies: {a: {authenticate: [{client_certificate: {subject: []}}]}}", "let nobody in"},
        {"policies: {a: {authenticate: [{client_certificate: {fingerprint: [AB]}}]}}", "64"},
        {KEYS "policies: {a: {authenticate: [{api_keys: k}], optional: true, scopes: [x]}}",
         "cannot be asked"},
        {"policies: {a: {scopes: [x], optional: true}}", "optional needs authenticate"},
        {"policies: {a: {claims: [{claim: x}]}}", "exactly one of equals"},
        {"policies: {a: {claims: [{equals: x}]}}", "exactly one of equals"},
        {"policies: {a: {claims: [{claim: x, equals: y, contains: z}]}}", "exactly one of equals"},
        {"policies: {a: {claims: [{claim: x, present: maybe}]}}", "true or false"},
        {"policies: {a: {claims: [{claim: x, one_of: []}]}}", "let nobody in"},
        {"policies: {a: {methods: [\"GE T\"]}}", "is not a method"},
        {"policies: {a: {scopes: [x], headers: {Host: sub}}}", "set_host"},
        {"policies: {a: {scopes: [x], headers: {Authorization: sub}}}", "a meaning of its own"},
        {"policies: {a: {scopes: [x], headers: {Content-Length: sub}}}", "frames the message"},
        {"policies: {a: {scopes: [x], headers: {\"X Y\": sub}}}", "is not a header name"},
        {"policies: [a]", "policies by name"},
        {"policies: {\"a b\": {scopes: [x]}}", "a name may not have"},
        {"api_keys: {a: {}}", "exactly one of file and kv"},
        {"api_keys: {a: {file: /x, kv: y}}", "exactly one of file and kv"},
        {"api_keys: {a: {kv: /y}}", "is not a key of the KV store"},
        {"api_keys: {a: {kv: y}}", "api_keys.a.kv: the keys are in Consul: needs consul"},
        {"api_keys: {a: {kv: \"y?raw\"}}", "holds a character"},
        {"api_keys: {a: {file: /x, header: Authorization}}", "other things already"},
        {"api_keys: {a: {file: /x, query: \"a&b\"}}", "query parameter"},
        {"basic: {a: {}}", "htpasswd is missing"},
        {"basic: {a: {htpasswd: /x, realm: \"a\\\"b\"}}", "a realm may not have"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

/* Each level names the one below twice: small to write, and a billion to look at. */
static void no_explosion(void **state)
{
    static const struct refusal rows[] = {
        {"policies:\n  p0: {scopes: [x]}\n  p1: {all: [p0, p0]}\n  p2: {all: [p1, p1]}\n"
         "  p3: {all: [p2, p2]}\n  p4: {all: [p3, p3]}\n  p5: {all: [p4, p4]}\n"
         "  p6: {all: [p5, p5]}\n",
         "more than 64"},
        {KEYS "policies:\n  p0: {authenticate: [{api_keys: k}]}\n  p1: {all: [p0, p0, p0, p0]}\n"
              "  p2: {all: [p1, p1, p1, p1, p0]}\n",
         "more than 16 ways"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

static void guarded_fields(void **state)
{
    char text[8000];
    size_t n = (size_t)snprintf(text, sizeof text, "policies:\n");
    struct config *c;

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "  p%u: {scopes: [x], headers: {X-Field-%u: sub, X-User: sub}}\n", i,
                              i);
    c = parse_ok(text);
    assert_int_equal(c->guarded.n, 61 + 2); /* those of client certificates */
    for (unsigned i = 0; i < 60; i++) {
        char name[32];

        snprintf(name, sizeof name, "x_fIELD-%u", i);
        assert_true(guarded_has(&c->guarded, str_of(name)));
    }
    assert_true(guarded_has(&c->guarded, STR("X-User")));
    assert_true(guarded_has(&c->guarded, STR("x_user")));
    assert_false(guarded_has(&c->guarded, STR("X-Use")));
    assert_false(guarded_has(&c->guarded, STR("X-Users")));
    assert_false(guarded_has(&c->guarded, STR("X-Field-60")));
    assert_false(guarded_has(&c->guarded, STR("")));
    config_unref(&c);
    c = parse_ok("policies: {a: {scopes: [x]}}");
    assert_false(guarded_has(&c->guarded, STR("X-User")));
    assert_true(guarded_has(&c->guarded, STR("client_cert")));
    assert_true(guarded_has(&c->guarded, STR("Client-Cert-Chain")));
    config_unref(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key),
        cmocka_unit_test(refusals),
        cmocka_unit_test(no_explosion),
        cmocka_unit_test(guarded_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
