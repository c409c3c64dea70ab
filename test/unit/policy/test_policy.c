/* SPDX-License-Identifier: Apache-2.0 */
/* The mechanisms here are API key stores that say what the row's letters say. */
#include "config/config.h"
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ada: what a customer's token says; bob: less. */
static const char ada[] =
    "{\"sub\": \"ada\", \"scope\": \"read write\", \"roles\": [\"admin\", \"dev\"],"
    " \"tenant\": \"acme\", \"n\": 42, \"yes\": true, \"nul\": null,"
    " \"groups\": [\"g1\", 7], \"words\": \"a b\","
    " \"o\": {\"deep\": {\"x\": \"y\"}}, \"o.deep\": \"whole\", \"e\": \"\"}";
static const char bob[] = "{\"sub\": \"b/b\", \"scp\": [\"read\"],"
                          " \"realm_access\": {\"roles\": [\"dev\"]}, \"tenant\": \"other\"}";

static const char config_text[] =
    "api_keys: {k1: {file: /k}, k2: {file: /k}, k3: {file: /k}}\n"
    "basic: {b1: {htpasswd: /h}}\n"
    "policies:\n"
    "  in: {authenticate: [{api_keys: k1}], headers: {X-In: sub}}\n"
    "  in2: {authenticate: [{api_keys: k2}], headers: {X-In2: sub}}\n"
    "  three: {authenticate: [{api_keys: k1}, {basic: b1}, {api_keys: k2}]}\n"
    "  maybe: {authenticate: [{api_keys: k1}], optional: true}\n"
    "  read: {authenticate: [{api_keys: k1}], scopes: [read], headers: {X-Read: sub}}\n"
    "  write: {authenticate: [{api_keys: k1}], scopes: [read, write]}\n"
    "  some: {authenticate: [{api_keys: k1}], any_scope: [write, other]}\n"
    "  both: {authenticate: [{api_keys: k1}], scopes: [read], any_scope: [other]}\n"
    "  dev: {authenticate: [{api_keys: k1}], roles: [dev]}\n"
    "  boss: {authenticate: [{api_keys: k1}], roles: [dev, admin]}\n"
    "  anyrole: {authenticate: [{api_keys: k1}], any_role: [x, admin]}\n"
    "  grouprole: {authenticate: [{api_keys: k1}], roles: [g1], roles_claim: groups}\n"
    "  get: {authenticate: [{api_keys: k1}], methods: [GET]}\n"
    "  getonly: {methods: [GET]}\n"
    "  acme: {claims: [{claim: tenant, equals: acme}]}\n"
    "  n42: {claims: [{claim: n, equals: \"42\"}]}\n"
    "  yes: {claims: [{claim: yes, equals: \"true\"}]}\n"
    "  g1: {claims: [{claim: groups, contains: g1}]}\n"
    "  g7: {claims: [{claim: groups, contains: \"7\"}]}\n"
    "  wordb: {claims: [{claim: words, contains: b}]}\n"
    "  wordab: {claims: [{claim: words, contains: \"a b\"}]}\n"
    "  geq: {claims: [{claim: groups, equals: g1}]}\n"
    "  oneof: {claims: [{claim: tenant, one_of: [x, acme]}]}\n"
    "  nulpresent: {claims: [{claim: nul, present: true}]}\n"
    "  nulabsent: {claims: [{claim: nul, present: false}]}\n"
    "  deep: {claims: [{claim: o.deep.x, equals: y}]}\n"
    "  whole: {claims: [{claim: o.deep, equals: whole}]}\n"
    "  present: {claims: [{claim: tenant, present: true}, {claim: sub, present: true}]}\n"
    "  own: {claims: [{claim: sub, path_parameter: id}]}\n"
    "  ownn: {claims: [{claim: n, path_parameter: id}]}\n"
    "  owno: {claims: [{claim: o, path_parameter: id}]}\n"
    "  owne: {claims: [{claim: e, path_parameter: id}]}\n"
    "  ownx: {claims: [{claim: sub, path_parameter: other}]}\n"
    "  a_acme: {all: [acme, in]}\n"
    "  a_n42: {all: [in, n42]}\n"
    "  a_yes: {all: [in, yes]}\n"
    "  a_g1: {all: [in, g1]}\n"
    "  a_g7: {all: [in, g7]}\n"
    "  a_wordb: {all: [in, wordb]}\n"
    "  a_wordab: {all: [in, wordab]}\n"
    "  a_geq: {all: [in, geq]}\n"
    "  a_oneof: {all: [in, oneof]}\n"
    "  a_nulpresent: {all: [in, nulpresent]}\n"
    "  a_nulabsent: {all: [in, nulabsent]}\n"
    "  a_deep: {all: [in, deep]}\n"
    "  a_whole: {all: [in, whole]}\n"
    "  a_present: {all: [in, present]}\n"
    "  a_own: {all: [in, own], headers: {X-In: tenant}}\n"
    "  a_ownn: {all: [in, ownn]}\n"
    "  a_owno: {all: [in, owno]}\n"
    "  a_owne: {all: [in, owne]}\n"
    "  a_ownx: {all: [in, ownx]}\n"
    "  a_maybe: {all: [maybe, acme]}\n"
    "  a_two: {all: [in, in2, acme]}\n"
    "  any_rw: {any: [write, read]}\n"
    "  any_in: {any: [read, in2]}\n"
    "  any_get: {any: [write, getonly]}\n"
    "  inner: {all: [in, any_inner]}\n"
    "  any_inner: {any: [n42, acme]}\n"
    "  n_write: {not: write}\n"
    "  n_in: {not: in}\n"
    "  n_get: {not: getonly}\n"
    "  n_acme: {not: acme}\n"
    "  a_nacme: {all: [in, n_acme]}\n"
    "  nn_write: {not: n_write}\n";

