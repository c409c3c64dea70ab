/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int saved_stderr, pipe_fd;

/* Standard error becomes a pipe that the test reads. */
static int begin(void **state)
{
    int fds[2];

    (void)state;
    unsetenv("JOURNAL_STREAM");
    log_set_level(LOG_DEBUG);
    if (pipe2(fds, O_NONBLOCK) < 0)
        return -1;
    fcntl(fds[0], F_SETPIPE_SZ, 1024 * 1024);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    pipe_fd = fds[0];
    return 0;
}

static int end(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_fd);
    unsetenv("JOURNAL_STREAM");
    log_set_level(LOG_INFO);
    return 0;
}

/* What was written since the last call. */
static const char *written(void)
{
    static char text[512 * 1024];
    ssize_t n = 0, all = 0;

    while ((n = read(pipe_fd, text + all, sizeof text - 1 - (size_t)all)) > 0)
        all += n;
    text[all] = '\0';
    return text;
}

static void lines(void **state)
{
    const char *got;
    int year, n = 0;

    (void)state;
    log_warn("discovery", "service=%s: %d instances left", "orders", 2);
    got = written();
    assert_int_equal(sscanf(got, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ%n", &year, &n), 1);
    assert_int_equal(n, 24);
    assert_string_equal(got + n, " warn discovery: service=orders: 2 instances left\n");
}

static void journal_lines(void **state)
{
    static const struct {
        enum log_level level;
        const char *wanted;
    } rows[] = {
        {LOG_DEBUG, "<7>debug area: text\n"},
        {LOG_INFO, "<6>info area: text\n"},
        {LOG_WARN, "<4>warn area: text\n"},
        {LOG_ERROR, "<3>error area: text\n"},
    };

    (void)state;
    setenv("JOURNAL_STREAM", "8:1", 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        log_write(rows[i].level, "area", "text");
        assert_string_equal(written(), rows[i].wanted);
    }
}

/* No byte of the text may end the line, move the cursor or forge another line. */
static void control_bytes_are_escaped(void **state)
{
    char text[256];
    size_t n = 0, newlines = 0;
    const char *got;

    (void)state;
    for (int c = 1; c < 256; c++)
        text[n++] = (char)c;
    text[n] = '\0';
    setenv("JOURNAL_STREAM", "8:1", 1);
    log_info("area", "x%s\n<3>error forged: y", text);
    got = written();
    assert_int_equal(strncmp(got, "<6>info area: x", 15), 0);
    assert_non_null(strstr(got, "ABC"));
    for (const char *p = got; *p; p++) {
        newlines += *p == '\n';
        if (*p != '\n' && ((unsigned char)*p < 0x20 || *p == 0x7f))
            fail_msg("byte %#x reached the log", (unsigned)*p);
    }
    assert_int_equal(newlines, 1);
    assert_int_equal(got[strlen(got) - 1], '\n');
}

static void long_texts_are_cut_but_end_the_line(void **state)
{
    char *text = malloc(10001);
    const char *got;

    (void)state;
    memset(text, 'x', 10000);
    text[10000] = '\0';
    log_error("area", "%s", text);
    got = written();
    assert_in_range(strlen(got), 2000, 2300);
    assert_int_equal(got[strlen(got) - 1], '\n');
    free(text);
}

static void levels(void **state)
{
    (void)state;
    assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
    assert_int_equal(log_level_parse("info"), LOG_INFO);
    assert_int_equal(log_level_parse("warn"), LOG_WARN);
    assert_int_equal(log_level_parse("error"), LOG_ERROR);
    assert_int_equal(log_level_parse("warning"), -1);
    assert_int_equal(log_level_parse(""), -1);
    log_set_level(LOG_WARN);
    log_debug("area", "no");
    log_info("area", "no");
    assert_string_equal(written(), "");
    log_warn("area", "yes");
    assert_non_null(strstr(written(), "yes"));
}

static void *write_many(void *arg)
{
    for (int i = 0; i < 200; i++)
        log_info("thread", "%s", (const char *)arg);
    return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
    static char texts[][24] = {"aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb"};
    pthread_t ids[2];
    char *line, *rest;
    int n = 0;

    (void)state;
    setenv("JOURNAL_STREAM", "8:1", 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, write_many, texts[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(ids[i], NULL);
    rest = (char *)written();
    while ((line = strsep(&rest, "\n")) && *line) {
        n++;
        if (strcmp(line, "<6>info thread: aaaaaaaaaaaaaaaaaaaa") != 0 &&
            strcmp(line, "<6>info thread: bbbbbbbbbbbbbbbbbbbb") != 0)
            fail_msg("%s", line);
    }
    assert_int_equal(n, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines, begin, end),
        cmocka_unit_test_setup_teardown(journal_lines, begin, end),
        cmocka_unit_test_setup_teardown(control_bytes_are_escaped, begin, end),
        cmocka_unit_test_setup_teardown(long_texts_are_cut_but_end_the_line, begin, end),
        cmocka_unit_test_setup_teardown(levels, begin, end),
        cmocka_unit_test_setup_teardown(threads_do_not_mix_lines, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
