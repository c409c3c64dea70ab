/* SPDX-License-Identifier: Apache-2.0 */
/* htpasswd files as `htpasswd -nbB` writes them, and whose password is right. */
#include "policy/password_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define ADA "ada:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6\n" /* lovelace */
#define BOB "bob:$2y$06$Nu0ITyjo3aAB.IuWj6BvduZHKOuCv6bEyz9pnTUVG1YQfZnAbrliG\n" /* builder */

static struct password_file *file_of(const char *text)
{
    struct err e;
    struct password_file *f = password_file_new("users", str_of(text), &e);

    if (!f)
        fail_msg("%s", e.text);
    return f;
}

static void test_passwords(void **state)
{
    static const struct {
        const char *name, *user, *password;
        enum password_verdict verdict;
    } rows[] = {
        {"right", "ada", "lovelace", PASSWORD_RIGHT},
        {"right, higher cost", "bob", "builder", PASSWORD_RIGHT},
        {"of somebody else", "ada", "builder", PASSWORD_WRONG},
        {"wrong", "bob", "Builder", PASSWORD_WRONG},
        {"a letter more", "ada", "lovelace1", PASSWORD_WRONG},
        {"empty", "ada", "", PASSWORD_WRONG},
        {"nobody", "eve", "lovelace", PASSWORD_WRONG},
        {"other case", "Ada", "lovelace", PASSWORD_WRONG},
        {"the hash itself", "ada", "$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6",
         PASSWORD_WRONG},
    };
    struct password_file *f = file_of("# staff\n" ADA "\r\n" BOB "\n");

    (void)state;
    assert_int_equal(password_file_count(f), 2);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum password_verdict v = password_check(f, str_of(rows[i].user), str_of(rows[i].password));

        if (v != rows[i].verdict)
            fail_msg("%s: %d", rows[i].name, (int)v);
    }
    password_file_unref(&f);
}

/* The other two names of the same hash. */
static void test_other_prefixes(void **state)
{
    static const char *const texts[] = {
        "ada:$2b$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6",
        "ada:$2a$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct password_file *f = file_of(texts[i]);

        assert_int_equal(password_check(f, STR("ada"), STR("lovelace")), PASSWORD_RIGHT);
        assert_int_equal(password_check(f, STR("ada"), STR("x")), PASSWORD_WRONG);
        password_file_unref(&f);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "users: is empty"},
        {"\n\r\n\n", "users: is empty"},
        {ADA "bob\n", "users:2: expected user:hash"},
        {":$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6", "users:1: expected"},
        {"bob:secret", "users:1: user \"bob\": only bcrypt"},
        {"bob:$apr1$x$y", "only bcrypt"},
        {"bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "only bcrypt"},
        {"bob:$2x$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6", "only bcrypt"},
        {"bob:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo", "not a whole bcrypt"},
        {"bob:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6 ", "not a whole"},
        {"bob:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdA:6", "not a whole"},
        {"bob:$2y$04$vBGeZRMxqsFUUB.iW1Ao8vxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6", "not a whole"},
        {"bob:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo7", "not a whole"},
        {"bob:$2y$03$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6", "cost below 4"},
        {"bob:$2y$15$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6", "above 14"},
        {"bob:$2y$4a$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6", "not a whole"},
        {ADA BOB ADA, "users:3: user \"ada\" is on line 1 too"},
        {"b\tb:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6", "control character"},
        {"b\xff:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6", "not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct password_file *f = password_file_new("users", str_of(rows[i].text), &e);

        if (f || !strstr(e.text, rows[i].says) || strstr(e.text, "secret") ||
            strstr(e.text, "akPnKYf"))
            fail_msg("%s: %s", rows[i].text, f ? "taken" : e.text);
    }
}

static void test_no_users(void **state)
{
    struct password_file *f = file_of("# nobody any more\n");

    (void)state;
    assert_int_equal(password_file_count(f), 0);
    assert_int_equal(password_check(f, STR("ada"), STR("lovelace")), PASSWORD_WRONG);
    password_file_unref(&f);
}

static void test_nul_and_length(void **state)
{
    struct password_file *f = file_of(ADA);
    char text[] = "x\0y:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6";
    char name[PASSWORD_MAX + 2];
    struct err e;

    (void)state;
    assert_null(password_file_new("users", (struct str){text, sizeof text - 1}, &e));
    memset(name, 'a', sizeof name);
    assert_int_equal(password_check(f, (struct str){name, PASSWORD_MAX}, STR("x")), PASSWORD_WRONG);
    assert_int_equal(password_check(f, (struct str){name, PASSWORD_MAX + 1}, STR("x")),
                     PASSWORD_WRONG);
    assert_int_equal(password_check(f, STR("ada"), (struct str){name, PASSWORD_MAX + 1}),
                     PASSWORD_WRONG);
    password_file_unref(&f);
}

static void test_versions_differ(void **state)
{
    struct password_file *a = file_of(ADA), *b = file_of(ADA);

    (void)state;
    assert_true(password_file_version(a) != password_file_version(b));
    password_file_unref(&a);
    password_file_unref(&b);
}

static double cost_of(struct password_file *f, const char *user)
{
    struct timespec a, b;
    double best = 1e9;

    for (int i = 0; i < 7; i++) {
        double ms;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        password_check(f, str_of(user), STR("wrong"));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
        best = ms < best ? ms : best;
    }
    return best;
}

/* CPU time of a thread, the least of many: a wrong password of a cheap hash, of a dear one, and of
 * nobody. Without the padding the first would be a sixteenth of the others. */
static void test_what_is_wrong_takes_the_same_time(void **state)
{
    struct password_file *f =
        file_of(ADA "dear:$2y$08$Nu0ITyjo3aAB.IuWj6BvduZHKOuCv6bEyz9pnTUVG1YQfZnAbrliG\n");
    double cheap = cost_of(f, "ada"), dear = cost_of(f, "dear"), nobody = cost_of(f, "eve");

    (void)state;
    if (cheap < dear / 4 || cheap > dear * 4 || nobody < dear / 4 || nobody > dear * 4)
        fail_msg("cheap %.2f ms, dear %.2f ms, nobody %.2f ms", cheap, dear, nobody);
    password_file_unref(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_other_prefixes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_users),
        cmocka_unit_test(test_nul_and_length),
        cmocka_unit_test(test_versions_differ),
        cmocka_unit_test(test_what_is_wrong_takes_the_same_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