struct row {
    const char *name, *policy;
    const char
        *says; /* of k1, k2, b1: - nothing, A ada, B bob, w wrong, r refused, u away, . wait */
    enum policy_verdict verdict;
    const char *who; /* subject; NULL = nobody */
    const char *id;  /* path parameter */
    const char *method;
};

#define NOBODY POLICY_UNAUTHENTICATED

static const struct row rows[] = {
    {"known", "in", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"nothing", "in", "---", NOBODY, NULL, NULL, NULL},
    {"wrong", "in", "w--", NOBODY, NULL, NULL, NULL},
    {"refused by the authority", "in", "r--", POLICY_FORBIDS, NULL, NULL, NULL},
    {"away", "in", "u--", POLICY_UNAVAILABLE, NULL, NULL, NULL},
    {"waits", "in", ".--", POLICY_WAITS, NULL, NULL, NULL},
    {"second kind", "three", "--B", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"first of several", "three", "AwB", POLICY_ALLOWS, "ada", NULL, NULL},
    {"wrong key, another store knows it", "three", "wB-", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"wrong key, good password", "three", "w-B", NOBODY, NULL, NULL, NULL},
    {"wrong key everywhere", "three", "ww-", NOBODY, NULL, NULL, NULL},
    {"wrong here, away there", "three", "wu-", POLICY_UNAVAILABLE, NULL, NULL, NULL},
    {"away here, known there", "three", "uB-", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"away, good password", "three", "u-A", POLICY_UNAVAILABLE, NULL, NULL, NULL},
    {"nothing, wrong password", "three", "--w", NOBODY, NULL, NULL, NULL},
    {"optional, nothing", "maybe", "---", POLICY_ALLOWS, NULL, NULL, NULL},
    {"optional, known", "maybe", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"optional, wrong", "maybe", "w--", NOBODY, NULL, NULL, NULL},
    {"scope in scope", "read", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"scope in scp", "read", "B--", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"one of two scopes", "write", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"both scopes", "write", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"scopes, nobody", "write", "---", NOBODY, NULL, NULL, NULL},
    {"any scope", "some", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"no such scope", "some", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"scopes and any_scope", "both", "A--", POLICY_FORBIDS, "ada", NULL, NULL},
    {"role", "dev", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"role of the realm", "dev", "B--", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"one of two roles", "boss", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"both roles", "boss", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"any role", "anyrole", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"no such role", "anyrole", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"roles of another claim", "grouprole", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"roles of another claim, without", "grouprole", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"method", "get", "A--", POLICY_ALLOWS, "ada", NULL, "GET"},
    {"HEAD is a GET", "get", "A--", POLICY_ALLOWS, "ada", NULL, "HEAD"},
    {"another method", "get", "A--", POLICY_FORBIDS, "ada", NULL, "POST"},
    {"methods are in capitals", "get", "A--", POLICY_FORBIDS, "ada", NULL, "get"},
    {"another method, nobody", "get", "---", NOBODY, NULL, NULL, "POST"},
    {"methods alone", "getonly", "---", POLICY_ALLOWS, NULL, NULL, "GET"},
    {"methods alone, another", "getonly", "---", POLICY_FORBIDS, NULL, NULL, "PUT"},
    {"claims without an all", "acme", "A--", NOBODY, NULL, NULL, NULL},
    {"equals", "a_acme", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"equals, other", "a_acme", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"equals, nobody", "a_acme", "---", NOBODY, NULL, NULL, NULL},
    {"equals a number", "a_n42", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"no such claim", "a_n42", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"equals true", "a_yes", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"in a list", "a_g1", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"not in a list", "a_g1", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"number in a list", "a_g7", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"among words", "a_wordb", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"two words are no word", "a_wordab", "A--", POLICY_FORBIDS, "ada", NULL, NULL},
    {"a list equals nothing", "a_geq", "A--", POLICY_FORBIDS, "ada", NULL, NULL},
    {"one of", "a_oneof", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"none of", "a_oneof", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"null is not there", "a_nulpresent", "A--", POLICY_FORBIDS, "ada", NULL, NULL},
    {"null is absent", "a_nulabsent", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"dotted, under a whole name", "a_deep", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"whole name first", "a_whole", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"present", "a_present", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"own path", "a_own", "A--", POLICY_ALLOWS, "ada", "ada", NULL},
    {"own path, encoded", "a_own", "A--", POLICY_ALLOWS, "ada", "%61da", NULL},
    {"encoded slash", "a_own", "B--", POLICY_ALLOWS, "b/b", "b%2Fb", NULL},
    {"decoded once only", "a_own", "A--", POLICY_FORBIDS, "ada", "%2561da", NULL},
    {"another's path", "a_own", "A--", POLICY_FORBIDS, "ada", "adam", NULL},
    {"beginning of the path", "a_own", "A--", POLICY_FORBIDS, "ada", "ad", NULL},
    {"case counts", "a_own", "A--", POLICY_FORBIDS, "ada", "Ada", NULL},
    {"broken encoding", "a_own", "A--", POLICY_FORBIDS, "ada", "ada%4", NULL},
    {"NUL behind it", "a_own", "A--", POLICY_FORBIDS, "ada", "ada%00", NULL},
    {"number in the path", "a_ownn", "A--", POLICY_ALLOWS, "ada", "42", NULL},
    {"number, written otherwise", "a_ownn", "A--", POLICY_FORBIDS, "ada", "042", NULL},
    {"object in the path", "a_owno", "A--", POLICY_FORBIDS, "ada", "x", NULL},
    {"empty claim, empty path", "a_owne", "A--", POLICY_FORBIDS, "ada", "", NULL},
    {"no such parameter", "a_ownx", "A--", POLICY_FORBIDS, "ada", "ada", NULL},
    {"optional in an all, nobody", "a_maybe", "---", NOBODY, NULL, NULL, NULL},
    {"optional in an all", "a_maybe", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"two who ask: rules are about the last", "a_two", "BA-", POLICY_ALLOWS, "ada", NULL, NULL},
    {"two who ask, other order", "a_two", "AB-", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"only one of two", "a_two", "A--", NOBODY, NULL, NULL, NULL},
    {"any: second", "any_rw", "B--", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"any: by the other", "any_in", "-B-", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"any: wrong and right", "any_in", "wB-", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"any: nobody", "any_in", "---", NOBODY, NULL, NULL, NULL},
    {"any: 403 beats 401", "any_get", "---", POLICY_FORBIDS, NULL, NULL, "PUT"},
    {"any: rights beat the method", "any_get", "B--", POLICY_FORBIDS, "b/b", NULL, "PUT"},
    {"any: away beats 403", "any_get", "u--", POLICY_UNAVAILABLE, NULL, NULL, "PUT"},
    {"any: away, but allowed", "any_get", "u--", POLICY_ALLOWS, NULL, NULL, "GET"},
    {"any: waits before the next", "any_get", ".--", POLICY_WAITS, NULL, NULL, "GET"},
    {"any in all sees who asks", "inner", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"any in all refuses", "inner", "B--", POLICY_FORBIDS, "b/b", NULL, NULL},
    {"not: lacks the right", "n_write", "B--", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"not: has the right", "n_write", "A--", POLICY_FORBIDS, "ada", NULL, NULL},
    {"not: nobody", "n_write", "---", NOBODY, NULL, NULL, NULL},
    {"not: wrong", "n_write", "w--", NOBODY, NULL, NULL, NULL},
    {"not: refused by the authority", "n_in", "r--", POLICY_FORBIDS, NULL, NULL, NULL},
    {"not: away", "n_in", "u--", POLICY_UNAVAILABLE, NULL, NULL, NULL},
    {"not: waits", "n_in", ".--", POLICY_WAITS, NULL, NULL, NULL},
    {"not: method", "n_get", "---", POLICY_ALLOWS, NULL, NULL, "PUT"},
    {"not without an all", "n_acme", "---", NOBODY, NULL, NULL, NULL},
    {"not in an all", "a_nacme", "B--", POLICY_ALLOWS, "b/b", NULL, NULL},
    {"not in an all, has it", "a_nacme", "A--", POLICY_FORBIDS, "ada", NULL, NULL},
    {"not not", "nn_write", "A--", POLICY_ALLOWS, "ada", NULL, NULL},
    {"not not, nobody", "nn_write", "---", NOBODY, NULL, NULL, NULL},
};

