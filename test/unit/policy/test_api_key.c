/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a key, its checksum and its hashes. */
#include "policy/api_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEY_CHECK "4FOtwe"

/* Made once; the checksum was computed by another program (zlib's crc32). */
static const char good[] = "fdk_acme-1_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_" KEY_CHECK;

static void test_parse(void **state)
{
    static const struct {
        const char *name, *key;
    } rows[] = {
        {"nothing", ""},
        {"another prefix", "fdx_acme-1_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_" KEY_CHECK},
        {"upper-case prefix", "FDK_acme-1_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_" KEY_CHECK},
        {"another id", "fdk_acme-2_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_" KEY_CHECK},
        {"another secret", "fdk_acme-1_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefh_" KEY_CHECK},
        {"no id", "fdk__0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_" KEY_CHECK},
        {"a letter less", "fdk_acme-1_123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_" KEY_CHECK},
        {"a letter more", "fdk_acme-1_00123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_" KEY_CHECK},
        {"cut off", "fdk_acme-1_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_"},
        {"blank at the end",
         "fdk_acme-1_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_" KEY_CHECK " "},
        {"underscore in the id",
         "fdk_acme_1_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_" KEY_CHECK},
        {"hyphen in the secret",
         "fdk_acme-1_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef-_" KEY_CHECK},
    };
    struct str id = STR_NULL;

    (void)state;
    assert_true(api_key_parse(str_of(good), &id));
    assert_true(str_eq(id, STR("acme-1")));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (api_key_parse(str_of(rows[i].key), &id))
            fail_msg("%s: taken", rows[i].name);
}

/* Every single letter counts. */
static void test_every_change_is_seen(void **state)
{
    char key[sizeof good];
    struct str id;

    (void)state;
    for (size_t i = 0; i < sizeof good - 1; i++) {
        memcpy(key, good, sizeof good);
        key[i] = key[i] == 'x' ? 'y' : 'x';
        if (api_key_parse(str_of(key), &id))
            fail_msg("taken with another letter at %zu", i);
    }
}

static void test_ids(void **state)
{
    static const struct {
        const char *id;
        bool ok;
    } rows[] = {
        {"a", true},    {"7f3k9x2m", true},
        {"A-b", true},  {"12345678901234567890123456789012", true},
        {"", false},    {"123456789012345678901234567890123", false},
        {"a_b", false}, {"a b", false},
        {"a.b", false}, {"\xc3\xa4", false},
    };
    char key[API_KEY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str id = STR_NULL;

        assert_int_equal(api_key_id_ok(str_of(rows[i].id)), rows[i].ok);
        assert_int_equal(api_key_make(str_of(rows[i].id), key) == 0, rows[i].ok);
        if (!rows[i].ok)
            continue;
        assert_true(strlen(key) <= API_KEY_MAX);
        assert_true(api_key_parse(str_of(key), &id));
        assert_true(str_eq(id, str_of(rows[i].id)));
    }
}

static void test_made_ones_differ(void **state)
{
    char keys[2][API_KEY_MAX + 1], ids[2][9];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(api_key_make_id(ids[i]), 0);
        assert_true(api_key_id_ok(str_of(ids[i])));
        assert_int_equal(api_key_make(STR("same"), keys[i]), 0);
    }
    assert_string_not_equal(keys[0], keys[1]);
    assert_string_not_equal(ids[0], ids[1]);
}

static void hex(const unsigned char *bytes, char ret[65])
{
    for (size_t i = 0; i < API_KEY_DIGEST; i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

/* Of "abc": FIPS 180-2; with the pepper: RFC 4231, test case 2. */
static void test_digests(void **state)
{
    unsigned char digest[API_KEY_DIGEST];
    char text[65];

    (void)state;
    assert_int_equal(api_key_digest(STR("abc"), STR_NULL, digest), 0);
    hex(digest, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(api_key_digest(STR("what do ya want for nothing?"), STR("Jefe"), digest), 0);
    hex(digest, text);
    assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),   cmocka_unit_test(test_every_change_is_seen),
        cmocka_unit_test(test_ids),     cmocka_unit_test(test_made_ones_differ),
        cmocka_unit_test(test_digests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
