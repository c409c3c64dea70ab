/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "proxy/access_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[80], moved[80];
static struct access_log *opened;
static struct access_log_buffer *buffer;

static int begin(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "%s/frontdesk-log-XXXXXX", P_tmpdir);
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/access.log", dir);
    snprintf(moved, sizeof moved, "%s/access.log.1", dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    unlink(moved);
    rmdir(dir);
    return 0;
}

static void open_log(const char *where)
{
    struct err e = {""};

    opened = access_log_open(where, &e);
    if (!opened)
        fail_msg("%s", e.text);
    buffer = access_log_buffer_new(opened);
}

static void close_log(void)
{
    access_log_buffer_free(buffer);
    access_log_close(opened);
}

/* The whole file, NUL-terminated; "" when there is none. */
static const char *content(const char *where)
{
    static char text[256 * 1024];
    int fd = open(where, O_RDONLY);
    ssize_t n = 0, all = 0;

    while (fd >= 0 && (n = read(fd, text + all, sizeof text - 1 - (size_t)all)) > 0)
        all += n;
    if (fd >= 0)
        close(fd);
    text[all] = '\0';
    return text;
}

static void line(const char *name, const char *value)
{
    log_line_begin(buffer);
    log_line_str(buffer, name, str_of(value));
    log_line_end(buffer);
}

static void wait_for_drops(uint64_t n)
{
    uint64_t until = clock_now_ns() + 5 * NS_PER_S;

    while (access_log_dropped(opened) < n && clock_now_ns() < until)
        sched_yield();
}

static void members(void **state)
{
    (void)state;
    open_log(path);
    log_line_begin(buffer);
    log_line_end(buffer);
    log_line_begin(buffer);
    log_line_str(buffer, "path", STR("/orders/7"));
    log_line_str(buffer, "none", STR_NULL);
    log_line_num(buffer, "least", INT64_MIN);
    log_line_num(buffer, "most", INT64_MAX);
    log_line_bool(buffer, "yes", true);
    log_line_bool(buffer, "no", false);
    log_line_ms(buffer, "zero", 0);
    log_line_ms(buffer, "short", 1999);
    log_line_ms(buffer, "long", 61 * NS_PER_S + 7005 * 1000);
    log_line_ms(buffer, "longest", UINT64_MAX);
    log_line_end(buffer);
    close_log();
    assert_string_equal(content(path), "{}\n{\"path\":\"/orders/7\",\"none\":\"\","
                                       "\"least\":-9223372036854775808,"
                                       "\"most\":9223372036854775807,\"yes\":true,\"no\":false,"
                                       "\"zero\":0.000,"
                                       "\"short\":0.001,\"long\":61007.005,"
                                       "\"longest\":18446744073709.551}\n");
}

static void escapes(void **state)
{
    static const struct {
        const char *value, *wanted;
    } rows[] = {
        {"a b", "a b"},
        {"\"", "\\\""},
        {"\\", "\\\\"},
        {"\\u0041", "\\\\u0041"},
        {"\"}\n{\"x\":\"", "\\\"}\\u000a{\\\"x\\\":\\\""},
        {"\r\n\t\x01\x1f", "\\u000d\\u000a\\u0009\\u0001\\u001f"},
        {"\x7f", "\\u007f"},
        {"\xc3\xa4\xff", "\\u00c3\\u00a4\\u00ff"},
        {"~ /<>&'", "~ /<>&'"},
    };
    char wanted[1024] = "";

    (void)state;
    open_log(path);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = strlen(wanted);

        line("v", rows[i].value);
        snprintf(wanted + n, sizeof wanted - n, "{\"v\":\"%s\"}\n", rows[i].wanted);
    }
    close_log();
    assert_string_equal(content(path), wanted);
}

/* One byte of a JSON string, as it was before the escaping. */
static int unescape(const char **p)
{
    unsigned c = (unsigned char)*(*p)++;

    if (c != '\\')
        return (int)c;
    if (*(*p) != 'u')
        return (unsigned char)*(*p)++;
    assert_int_equal(sscanf(*p, "u%4x", &c), 1);
    *p += 5;
    return (int)c;
}

static void every_byte_comes_back(void **state)
{
    char all[256];
    const char *p;

    (void)state;
    for (int c = 0; c < 256; c++)
        all[c] = (char)c;
    open_log(path);
    log_line_begin(buffer);
    log_line_str(buffer, "v", (struct str){all, sizeof all});
    log_line_end(buffer);
    close_log();
    p = content(path);
    for (const char *q = p; *q; q++)
        assert_true((*q >= 0x20 && *q < 0x7f) || (*q == '\n' && !q[1]));
    assert_int_equal(strncmp(p, "{\"v\":\"", 6), 0);
    p += 6;
    for (int c = 0; c < 256; c++)
        assert_int_equal(unescape(&p), c);
    assert_string_equal(p, "\"}\n");
}