struct world {
    struct config *config;
    struct identity *ada, *bob;
    const char *says;
};

static struct auth_answer authenticate(void *arg, const struct mechanism_conf *m)
{
    struct world *w = arg;

    switch (w->says[m->kind == MECHANISM_BASIC ? 2 : m->index]) {
    case 'A':
        return (struct auth_answer){AUTH_KNOWN, w->ada, NULL};
    case 'B':
        return (struct auth_answer){AUTH_KNOWN, w->bob, NULL};
    case 'w':
        return (struct auth_answer){AUTH_WRONG, NULL, "wrong"};
    case 'r':
        return (struct auth_answer){AUTH_REFUSED, NULL, "refused"};
    case 'u':
        return (struct auth_answer){AUTH_UNAVAILABLE, NULL, "away"};
    case '.':
        return (struct auth_answer){AUTH_WAITING, NULL, NULL};
    default:
        return (struct auth_answer){AUTH_ABSENT, NULL, NULL};
    }
}

static struct identity *someone(const char *claims)
{
    struct identity *i =
        identity_new(IDENTITY_API_KEY, "k1", json_loads(claims, JSON_REJECT_DUPLICATES, NULL), 0);

    assert_non_null(i);
    return i;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err e = {""};

    assert_non_null(w);
    w->config = config_parse("t.yaml", config_text, sizeof config_text - 1, &e);
    if (!w->config)
        fail_msg("%s", e.text);
    w->ada = someone(ada);
    w->bob = someone(bob);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    config_unref(&w->config);
    identity_unref(&w->ada);
    identity_unref(&w->bob);
    free(w);
    return 0;
}

