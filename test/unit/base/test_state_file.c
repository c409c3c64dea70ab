/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/state_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct state_kind kind = {"things", 3, 1000};
static char directory[64], path[96];

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "%s/frontdesk-state-XXXXXX", P_tmpdir);
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/file", directory);
    return 0;
}

static void remove_named(const char *suffix)
{
    char name[128];

    snprintf(name, sizeof name, "%s%s", path, suffix);
    unlink(name);
}

static int end(void **state)
{
    (void)state;
    chmod(directory, 0700);
    remove_named("");
    remove_named(".tmp");
    remove_named(".damaged");
    return rmdir(directory);
}

static void put_raw(struct str s)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(s.p, 1, s.n, f), s.n);
    assert_int_equal(fclose(f), 0);
}

static struct bytes get_raw(void)
{
    struct bytes b = {0};
    char buf[512];
    int fd = open(path, O_RDONLY);
    ssize_t n;

    assert_true(fd >= 0);
    while ((n = read(fd, buf, sizeof buf)) > 0)
        assert_true(bytes_add(&b, buf, (size_t)n));
    close(fd);
    return b;
}

static void write_text(const char *text)
{
    struct err e;

    assert_int_equal(state_file_write(path, &kind, str_of(text), &e), 0);
}

static enum state_result read_with(const struct state_kind *k, const char *expected)
{
    struct bytes b = {0};
    struct str content;
    struct err e = {""};
    enum state_result r = state_file_read(path, k, &b, &content, &e);

    if (r == STATE_READ && expected)
        assert_true(str_eq(content, str_of(expected)));
    if (r != STATE_READ)
        assert_true(str_starts(str_of(e.text), str_of(state_result_text(r))));
    bytes_free(&b);
    return r;
}

static void what_is_written_is_read(void **state)
{
    struct stat st;
    char temporary[128];

    (void)state;
    assert_int_equal(read_with(&kind, NULL), STATE_MISSING);
    write_text("one\ntwo");
    assert_int_equal(read_with(&kind, "one\ntwo"), STATE_READ);
    write_text("");
    assert_int_equal(read_with(&kind, ""), STATE_READ);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    assert_int_not_equal(access(temporary, F_OK), 0);
}

/* One that a killed process left behind. */
static void a_left_temporary_file_is_replaced(void **state)
{
    char temporary[128];
    FILE *f;

    (void)state;
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    f = fopen(temporary, "w");
    assert_non_null(f);
    assert_true(fputs("frontdesk thi", f) >= 0);
    assert_int_equal(fclose(f), 0);
    write_text("good");
    assert_int_equal(read_with(&kind, "good"), STATE_READ);
}