static void a_long_value_leaves_room_for_the_rest(void **state)
{
    char *value = malloc(100000);

    (void)state;
    memset(value, '\n', 100000);
    open_log(path);
    log_line_begin(buffer);
    log_line_str(buffer, "path", (struct str){value, 100000});
    log_line_num(buffer, "status", 200);
    log_line_end(buffer);
    assert_int_equal(access_log_dropped(opened), 0);
    close_log();
    assert_non_null(strstr(content(path), "\\u000a\",\"status\":200}\n"));
    free(value);
}

static void an_endless_line_is_dropped_alone(void **state)
{
    char value[2048];

    (void)state;
    memset(value, '\n', sizeof value);
    open_log(path);
    line("n", "before");
    log_line_begin(buffer);
    for (int i = 0; i < 10; i++)
        log_line_str(buffer, "x", (struct str){value, sizeof value});
    log_line_end(buffer);
    assert_int_equal(access_log_dropped(opened), 1);
    line("n", "after");
    close_log();
    assert_string_equal(content(path), "{\"n\":\"before\"}\n{\"n\":\"after\"}\n");
}

static void nothing_but_an_endless_line(void **state)
{
    char value[2048];

    (void)state;
    memset(value, '\n', sizeof value);
    open_log(path);
    log_line_begin(buffer);
    for (int i = 0; i < 10; i++)
        log_line_str(buffer, "x", (struct str){value, sizeof value});
    log_line_end(buffer);
    close_log();
    assert_string_equal(content(path), "");
}

static void appends(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        open_log(path);
        line("n", "x");
        close_log();
    }
    assert_string_equal(content(path), "{\"n\":\"x\"}\n{\"n\":\"x\"}\n");
}

static void flushes_by_itself_when_full(void **state)
{
    char value[1001];
    unsigned lines = 0;

    (void)state;
    memset(value, 'x', 1000);
    value[1000] = '\0';
    open_log(path);
    for (int i = 0; i < 200; i++)
        line("v", value);
    close_log();
    for (const char *p = content(path); *p; p = strchr(p, '\n') + 1, lines++)
        assert_int_equal(strncmp(p, "{\"v\":\"xxx", 9), 0);
    assert_int_equal(lines, 200);
}

static void reopened_after_a_rotation(void **state)
{
    char both[256];

    (void)state;
    open_log(path);
    line("n", "old");
    access_log_flush(buffer);
    assert_int_equal(rename(path, moved), 0);
    access_log_reopen(opened);
    line("n", "new");
    close_log();
    assert_non_null(strstr(content(path), "{\"n\":\"new\"}\n"));
    snprintf(both, sizeof both, "%s", content(moved));
    strncat(both, content(path), sizeof both - strlen(both) - 1);
    assert_string_equal(both, "{\"n\":\"old\"}\n{\"n\":\"new\"}\n");
}

static void a_failed_reopen_keeps_the_old_file(void **state)
{
    char away[80], file[100];

    (void)state;
    snprintf(away, sizeof away, "%s.away", dir);
    snprintf(file, sizeof file, "%s/access.log", away);
    open_log(path);
    assert_int_equal(rename(dir, away), 0);
    access_log_reopen(opened);
    line("n", "kept");
    close_log();
    assert_string_equal(content(file), "{\"n\":\"kept\"}\n");
    assert_int_equal(rename(away, dir), 0);
}

static void cannot_be_opened(void **state)
{
    char bad[100];
    struct err e = {""};

    (void)state;
    snprintf(bad, sizeof bad, "%s/no/such/dir.log", dir);
    assert_null(access_log_open(bad, &e));
    assert_non_null(strstr(e.text, bad));
    access_log_close(NULL);
    access_log_buffer_free(NULL);
}

static void full_disk(void **state)
{
    (void)state;
    open_log("/dev/full");
    for (int i = 0; i < 3; i++)
        line("n", "lost");
    access_log_flush(buffer);
    wait_for_drops(3);
    assert_int_equal(access_log_dropped(opened), 3);
    close_log();
}

static void limit_files(rlim_t bytes)
{
    struct rlimit l;

    getrlimit(RLIMIT_FSIZE, &l);
    l.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &l);
}

/* The disk is full in the middle of the third line, and has room again later: the rest of that
 * line is missing, all others are whole. */
