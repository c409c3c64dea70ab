/* SPDX-License-Identifier: Apache-2.0 */
/* Stores and files of a configuration over time: what changes, what goes bad, what a reload keeps,
 * what Consul says. */
#include "base/log.h"
#include "config/config.h"
#include "policy/api_key.h"
#include "policy/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define USER "ada:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6\n"
#define ENTRY                                                                                      \
    ": {owner: o, hash: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'" \
    "}\n"

static char folder[] = "/tmp/frontdesk-test-XXXXXX";
static struct config *config;
static struct password_pool *pool;
static struct credentials *creds;

static const char *path(const char *name)
{
    static char text[128];

    snprintf(text, sizeof text, "%s/%s", folder, name);
    return text;
}

/* A new file in the old one's place, so that its inode differs whatever the clock does. */
static void put(const char *name, const char *text)
{
    char next[128];
    FILE *f;

    snprintf(next, sizeof next, "%s", path("next"));
    f = fopen(next, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rename(next, path(name)), 0);
}

static struct config *configure(const char *more)
{
    char text[2048];
    struct err e;
    struct config *c;

    snprintf(text, sizeof text,
             "consul: {address: 'http://127.0.0.1:1'}\n"
             "api_keys:\n"
             "  ours: {file: %s/keys}\n"
             "  kv: {kv: f/keys, pepper_file: %s/pepper}\n"
             "%s"
             "basic: {staff: {htpasswd: %s/users}}\n",
             folder, folder, more, folder);
    c = config_parse("t", text, strlen(text), &e);
    if (!c)
        fail_msg("%s", e.text);
    return c;
}

static int set_up(void **state)
{
    struct err e;

    (void)state;
    log_set_level((enum log_level)(LOG_ERROR + 1));
    put("keys", "one" ENTRY);
    put("pepper", "0123456789abcdef");
    put("users", USER);
    config = configure("");
    pool = password_pool_new(0);
    creds = credentials_new(config, NULL, pool, &e);
    if (!creds)
        print_error("%s\n", e.text);
    return creds ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    credentials_free(&creds);
    password_pool_free(&pool);
    config_unref(&config);
    return 0;
}

static const struct credential_entry *ours(void)
{
    return &credentials_set(creds)->keys[0];
}

static const struct credential_entry *kv(void)
{
    return &credentials_set(creds)->keys[1];
}

static const struct credential_entry *staff(void)
{
    return &credentials_set(creds)->basic[0];
}

static void test_files_that_change(void **state)
{
    struct credential_set *before = credential_set_ref(credentials_set(creds));

    (void)state;
    assert_int_equal(before->nkeys, 2);
    assert_int_equal(key_table_count(ours()->keys), 1);
    assert_null(kv()->keys);
    assert_int_equal(password_file_count(staff()->passwords), 1);
    assert_false(credentials_poll(creds));

    put("keys", "one" ENTRY "two" ENTRY);
    assert_true(credentials_poll(creds));
    assert_false(credentials_poll(creds));
    assert_int_equal(key_table_count(ours()->keys), 2);
    /* Who holds the set from before sees what was in it. */
    assert_int_equal(key_table_count(before->keys[0].keys), 1);
    assert_ptr_equal(before->basic[0].passwords, staff()->passwords);

    put("users", USER "# more\n");
    assert_true(credentials_poll(creds));
    assert_ptr_not_equal(before->basic[0].passwords, staff()->passwords);
    assert_int_equal(ours()->source->failures, 0);
    credential_set_unref(&before);
}

static void test_files_that_go_bad(void **state)
{
    struct credential_set *before = credentials_set(creds);

    (void)state;
    put("keys", "one: {owner: x}\n");
    put("users", "ada:secret\n");
    assert_false(credentials_poll(creds));
    assert_ptr_equal(credentials_set(creds), before);
    assert_int_equal(ours()->source->failures, 1);
    assert_non_null(strstr(ours()->source->problem, "/keys:1: one: hash is missing"));
    assert_non_null(strstr(staff()->source->problem, "/users:1: user \"ada\": only bcrypt"));
    /* It is not read again until it changes again. */
    assert_false(credentials_poll(creds));
    assert_int_equal(ours()->source->failures, 1);
    unlink(path("keys"));
    assert_false(credentials_poll(creds));
    assert_non_null(strstr(ours()->source->problem, "No such file"));
    put("keys", "{}");
    put("users", "# none\n");
    assert_true(credentials_poll(creds));
    assert_string_equal(ours()->source->problem, "");
    assert_string_equal(staff()->source->problem, "");
    assert_int_equal(key_table_count(ours()->keys), 0);
    assert_int_equal(password_file_count(staff()->passwords), 0);
}

static const char *body(const char *key, const char *base64)
{
    static char text[512];

    snprintf(text, sizeof text, "[{\"Key\":\"%s\",\"Value\":\"%s\"}]", key, base64);
    return text;
}

/* "a: {owner: o, hash: 'sha256:00...'}" and "{}". */
#define ONE                                                                                        \
    "YToge293bmVyOiBvLCBoYXNoOiAnc2hhMjU2OjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw" \
    "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAnfQo="
#define NONE "e30="

static bool take(const char *text, bool complete, bool *held)
{
    return credentials_take(creds, 1, str_of(text), complete, held);
}

