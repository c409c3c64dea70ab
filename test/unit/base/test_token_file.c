/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/token_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = P_tmpdir "/frontdesk-token-XXXXXX";

static int begin(void **state)
{
    int fd;

    (void)state;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_token(const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void fixed_token(void **state)
{
    struct token_file *t = token_file_new("test", NULL, "  s3cret ");

    (void)state;
    assert_string_equal(token_file_text(t), "s3cret");
    assert_false(token_file_refresh(t, true));
    token_file_free(t);
    t = token_file_new("test", NULL, NULL);
    assert_string_equal(token_file_text(t), "");
    token_file_free(t);
}

static void not_a_header_value(void **state)
{
    struct token_file *t = token_file_new("test", NULL, "a\r\nX-Evil: 1");

    (void)state;
    assert_string_equal(token_file_text(t), "");
    token_file_free(t);
}

static void file_is_trimmed_and_read_again(void **state)
{
    struct token_file *t;

    (void)state;
    write_token("one\n");
    t = token_file_new("test", path, "fixed");
    assert_string_equal(token_file_text(t), "one");
    write_token("two\n\n");
    assert_true(token_file_refresh(t, true));
    assert_string_equal(token_file_text(t), "two");
    assert_false(token_file_refresh(t, true));
    assert_false(token_file_refresh(t, false));
    token_file_free(t);
}

static void bad_file_leaves_the_last_token(void **state)
{
    struct token_file *t;

    (void)state;
    write_token("one");
    t = token_file_new("test", path, NULL);
    write_token(" \n");
    assert_false(token_file_refresh(t, true));
    assert_string_equal(token_file_text(t), "one");
    assert_int_equal(unlink(path), 0);
    assert_false(token_file_refresh(t, true));
    assert_string_equal(token_file_text(t), "one");
    write_token("two");
    assert_true(token_file_refresh(t, false));
    token_file_free(t);
}

static void another_token_is_put(void **state)
{
    struct token_file *t = token_file_new("test", NULL, NULL);

    (void)state;
    assert_true(token_file_put(t, "first"));
    assert_string_equal(token_file_text(t), "first");
    assert_false(token_file_put(t, "two words"));
    assert_false(token_file_put(t, ""));
    assert_string_equal(token_file_text(t), "first");
    assert_true(token_file_put(t, "a"));
    assert_string_equal(token_file_text(t), "a");
    token_file_free(t);
}

static void token_is_masked(void **state)
{
    struct token_file *t = token_file_new("test", NULL, "abc");
    char text[] = "403: abc is not abcabc";

    (void)state;
    token_file_mask(t, text);
    assert_string_equal(text, "403: *** is not ******");
    token_file_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_token),
        cmocka_unit_test(not_a_header_value),
        cmocka_unit_test_setup_teardown(file_is_trimmed_and_read_again, begin, end),
        cmocka_unit_test_setup_teardown(bad_file_leaves_the_last_token, begin, end),
        cmocka_unit_test(another_token_is_put),
        cmocka_unit_test(token_is_masked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