static void full_disk_in_the_middle_of_a_line(void **state)
{
    struct rlimit before;

    (void)state;
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    open_log(path);
    for (int i = 0; i < 4; i++)
        line("n", "x");
    limit_files(25);
    access_log_flush(buffer);
    wait_for_drops(2);
    assert_int_equal(access_log_dropped(opened), 2);
    line("n", "lost");
    access_log_flush(buffer);
    wait_for_drops(3);
    limit_files(before.rlim_cur);
    line("n", "y");
    line("n", "z");
    close_log();
    assert_string_equal(content(path), "{\"n\":\"x\"}\n{\"n\":\"x\"}\n{\"n\":\n"
                                       "{\"n\":\"y\"}\n{\"n\":\"z\"}\n");
}

static void standard_output(void **state)
{
    char text[64] = "";
    int fds[2], out;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    fflush(stdout);
    out = dup(STDOUT_FILENO);
    dup2(fds[1], STDOUT_FILENO);
    open_log("stdout");
    access_log_reopen(opened);
    line("n", "x");
    close_log();
    dup2(out, STDOUT_FILENO);
    close(out);
    close(fds[1]);
    assert_int_equal(read(fds[0], text, sizeof text - 1), 10);
    assert_string_equal(text, "{\"n\":\"x\"}\n");
    close(fds[0]);
}

/* Reads a pipe to its end; the number of whole lines. */
static void *count_lines(void *arg)
{
    static char text[65536];
    static size_t lines;
    int fd = *(int *)arg;
    ssize_t n;

    lines = 0;
    while ((n = read(fd, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < n; i++)
            lines += text[i] == '\n';
    return &lines;
}

/* Nobody reads the pipe: writing a line never blocks, and each one is either delivered or counted
 * as dropped. */
static void a_pipe_that_nobody_reads(void **state)
{
    enum { LINES = 10000 };
    char value[1501];
    uint64_t dropped;
    pthread_t reader;
    void *lines;
    int fd;

    (void)state;
    memset(value, 'x', 1500);
    value[1500] = '\0';
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDONLY | O_NONBLOCK);
    open_log(path);
    for (int i = 0; i < LINES; i++)
        line("v", value);
    access_log_flush(buffer);
    dropped = access_log_dropped(opened);
    assert_in_range(dropped, 3000, 5000); /* of 15 MB, some 8 wait */
    fcntl(fd, F_SETFL, 0);
    assert_int_equal(pthread_create(&reader, NULL, count_lines, &fd), 0);
    close_log();
    pthread_join(reader, &lines);
    assert_int_equal(*(size_t *)lines + dropped, LINES);
    close(fd);
}

enum { WORKERS = 4, EACH = 300 };

static void *write_lines(void *arg)
{
    struct access_log_buffer *mine = access_log_buffer_new(opened);
    const char *name = arg;

    for (int i = 0; i < EACH; i++) {
        log_line_begin(mine);
        log_line_str(mine, "worker", str_of(name));
        log_line_num(mine, "n", i);
        log_line_end(mine);
        if (i % 7 == 0)
            access_log_flush(mine);
    }
    access_log_buffer_free(mine);
    return NULL;
}

/* The lines of a worker keep their order, none is lost or torn, while the file is reopened. */
static void workers_at_once(void **state)
{
    static char names[WORKERS][4] = {"a", "b", "c", "d"};
    int next[WORKERS] = {0}, n, seen = 0;
    pthread_t ids[WORKERS];
    const char *p;
    char name;

    (void)state;
    open_log(path);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, write_lines, names[i]), 0);
    for (int i = 0; i < 50; i++)
        access_log_reopen(opened);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(ids[i], NULL);
    close_log();
    for (p = content(path); *p; p = strchr(p, '\n') + 1, seen++) {
        assert_int_equal(sscanf(p, "{\"worker\":\"%c\",\"n\":%d}\n", &name, &n), 2);
        assert_in_range(name, 'a', 'd');
        assert_int_equal(n, next[name - 'a']++);
    }
    assert_int_equal(seen, WORKERS * EACH);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(members),
        T(escapes),
        T(every_byte_comes_back),
        T(a_long_value_leaves_room_for_the_rest),
        T(an_endless_line_is_dropped_alone),
        T(nothing_but_an_endless_line),
        T(appends),
        T(flushes_by_itself_when_full),
        T(reopened_after_a_rotation),
        T(a_failed_reopen_keeps_the_old_file),
        T(cannot_be_opened),
        T(full_disk),
        T(full_disk_in_the_middle_of_a_line),
        T(standard_output),
        T(a_pipe_that_nobody_reads),
        T(workers_at_once),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
