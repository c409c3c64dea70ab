/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of keys: what an entry says, what is refused with file and line, which key is whose. */
#include "policy/api_key.h"
#include "policy/key_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char pepper[] = "a pepper of some length";

static char *hash_of(const char *key, bool peppered)
{
    unsigned char digest[API_KEY_DIGEST];
    static char text[96];
    int n = snprintf(text, sizeof text, peppered ? "hmac-sha256:" : "sha256:");

    assert_int_equal(api_key_digest(str_of(key), peppered ? str_of(pepper) : STR_NULL, digest), 0);
    for (size_t i = 0; i < sizeof digest; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%02x", digest[i]);
    return text;
}

static struct key_table *table(const char *text, bool with_pepper, struct err *e)
{
    struct key_text one = {"keys.yaml", str_of(text)};

    return key_table_new("partners", &one, 1, with_pepper ? str_of(pepper) : STR_NULL, e);
}

static struct key_table *good_table(const char *text, bool with_pepper)
{
    struct err e;
    struct key_table *t = table(text, with_pepper, &e);

    if (!t)
        fail_msg("%s", e.text);
    return t;
}

#define HASH "sha256:0123456789abcdef0123456789abcdef0123456789ABCDEF0123456789ABCDEF"

static void test_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"a: {owner: b}", "keys.yaml:1: a: hash is missing"},
        {"a: {hash: '" HASH "'}", "keys.yaml:1: a: owner is missing"},
        {"a:\n  owner: b\n  hash: x\n", "keys.yaml:3: a.hash: expected sha256: or"},
        {"a: {owner: b, hash: '" HASH "0'}", "a.hash: expected sha256: or"},
        {"a: {owner: b, hash: 'sha512:" HASH "'}", "a.hash: expected sha256: or"},
        {"a: {owner: b, hash: 'hmac-" HASH "'}", "a.hash: hmac-sha256 needs the store's pepper"},
        {"a: {owner: b, hash: '" HASH "', expires: soon}", "a.expires: expected a time"},
        {"a: {owner: b, hash: '" HASH "', scopes: ['a b']}", "scopes[0]: expected a word"},
        {"a: {owner: b, hash: '" HASH "', scopes: {a: b}}", "a.scopes: expected a list"},
        {"a: {owner: b, hash: '" HASH "', roles: ['']}", "roles[0]: expected a word"},
        {"a: {owner: b, hash: '" HASH "', claims: [x]}", "a.claims: expected a map"},
        {"a: {owner: b, hash: '" HASH "', claims: {sub: root}}", "a.claims.sub: is what other"},
        {"a: {owner: b, hash: '" HASH "', claims: {rate_limits: x}}", "claims.rate_limits: is"},
        {"a: {owner: b, hash: '" HASH "', claims: {scp: x}}", "a.claims.scp: is"},
        {"a: {owner: b, hash: '" HASH "', scope: x}", "scope"},
        {"a: {owner: '', hash: '" HASH "'}", "a.owner: "},
        {"a: {owner: \"x\\ny\", hash: '" HASH "'}", "holds a control character"},
        {"a: x", "keys.yaml:1: a: expected a map"},
        {"a_b: {owner: b, hash: '" HASH "'}", "keys.yaml:1: an id has 1 to 32 letters"},
        {"a: {owner: b, hash: '" HASH "'}\na: {owner: c, hash: '" HASH "'}", "given twice"},
        {"- a", "keys.yaml:1"},
        {"a: {", "keys.yaml"},
        {"", "keys.yaml: is empty"},
        {" \n\t\n# comment\r\n\r\n", "keys.yaml: is empty"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct key_table *t = table(rows[i].text, false, &e);

        if (t || !strstr(e.text, rows[i].says))
            fail_msg("%s: %s", rows[i].text, t ? "taken" : e.text);
    }
}

/* A key that was pasted where its hash or id belongs is in no message. */
static void test_keys_are_not_repeated(void **state)
{
    char key[API_KEY_MAX + 1], text[512];

    (void)state;
    assert_int_equal(api_key_make(STR("a"), key), 0);
    for (size_t i = 0; i < 5; i++) {
        struct err e = {""};

        snprintf(text, sizeof text,
                 i == 0   ? "a: {owner: b, hash: %s}"
                 : i == 1 ? "%s: {owner: b, hash: c}"
                 : i == 2 ? "a: {owner: b, hash: [%s]}"
                 : i == 3 ? "%s: x"
                          : "a: %s",
                 key);
        assert_null(table(text, false, &e));
        if (strstr(e.text, key))
            fail_msg("%zu: %s", i, e.text);
    }
}