static void ask(struct world *w, const char *policy, const char *id, const char *method,
                struct policy_result *ret)
{
    struct {
        struct str name, value;
    } params[] = {{STR("x"), STR("ada")}, {STR("id"), str_of(id ? id : "")}};
    struct policy_request q = {.method = str_of(method ? method : "GET"),
                               .params = (const void *)params,
                               .nparams = 2,
                               .authenticate = authenticate,
                               .arg = w};
    const struct policy_conf *p = config_policy(w->config, policy);

    if (!p)
        fail_msg("no policy %s", policy);
    policy_weigh(p, &q, ret);
}

static void every_row(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct policy_result r;

        w->says = row->says;
        ask(w, row->policy, row->id, row->method, &r);
        if (r.verdict != row->verdict)
            fail_msg("%s: verdict %d, not %d (%s)", row->name, (int)r.verdict, (int)row->verdict,
                     r.detail ? r.detail : "");
        if (!r.identity != !row->who || (row->who && strcmp(r.identity->subject, row->who) != 0))
            fail_msg("%s: who is %s", row->name, r.identity ? r.identity->subject : "nobody");
        if (r.verdict != POLICY_ALLOWS && r.verdict != POLICY_WAITS && !r.detail)
            fail_msg("%s: refused without a word", row->name);
    }
}

static void needed_scopes(void **state)
{
    struct world *w = *state;
    struct policy_result r;

    w->says = "B--";
    ask(w, "write", NULL, NULL, &r);
    assert_ptr_equal(r.scopes, &config_policy(w->config, "write")->scopes);
    assert_string_equal(r.blame->name, "write");
    ask(w, "some", NULL, NULL, &r);
    assert_ptr_equal(r.scopes, &config_policy(w->config, "some")->any_scope);
    w->says = "A--";
    ask(w, "both", NULL, NULL, &r);
    assert_ptr_equal(r.scopes, &config_policy(w->config, "both")->any_scope);
    ask(w, "boss", NULL, NULL, &r);
    assert_null(r.scopes);
}

/* Whose headers are sent: those of the policies that let the request in, the outer ones last. */
static void grants(void **state)
{
    struct world *w = *state;
    struct policy_result r;

    w->says = "B--";
    ask(w, "any_rw", NULL, NULL, &r);
    assert_int_equal(r.ngrants, 1);
    assert_string_equal(r.grants[0].policy->name, "read");
    w->says = "A--";
    ask(w, "a_own", "ada", NULL, &r);
    assert_int_equal(r.ngrants, 2);
    assert_string_equal(r.grants[0].policy->name, "in");
    assert_string_equal(r.grants[1].policy->name, "a_own");
    w->says = "AB-";
    ask(w, "a_two", NULL, NULL, &r);
    assert_int_equal(r.ngrants, 2);
    assert_ptr_equal(r.grants[0].identity, w->ada);
    assert_ptr_equal(r.grants[1].identity, w->bob);
    w->says = "w-A";
    ask(w, "n_in", NULL, NULL, &r);
    assert_int_equal(r.ngrants, 0);
    w->says = "---";
    ask(w, "maybe", NULL, NULL, &r);
    assert_int_equal(r.ngrants, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_row, setup, teardown),
        cmocka_unit_test_setup_teardown(needed_scopes, setup, teardown),
        cmocka_unit_test_setup_teardown(grants, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
