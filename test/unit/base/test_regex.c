/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/regex.h"

static struct arena *a;

static int begin(void **state)
{
    (void)state;
    a = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(a);
    return 0;
}

static const struct regex *compile(const char *pattern)
{
    const char *why = "";
    const struct regex *re = regex_compile(a, str_of(pattern), &why);

    if (!re)
        fail_msg("%s: %s", pattern, why);
    return re;
}

static const struct {
    const char *pattern, *text;
    bool whole, part;
} rows[] = {
    {"", "", true, true},
    {"", "x", false, true},
    {"abc", "abc", true, true},
    {"abc", "xabcx", false, true},
    {"abc", "ab", false, false},
    {"^/v2/.*", "/v2/x/y", true, true},
    {"^/v2/.*", "/v1/v2/x", false, false},
    {"/v2/.*$", "/v1/v2/x", false, true},
    {"a|b|cd", "cd", true, true},
    {"a|b|cd", "c", false, false},
    {"a|", "", true, true},
    {"(a|b)*c", "abbac", true, true},
    {"(a|b)*c", "abdac", false, true},
    {"(?:a+)+b", "aaab", true, true},
    {"a*?b??c", "aac", true, true},
    {"a{2,3}", "aa", true, true},
    {"a{2,3}", "aaaa", false, true},
    {"a{2}", "a", false, false},
    {"a{2,}", "aaaaa", true, true},
    {"a{0}b", "b", true, true},
    {"a{,3}", "a{,3}", true, true},
    {"a{x", "a{x", true, true},
    {"[a-c]+", "abcab", true, true},
    {"[^a-c]+", "xyz", true, true},
    {"[^a-c]+", "xaz", false, true},
    {"[]a]+", "]a", true, true},
    {"[a-]+", "a-", true, true},
    {"[\\d.]+", "1.2", true, true},
    {"[[:alpha:]_]+", "ab_C", true, true},
    {"[[:alpha:]_]+", "ab1", false, true},
    {"\\d{3}", "123", true, true},
    {"\\d{3}", "12a", false, false},
    {"\\D\\W\\S", "a-b", true, true},
    {"\\w+\\s\\w+", "ab cd", true, true},
    {"\\.\\*\\/", ".*/", true, true},
    {"\\x41\\x{42}\\t", "AB\t", true, true},
    {"\\Qa.b*\\Ec", "a.b*c", true, true},
    {"\\Qa.b", "a.b", true, true},
    {"(?i)abc", "aBC", true, true},
    {"(?i:a)b", "Ab", true, true},
    {"(?i:a)b", "AB", false, false},
    {"a(?i)b|c", "aB", true, true},
    {"(?i)[a-c]+", "AbC", true, true},
    {"(?P<name>a)(?<other>b)", "ab", true, true},
    {".", "\n", false, false},
    {"(?s).", "\n", true, true},
    {"(?s-s).", "\n", false, false},
    {"a$", "a\n", false, false},
    {"(?m)a$", "a\nb", false, true},
    {"(?m)^b", "a\nb", false, true},
    {"^b", "a\nb", false, false},
    {"\\Aa\\z", "a", true, true},
    {"\\bcat\\b", "the cat sat", false, true},
    {"\\bcat\\b", "concat", false, false},
    {"\\Bcat", "concat", false, true},
    {".", "\xc3\xa4", true, true},
    {"..", "\xc3\xa4", false, false},
    {"\xc3\xa4+", "\xc3\xa4\xc3\xa4", true, true},
    {"\\x{e4}", "\xc3\xa4", true, true},
    {"[^a]", "\xe2\x82\xac", true, true},
    {"()*", "", true, true},
    {"(a*)*", "aaa", true, true},
    {"(a|b|ab)*c", "abababc", true, true},
    {"(|a){3}", "aa", true, true},
    {"x*", "y", false, true},
};

static void languages(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct regex *re = compile(rows[i].pattern);

        if (regex_matches(re, str_of(rows[i].text)) != rows[i].whole)
            fail_msg("whole: \"%s\" on \"%s\"", rows[i].pattern, rows[i].text);
        if (regex_finds(re, str_of(rows[i].text)) != rows[i].part)
            fail_msg("part: \"%s\" on \"%s\"", rows[i].pattern, rows[i].text);
    }
}

static const struct {
    const char *pattern, *why;
} refused[] = {
    {"(", "a group without its )"},
    {")", "a ) without its group"},
    {"(?", "a group without its )"},
    {"(?i", "a group without its )"},
    {"[a", "a class without its ]"},
    {"[z-a]", "a range that ends before it begins"},
    {"*a", "a repetition of nothing"},
    {"a**", "a repetition of a repetition"},
    {"a{2}{3}", "a repetition of a repetition"},
    {"a{1001}", "a repetition with bad bounds"},
    {"a{3,2}", "a repetition with bad bounds"},
    {"(a)\\1", "a backreference, which has no linear match"},
    {"(?=a)", "a look-around or comment, which RE2 does not know"},
    {"(?!a)", "a look-around or comment, which RE2 does not know"},
    {"(?<=a)b", "a look-around or comment, which RE2 does not know"},
    {"(?>a)", "a bad flag"},
    {"\\pL", "a Unicode class, which is not supported"},
    {"\\C", "an unknown escape"},
    {"\\", "a backslash at the end"},
    {"[[:nope:]]", "an unknown class between [: and :]"},
    {"[\\W]", "an opposite (\\D, \\W, \\S) inside a class, which is not supported"},
    {"[\xc3\xa4]", "a class with members beyond ASCII, which is not supported"},
    {"\\x4", "a bad \\x escape"},
    {"\\x{110000}", "a bad \\x escape"},
    {"((a{1000}){1000}){1000}", "an expression that is too large"},
    {"((((){1000}){1000}){1000}){1000}", "an expression that is too large"},
};

static void refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const char *why = "";

        if (regex_compile(a, str_of(refused[i].pattern), &why))
            fail_msg("%s is taken", refused[i].pattern);
        if (strcmp(why, refused[i].why) != 0)
            fail_msg("%s: %s", refused[i].pattern, why);
    }
}

static void deep_and_long(void **state)
{
    char text[REGEX_MAX_PATTERN + 2];
    const char *why;

    (void)state;
    memset(text, '(', sizeof text);
    assert_null(regex_compile(a, (struct str){text, REGEX_MAX_PATTERN}, &why));
    assert_string_equal(why, "groups nested too deep");
    memset(text, 'a', sizeof text);
    assert_non_null(regex_compile(a, (struct str){text, REGEX_MAX_PATTERN}, &why));
    assert_null(regex_compile(a, (struct str){text, REGEX_MAX_PATTERN + 1}, &why));
    memset(text, '*', sizeof text);
    assert_null(regex_compile(a, (struct str){text, REGEX_MAX_PATTERN}, &why));
}

/* What takes a backtracking matcher longer than the age of the universe. */
static void hostile_text(void **state)
{
    static const char *const patterns[] = {"(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*)*b", "a*a*a*a*b"};
    char text[8192];

    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        assert_false(regex_matches(compile(patterns[i]), (struct str){text, sizeof text}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(languages, begin, end),
        cmocka_unit_test_setup_teardown(refusals, begin, end),
        cmocka_unit_test_setup_teardown(deep_and_long, begin, end),
        cmocka_unit_test_setup_teardown(hostile_text, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
