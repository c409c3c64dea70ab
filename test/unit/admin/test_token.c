/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOOD "correct-horse-battery"

static char folder[] = "/tmp/frontdesk-token-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/token", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void put(const char *text, size_t n)
{
    char fresh[80];
    FILE *f;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    f = fopen(fresh, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
    assert_int_equal(chmod(fresh, 0600), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static void put_text(const char *text)
{
    put(text, strlen(text));
}

static void the_file_is_checked(void **state)
{
    static const char long_token[TOKEN_MAX_BYTES + 10] = {0};
    static const struct {
        const char *name, *text, *says; /* NULL = good */
    } rows[] = {
        {"plain", GOOD, NULL},
        {"line feed", GOOD "\n", NULL},
        {"carriage return too", GOOD "\r\n", NULL},
        {"sixteen bytes", "0123456789abcdef", NULL},
        {"fifteen bytes", "0123456789abcde", "too short: 15 bytes"},
        {"line feeds do not count", "0123456789abcde\n\n\n", "too short: 15 bytes"},
        {"empty", "", "too short: 0 bytes"},
        {"two lines", "0123456789abcdef\n0123456789abcdef", "no Authorization field can carry"},
        {"a space", "0123456789 abcdef", "no Authorization field can carry"},
        {"not ASCII", "0123456789abcdef\xc3\xa9", "no Authorization field can carry"},
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int r;

        put_text(rows[i].text);
        e.text[0] = '\0';
        r = token_check(path, &e);
        if (rows[i].says ? r == 0 || !strstr(e.text, rows[i].says) : r != 0)
            fail_msg("%s: %d %s", rows[i].name, r, e.text);
        if (strstr(e.text, "0123456789abcde"))
            fail_msg("%s: the message shows the token", rows[i].name);
    }
    put(long_token, sizeof long_token);
    assert_int_equal(token_check(path, &e), -1);
    assert_non_null(strstr(e.text, "more than 4096 bytes"));
    assert_int_equal(token_check(folder, &e), -1);
    assert_int_equal(token_check("/nonexistent/token", &e), -1);
    assert_non_null(strstr(e.text, "cannot open /nonexistent/token"));
}

static void only_the_right_token_is_good(void **state)
{
    static const struct {
        const char *field;
        enum token_verdict verdict;
    } rows[] = {
        {NULL, TOKEN_ABSENT},
        {"", TOKEN_ABSENT},
        {"Basic dXNlcjpwYXNz", TOKEN_ABSENT},
        {"Bearer", TOKEN_ABSENT},
        {GOOD, TOKEN_ABSENT},
        {"Bearer " GOOD, TOKEN_GOOD},
        {"bearer   " GOOD "  ", TOKEN_GOOD},
        {"Bearer ", TOKEN_WRONG},
        {"Bearer " GOOD "x", TOKEN_WRONG},
        {"Bearer correct-horse-batter", TOKEN_WRONG},
        {"Bearer " GOOD "," GOOD, TOKEN_WRONG},
    };
    struct token *t;

    (void)state;
    put_text(GOOD "\n");
    t = token_new(path);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (token_judge(t, rows[i].field, NS_PER_S) != rows[i].verdict)
            fail_msg("%s", rows[i].field ? rows[i].field : "(none)");
    token_free(t);
}

static void an_exchanged_file_counts_at_once(void **state)
{
    struct token *t;

    (void)state;
    put_text(GOOD);
    t = token_new(path);
    assert_int_equal(token_judge(t, "Bearer " GOOD, 0), TOKEN_GOOD);
    put_text("another-token-of-the-team");
    assert_int_equal(token_judge(t, "Bearer " GOOD, 0), TOKEN_WRONG);
    assert_int_equal(token_judge(t, "Bearer another-token-of-the-team", 0), TOKEN_GOOD);
    put_text("short");
    assert_int_equal(token_judge(t, "Bearer another-token-of-the-team", 0), TOKEN_WRONG);
    assert_int_equal(token_judge(t, "Bearer short", 0), TOKEN_WRONG);
    unlink(path);
    assert_int_equal(token_judge(t, "Bearer another-token-of-the-team", 0), TOKEN_WRONG);
    assert_int_equal(token_judge(t, "Bearer ", 0), TOKEN_WRONG);
    put_text(GOOD);
    assert_int_equal(token_judge(t, "Bearer " GOOD, 0), TOKEN_GOOD);
    token_free(t);
}

static void guessing_is_slowed_down(void **state)
{
    const uint64_t begin = 100 * NS_PER_S;
    struct token *t;

    (void)state;
    put_text(GOOD);
    t = token_new(path);
    for (unsigned i = 0; i < TOKEN_MAX_FAILURES; i++) {
        assert_int_equal(token_judge(t, "Bearer wrong", begin + i), TOKEN_WRONG);
        assert_int_equal(token_judge(t, NULL, begin + i), TOKEN_ABSENT);
    }
    assert_int_equal(token_judge(t, "Bearer " GOOD, begin + NS_PER_S), TOKEN_TOO_MANY);
    assert_int_equal(token_wait_s(t, begin + NS_PER_S), 9);
    assert_int_equal(token_wait_s(t, begin + 10 * NS_PER_S), 1);
    assert_int_equal(token_judge(t, "Bearer wrong", begin + 10 * NS_PER_S - 1), TOKEN_TOO_MANY);
    assert_int_equal(token_judge(t, "Bearer " GOOD, begin + 10 * NS_PER_S), TOKEN_GOOD);
    token_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_checked),
        cmocka_unit_test(only_the_right_token_is_good),
        cmocka_unit_test(an_exchanged_file_counts_at_once),
        cmocka_unit_test(guessing_is_slowed_down),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
