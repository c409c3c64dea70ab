/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "policy/challenge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void bearer(void **state)
{
    static const char *two[] = {"read", "write:all"};
    static const struct word_list scopes = {two, 2}, none = {two, 0};
    static const struct {
        struct bearer_challenge c;
        const char *want;
    } rows[] = {
        {{"shop", NULL, NULL, NULL}, "Bearer realm=\"shop\""},
        {{"shop", NULL, "unused", NULL}, "Bearer realm=\"shop\""},
        {{"shop", "invalid_token", "the token has expired", NULL},
         "Bearer realm=\"shop\", error=\"invalid_token\", "
         "error_description=\"the token has expired\""},
        {{"shop", "insufficient_scope", NULL, &scopes},
         "Bearer realm=\"shop\", error=\"insufficient_scope\", scope=\"read write:all\""},
        {{"shop", NULL, NULL, &none}, "Bearer realm=\"shop\""},
        {{"a\"b\\c\r\nd", NULL, NULL, NULL}, "Bearer realm=\"abcd\""},
    };
    char buf[CHALLENGE_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str s = challenge_bearer(&rows[i].c, buf);

        assert_int_equal(s.n, strlen(rows[i].want));
        assert_memory_equal(s.p, rows[i].want, s.n);
    }
}

static void basic(void **state)
{
    char buf[CHALLENGE_MAX];
    struct str s = challenge_basic("staff", buf);

    (void)state;
    assert_true(str_eq(s, STR("Basic realm=\"staff\", charset=\"UTF-8\"")));
}

/* Whatever is asked for, the value is whole. */
static void never_too_long(void **state)
{
    char word[129], realm[1200], buf[CHALLENGE_MAX];
    const char *words[64];
    struct word_list scopes = {words, 64};
    struct bearer_challenge c = {realm, "insufficient_scope", "x", &scopes};

    (void)state;
    memset(word, 's', 128);
    word[128] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        words[i] = word;
    for (size_t n = 1; n < sizeof realm; n += 7) {
        struct str s;
        unsigned quotes = 0;

        memset(realm, 'r', n);
        realm[n] = '\0';
        s = challenge_bearer(&c, buf);
        assert_true(s.n < CHALLENGE_MAX);
        for (size_t i = 0; i < s.n; i++)
            quotes += s.p[i] == '"';
        assert_int_equal(quotes % 2, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bearer),
        cmocka_unit_test(basic),
        cmocka_unit_test(never_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