static void others_are_told_apart(void **state)
{
    static const struct state_kind other = {"thingies", 3, 1000}, newer = {"things", 4, 1000},
                                   smaller = {"things", 3, 2};
    static const struct {
        const char *name, *text;
        enum state_result result;
    } rows[] = {
        {"empty", "", STATE_CUT_SHORT},
        {"another program's", "{\"a\":1}", STATE_NOT_OURS},
        {"no kind", "frontdesk ", STATE_NOT_OURS},
        {"no version", "frontdesk things ", STATE_DAMAGED},
        {"a version in words", "frontdesk things three 1 ", STATE_DAMAGED},
        {"no length", "frontdesk things 3 ", STATE_DAMAGED},
        {"no sum", "frontdesk things 3 5 ", STATE_CUT_SHORT},
        {"length above all bounds", "frontdesk things 3 18446744073709551615 x", STATE_TOO_LARGE},
        {"length that overflows", "frontdesk things 3 18446744073709551616 x", STATE_DAMAGED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        put_raw(str_of(rows[i].text));
        if (read_with(&kind, NULL) != rows[i].result)
            fail_msg("%s: %s", rows[i].name, state_result_text(read_with(&kind, NULL)));
    }
    write_text("good");
    assert_int_equal(read_with(&other, NULL), STATE_NOT_OURS);
    assert_int_equal(read_with(&newer, NULL), STATE_OTHER_VERSION);
    assert_int_equal(read_with(&smaller, NULL), STATE_TOO_LARGE);
}

static void every_flipped_bit_is_refused(void **state)
{
    struct bytes b;

    (void)state;
    write_text("{\"some\": \"content\"}");
    b = get_raw();
    for (size_t i = 0; i < b.end * 8; i++) {
        b.p[i / 8] ^= (char)(1 << i % 8);
        put_raw(bytes_str(&b));
        if (read_with(&kind, NULL) == STATE_READ)
            fail_msg("bit %zu of byte %zu", i % 8, i / 8);
        b.p[i / 8] ^= (char)(1 << i % 8);
    }
    put_raw(bytes_str(&b));
    assert_int_equal(read_with(&kind, NULL), STATE_READ);
    bytes_free(&b);
}

static void every_cut_and_addition_is_refused(void **state)
{
    struct bytes b;

    (void)state;
    write_text("{\"some\": \"content\"}");
    b = get_raw();
    for (size_t n = 0; n < b.end; n++) {
        put_raw((struct str){b.p, n});
        if (read_with(&kind, NULL) == STATE_READ)
            fail_msg("the first %zu bytes", n);
    }
    assert_true(bytes_add(&b, "x", 1));
    put_raw(bytes_str(&b));
    assert_int_equal(read_with(&kind, NULL), STATE_DAMAGED);
    bytes_free(&b);
}

static void what_is_no_file_is_unreadable(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(read_with(&kind, NULL), STATE_UNREADABLE);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(read_with(&kind, NULL), STATE_UNREADABLE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(read_with(&kind, NULL), STATE_UNREADABLE);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    static const char text[1001] = {0};
    struct err e = {""};

    (void)state;
    write_text("old");
    assert_int_equal(state_file_write(path, &kind, (struct str){text, sizeof text}, &e), -1);
    assert_string_equal(e.text, "too large: 1001 bytes");
    assert_int_equal(read_with(&kind, "old"), STATE_READ);
    assert_int_equal(state_file_write("/nonexistent/file", &kind, STR("x"), &e), -1);
    assert_string_equal(e.text, "No such file or directory");
    /* Nor does it need anything but a name that cannot be made. */
    remove_named("");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(state_file_write(path, &kind, STR("x"), &e), -1);
    assert_string_equal(e.text, "Is a directory");
    assert_int_equal(rmdir(path), 0);
}

static noreturn void write_for_ever(void)
{
    static char text[60000];
    static const struct state_kind large = {"things", 3, sizeof text};
    struct err e;

    for (unsigned i = 0;; i++) {
        memset(text, 'a' + (int)(i % 26), sizeof text);
        if (state_file_write(path, &large, (struct str){text, sizeof text}, &e) != 0)
            _exit(1);
    }
}

/* Whenever a process is killed, and whenever somebody looks. */
static void killed_in_the_middle_of_writes(void **state)
{
    static const struct state_kind large = {"things", 3, 60000};

    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        pid_t pid = fork();
        unsigned reads = 0;

        if (pid == 0)
            write_for_ever();
        assert_true(pid > 0);
        while (reads < 1 + i % 5) {
            enum state_result r = read_with(&large, NULL);

            if (r != STATE_READ && (r != STATE_MISSING || i > 0))
                fail_msg("%s", state_result_text(r));
            reads += r == STATE_READ;
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(read_with(&large, NULL), STATE_READ);
    }
}

static void one_damaged_file_is_set_aside(void **state)
{
    char aside[128];
    struct err e;

    (void)state;
    snprintf(aside, sizeof aside, "%s.damaged", path);
    for (int i = 0; i < 2; i++) {
        put_raw(STR("rubbish"));
        assert_int_equal(state_file_set_aside(path, &e), 0);
        assert_int_equal(access(aside, F_OK), 0);
        assert_int_equal(read_with(&kind, NULL), STATE_MISSING);
    }
    assert_int_equal(state_file_set_aside(path, &e), -1);
}

static void directories_are_checked(void **state)
{
    struct err e = {""};

    (void)state;
    assert_int_equal(state_directory_check(directory, &e), 0);
    assert_int_equal(state_directory_check("/nonexistent", &e), -1);
    assert_string_equal(e.text, "No such file or directory");
    assert_int_equal(state_directory_check("/etc/passwd", &e), -1);
    assert_string_equal(e.text, "Not a directory");
    chmod(directory, 0500);
    if (geteuid() != 0) {
        assert_int_equal(state_directory_check(directory, &e), -1);
        assert_string_equal(e.text, "Permission denied");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, begin, end),
        cmocka_unit_test_setup_teardown(a_left_temporary_file_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(others_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(every_cut_and_addition_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_unreadable, begin, end),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_file, begin, end),
        cmocka_unit_test_setup_teardown(killed_in_the_middle_of_writes, begin, end),
        cmocka_unit_test_setup_teardown(one_damaged_file_is_set_aside, begin, end),
        cmocka_unit_test_setup_teardown(directories_are_checked, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