static void test_answers(void **state)
{
    char key[API_KEY_MAX + 1], other[API_KEY_MAX + 1], stranger[API_KEY_MAX + 1], text[1024];
    char old[API_KEY_MAX + 1], off[API_KEY_MAX + 1];
    struct key_table *t;
    const struct {
        const char *name, *key;
        uint64_t now_s;
        enum key_answer answer;
    } rows[] = {
        {"good", key, 1, KEY_OK},
        {"same id, another secret", other, 1, KEY_WRONG},
        {"nobody's", stranger, 1, KEY_UNKNOWN},
        {"no key", "hello", 1, KEY_MALFORMED},
        {"before it ends", old, 1801353599, KEY_OK},
        {"in the second in which it ends", old, 1801353600, KEY_EXPIRED},
        {"later", old, 1901353600, KEY_EXPIRED},
        {"disabled", off, 1, KEY_DISABLED},
    };
    struct identity *who = NULL;
    int n;

    (void)state;
    assert_int_equal(api_key_make(STR("a"), key), 0);
    assert_int_equal(api_key_make(STR("a"), other), 0);
    assert_int_equal(api_key_make(STR("b"), stranger), 0);
    assert_int_equal(api_key_make(STR("old"), old), 0);
    assert_int_equal(api_key_make(STR("off"), off), 0);
    n = snprintf(text, sizeof text, "a: {owner: acme, hash: '%s'}\n", hash_of(key, false));
    n += snprintf(text + n, sizeof text - (size_t)n,
                  "old: {owner: acme, expires: 2027-01-31, hash: '%s'}\n", hash_of(old, false));
    snprintf(text + n, sizeof text - (size_t)n, "off: {owner: x, disabled: true, hash: '%s'}\n",
             hash_of(off, false));
    t = good_table(text, false);
    assert_int_equal(key_table_count(t), 3);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum key_answer a = key_table_find(t, str_of(rows[i].key), rows[i].now_s, &who);

        if (a != rows[i].answer)
            fail_msg("%s: %s", rows[i].name, key_answer_word(a));
    }
    /* What the client reads does not tell an id that is there from one that is not. */
    assert_string_equal(key_answer_text(KEY_WRONG), key_answer_text(KEY_UNKNOWN));
    key_table_unref(&t);
}

static void test_pepper(void **state)
{
    char key[API_KEY_MAX + 1], plain[API_KEY_MAX + 1], text[512];
    struct key_table *t;
    struct identity *who;
    int n;

    (void)state;
    assert_int_equal(api_key_make(STR("a"), key), 0);
    assert_int_equal(api_key_make(STR("b"), plain), 0);
    n = snprintf(text, sizeof text, "a: {owner: acme, hash: '%s'}\n", hash_of(key, true));
    snprintf(text + n, sizeof text - (size_t)n, "b: {owner: acme, hash: '%s'}\n",
             hash_of(plain, false));
    t = good_table(text, true);
    assert_int_equal(key_table_find(t, str_of(key), 1, &who), KEY_OK);
    assert_int_equal(key_table_find(t, str_of(plain), 1, &who), KEY_OK);
    key_table_unref(&t);
    /* A plain hash does not do where one with pepper is said to be. */
    n = snprintf(text, sizeof text, "a: {owner: acme, hash: 'hmac-%s'}\n", hash_of(key, false));
    t = good_table(text, true);
    assert_int_equal(key_table_find(t, str_of(key), 1, &who), KEY_WRONG);
    key_table_unref(&t);
}