static void test_consul(void **state)
{
    bool held;

    (void)state;
    /* Nothing known: an answer that may be a part counts if it has keys. */
    assert_false(take("", false, &held));
    assert_true(held);
    assert_null(kv()->keys);
    assert_true(take(body("f/keys", ONE), false, &held));
    assert_false(held);
    assert_int_equal(key_table_count(kv()->keys), 1);
    /* From then on only whole ones do. */
    assert_false(take("", false, &held));
    assert_true(held);
    assert_false(take(body("f/keys", NONE), false, &held));
    assert_true(held);
    assert_int_equal(key_table_count(kv()->keys), 1);
    assert_non_null(strstr(kv()->source->problem, "may show less"));
    /* What cannot be read changes nothing. */
    assert_false(take(body("f/keys", "YQ=="), true, &held));
    assert_false(held);
    assert_non_null(strstr(kv()->source->problem, "kv f/keys"));
    assert_int_equal(key_table_count(kv()->keys), 1);
    /* A whole one that is empty takes all keys away. */
    assert_true(take("", true, &held));
    assert_int_equal(key_table_count(kv()->keys), 0);
    assert_string_equal(kv()->source->problem, "");
}

static void test_consul_away(void **state)
{
    bool held;

    (void)state;
    credentials_unreachable(creds, 1, "connection refused");
    assert_string_equal(kv()->source->problem, "connection refused");
    assert_true(take(body("f/keys", ONE), true, &held));
    assert_string_equal(kv()->source->problem, "");
    credentials_unreachable(creds, 1, "no leader");
    assert_int_equal(key_table_count(kv()->keys), 1);
    assert_string_equal(kv()->source->problem, "no leader");
    credentials_reached(creds, 1);
    assert_string_equal(kv()->source->problem, "");
    /* What was bad before it was away is still bad. */
    assert_false(take(body("f/keys", "YQ=="), true, &held));
    credentials_unreachable(creds, 1, "no leader");
    credentials_reached(creds, 1);
    assert_non_null(strstr(kv()->source->problem, "kv f/keys"));
}

static bool reload(struct config *next)
{
    struct err e;
    struct credentials *c = credentials_new(next, creds, pool, &e);

    if (c) {
        credentials_free(&creds);
        creds = c;
    }
    config_unref(&next);
    return c != NULL;
}

/* A reload meanwhile does not leave the problem behind for ever. */
static void test_consul_away_over_a_reload(void **state)
{
    bool held;

    (void)state;
    credentials_unreachable(creds, 1, "no leader");
    assert_true(reload(configure("")));
    credentials_reached(creds, 1);
    assert_string_equal(kv()->source->problem, "");
    assert_true(take(body("f/keys", ONE), true, &held));
    credentials_unreachable(creds, 1, "no leader");
    assert_true(reload(configure("")));
    assert_string_equal(kv()->source->problem, "no leader");
    credentials_reached(creds, 1);
    assert_string_equal(kv()->source->problem, "");
}

static void test_reload(void **state)
{
    bool held;

    (void)state;
    assert_true(take(body("f/keys", ONE), true, &held));
    credential_count(ours()->source, KEY_OK);
    put("keys", "one: {owner: x}\n");
    assert_false(reload(configure("")));
    assert_int_equal(key_table_count(ours()->keys), 1);
    put("keys", "one" ENTRY "two" ENTRY);
    assert_false(reload(configure("  third: {file: /dev/null}\n")));
    assert_true(reload(configure("  third: {kv: elsewhere}\n")));
    assert_int_equal(credentials_set(creds)->nkeys, 3);
    assert_int_equal(key_table_count(ours()->keys), 2);
    /* What Consul has said, and what was counted, stays. */
    assert_int_equal(key_table_count(kv()->keys), 1);
    assert_null(credentials_set(creds)->keys[2].keys);
    assert_int_equal(ours()->source->answers[KEY_OK], 1);
    /* So it does while Consul's newest is bad. */
    assert_false(take(body("f/keys", "YQ=="), true, &held));
    assert_true(reload(configure("")));
    assert_int_equal(key_table_count(kv()->keys), 1);
    assert_non_null(strstr(kv()->source->problem, "kv f/keys"));
}

/* "a: {owner: o, hash: 'hmac-sha256:00...'}" */
#define PEPPERED                                                                                   \
    "YToge293bmVyOiBvLCBoYXNoOiAnaG1hYy1zaGEyNTY6MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw" \
    "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCd9Cg=="

static void test_pepper(void **state)
{
    const struct key_table *before;
    bool held;

    (void)state;
    assert_true(take(body("f/keys", PEPPERED), true, &held));
    before = kv()->keys;
    put("pepper", "short");
    assert_false(credentials_poll(creds));
    assert_non_null(strstr(kv()->source->problem, "a pepper has at least 16 bytes"));
    assert_ptr_equal(kv()->keys, before);
    put("pepper", "fedcba9876543210");
    assert_true(credentials_poll(creds));
    assert_ptr_not_equal(kv()->keys, before);
    assert_string_equal(kv()->source->problem, "");
    /* The same after a reload, though Consul has said nothing since. */
    assert_true(reload(configure("")));
    before = kv()->keys;
    assert_non_null(before);
    put("pepper", "0123456789abcdef");
    assert_true(credentials_poll(creds));
    assert_ptr_not_equal(kv()->keys, before);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path("keys"));
    unlink(path("users"));
    unlink(path("pepper"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_that_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_go_bad, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_consul, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_consul_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_consul_away_over_a_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pepper, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
