/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "cli/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void collect(void *arg, char kind, struct str line)
{
    char *out = arg;

    sprintf(out + strlen(out), "%s%.*s\n", kind == '@' ? "" : (char[]){kind, 0}, (int)line.n,
            line.p);
}

static void test_rows(void **state)
{
    static const struct {
        const char *name, *before, *after, *diff;
    } rows[] = {
        {"equal", "a\nb\n", "a\nb\n", ""},
        {"both empty", "", "", ""},
        {"all new", "", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
        {"all gone", "a\n", "", "@@ -1 +0,0 @@\n-a\n"},
        {"one line", "a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
        {"an added line", "a\nb\n", "a\nx\nb\n", "@@ -1,2 +1,3 @@\n a\n+x\n b\n"},
        {"three around", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
         "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"},
        {"two hunks", "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "x\n1\n2\n3\n4\n5\n6\n7\ny\n",
         "@@ -1,4 +1,4 @@\n-a\n+x\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+y\n"},
        {"near changes are one hunk", "a\n1\n2\n3\n4\n5\n6\nb\n", "x\n1\n2\n3\n4\n5\n6\ny\n",
         "@@ -1,8 +1,8 @@\n-a\n+x\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+y\n"},
        {"no line feed at the end", "a", "a\n",
         "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
        {"lines that move", "a\nb\nc\n", "c\na\nb\n", "@@ -1,3 +1,3 @@\n+c\n a\n b\n-c\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[1000] = "";
        bool differs = diff_texts(str_of(rows[i].before), str_of(rows[i].after), collect, out);

        if (strcmp(out, rows[i].diff) != 0 || differs != (rows[i].diff[0] != '\0'))
            fail_msg("%s: %s", rows[i].name, out);
    }
}

/* The lines of a diff give both texts when everything is near enough to be shown. */
struct sides {
    char before[400], after[400];
};

static void rebuild(void *arg, char kind, struct str line)
{
    struct sides *s = arg;

    if (kind == ' ' || kind == '-')
        sprintf(s->before + strlen(s->before), "%.*s\n", (int)line.n, line.p);
    if (kind == ' ' || kind == '+')
        sprintf(s->after + strlen(s->after), "%.*s\n", (int)line.n, line.p);
}

static void random_text(struct rng *rng, char *out)
{
    unsigned n = rng_below(rng, 5);

    out[0] = '\0';
    for (unsigned i = 0; i < n; i++)
        strcat(out, (const char *[]){"a\n", "b\n", "c\n"}[rng_below(rng, 3)]);
}

static void test_random_texts(void **state)
{
    struct rng rng = {.state = 7};

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        struct sides got = {"", ""};
        char a[100], b[100];

        random_text(&rng, a);
        random_text(&rng, b);
        if (!diff_texts(str_of(a), str_of(b), rebuild, &got)) {
            assert_string_equal(a, b);
            continue;
        }
        assert_string_equal(got.before, a);
        assert_string_equal(got.after, b);
    }
}

static char *many_lines(const char *word, unsigned n)
{
    char *text = malloc(n * 20 + 1), *at = text;

    for (unsigned i = 0; i < n; i++)
        at += sprintf(at, "%s %u\n", word, i);
    return text;
}

static void count(void *arg, char kind, struct str line)
{
    unsigned *counts = arg;

    (void)line;
    counts[0] += kind == '-';
    counts[1] += kind == '+';
}

static void test_nothing_in_common(void **state)
{
    char *a = many_lines("before", 3000), *b = many_lines("after", 4000);
    unsigned counts[2] = {0, 0};

    (void)state;
    assert_true(diff_texts(str_of(a), str_of(b), count, counts));
    assert_int_equal(counts[0], 3000);
    assert_int_equal(counts[1], 4000);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_nothing_in_common),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