static void test_identity(void **state)
{
    char key[API_KEY_MAX + 1], text[512], *claims;
    struct identity *who = NULL;
    struct key_table *t;

    (void)state;
    assert_int_equal(api_key_make(STR("k1"), key), 0);
    snprintf(text, sizeof text,
             "k1: {owner: acme, hash: '%s', scopes: [a, b:c], roles: admin, rate_limits: [gold],"
             " claims: {tier: 3, tenant: {name: x}, beta: true}, expires: 2100-01-01}",
             hash_of(key, false));
    t = good_table(text, false);
    assert_int_equal(key_table_find(t, str_of(key), 1, &who), KEY_OK);
    identity_ref(who);
    /* It lives on without the table. */
    key_table_unref(&t);
    claims = json_dumps(who->claims, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(claims,
                        "{\"beta\":true,\"key_id\":\"k1\",\"rate_limits\":[\"gold\"],"
                        "\"roles\":[\"admin\"],\"scope\":\"a b:c\",\"scopes\":[\"a\",\"b:c\"],"
                        "\"sub\":\"acme\",\"tenant\":{\"name\":\"x\"},\"tier\":3}");
    assert_int_equal(who->kind, IDENTITY_API_KEY);
    assert_string_equal(who->source, "partners");
    assert_string_equal(who->subject, "acme");
    assert_int_equal(who->expires_at_s, 4102444800);
    free(claims);
    identity_unref(&who);
}

static void test_several_texts(void **state)
{
    char a[API_KEY_MAX + 1], b[API_KEY_MAX + 1], one[256], two[256];
    struct key_text texts[3] = {{"kv x/1", STR_NULL}, {"kv x/2", STR_NULL}, {"kv x/3", STR("{}")}};
    struct key_table *t;
    struct identity *who;
    struct err e;

    (void)state;
    assert_int_equal(api_key_make(STR("a"), a), 0);
    assert_int_equal(api_key_make(STR("b"), b), 0);
    snprintf(one, sizeof one, "a: {owner: acme, hash: '%s'}", hash_of(a, false));
    snprintf(two, sizeof two, "b: {owner: acme, hash: '%s'}", hash_of(b, false));
    texts[0].text = str_of(one);
    texts[1].text = str_of(two);
    t = key_table_new("s", texts, 3, STR_NULL, &e);
    assert_non_null(t);
    assert_int_equal(key_table_find(t, str_of(a), 1, &who), KEY_OK);
    assert_int_equal(key_table_find(t, str_of(b), 1, &who), KEY_OK);
    key_table_unref(&t);
    /* Two texts do not make one entry together. */
    texts[1].text = STR("a: {scopes: [admin]}");
    assert_null(key_table_new("s", texts, 3, STR_NULL, &e));
    assert_non_null(strstr(e.text, "kv x/2:1: a: owner is missing"));
    texts[1].text = str_of(one);
    assert_null(key_table_new("s", texts, 3, STR_NULL, &e));
    assert_non_null(strstr(e.text, "kv x/2:1: a: the same id is in another text"));
    t = key_table_new("s", texts, 0, STR_NULL, &e);
    assert_int_equal(key_table_find(t, str_of(a), 1, &who), KEY_UNKNOWN);
    key_table_unref(&t);
}

static void test_many(void **state)
{
    enum { N = 3000 };
    char *keys = malloc((size_t)N * (API_KEY_MAX + 1)), *text = malloc((size_t)N * 160);
    struct identity *who;
    struct key_table *t;
    size_t used = 0;

    (void)state;
    assert_non_null(keys);
    assert_non_null(text);
    for (int i = 0; i < N; i++) {
        char *key = keys + i * (API_KEY_MAX + 1), id[16];

        snprintf(id, sizeof id, "id-%d", i);
        assert_int_equal(api_key_make(str_of(id), key), 0);
        used += (size_t)snprintf(text + used, 160, "%s: {owner: o%d, hash: '%s'}\n", id, i,
                                 hash_of(key, false));
    }
    t = good_table(text, false);
    assert_int_equal(key_table_count(t), N);
    for (int i = 0; i < N; i++) {
        char owner[16];

        snprintf(owner, sizeof owner, "o%d", i);
        assert_int_equal(key_table_find(t, str_of(keys + i * (API_KEY_MAX + 1)), 1, &who), KEY_OK);
        assert_string_equal(who->subject, owner);
    }
    key_table_unref(&t);
    free(keys);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_keys_are_not_repeated),
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_pepper),
        cmocka_unit_test(test_identity), cmocka_unit_test(test_several_texts),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
