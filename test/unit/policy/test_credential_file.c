/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/credential_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/frontdesk-test-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void test_reading(void **state)
{
    struct str text = STR_NULL;
    struct err e;
    char *owned;

    (void)state;
    write_file("a\0b", 3);
    owned = credential_file_read(path, 3, &text, &e);
    assert_true(str_eq(text, STR("a\0b")));
    credential_text_free(owned, text);
    assert_null(credential_file_read(path, 2, &text, &e));
    assert_non_null(strstr(e.text, "/file: is too large"));
    write_file("", 0);
    owned = credential_file_read(path, 3, &text, &e);
    assert_non_null(owned);
    assert_int_equal(text.n, 0);
    credential_text_free(owned, text);
    assert_null(credential_file_read(folder, 3, &text, &e));
    assert_non_null(strstr(e.text, "is not a file"));
    assert_null(credential_file_read("/nowhere/at/all", 3, &text, &e));
    assert_string_equal(e.text, "/nowhere/at/all: No such file or directory");
    credential_text_free(NULL, STR_NULL);
}

static void test_pepper(void **state)
{
    static const struct {
        const char *file, *pepper; /* NULL = refused */
    } rows[] = {
        {"0123456789abcdef", "0123456789abcdef"},
        {"0123456789abcdef\n", "0123456789abcdef"},
        {"0123456789abcdef\r\n", "0123456789abcdef"},
        {" 0123456789abcdef ", " 0123456789abcdef "},
        {"0123456789abcde\n", NULL},
        {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str pepper = STR_NULL;
        struct err e;
        char *owned;

        write_file(rows[i].file, strlen(rows[i].file));
        owned = credential_pepper_read(path, &pepper, &e);
        if ((owned != NULL) != (rows[i].pepper != NULL) ||
            (owned && !str_eq(pepper, str_of(rows[i].pepper))))
            fail_msg("row %zu", i);
        credential_text_free(owned, pepper);
    }
}

static void test_looks(void **state)
{
    struct file_look look = {.size = 0};
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000}};

    (void)state;
    unlink(path);
    assert_false(file_look_changed(NULL, &look));
    assert_false(file_look_changed(path, &look));
    write_file("a", 1);
    assert_true(file_look_changed(path, &look));
    assert_false(file_look_changed(path, &look));
    /* The time alone, with the same size. */
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_true(file_look_changed(path, &look));
    assert_false(file_look_changed(path, &look));
    /* The size alone, with the same time. */
    write_file("ab", 2);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_true(file_look_changed(path, &look));
    unlink(path);
    assert_true(file_look_changed(path, &look));
    assert_false(file_look_changed(path, &look));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_pepper),
        cmocka_unit_test(test_looks),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
