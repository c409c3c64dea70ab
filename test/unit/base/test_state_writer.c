/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/state_writer.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct state_kind kind = {"things", 1, 1000};

struct scene {
    struct event_base *base;
    char directory[64], path[96];
    unsigned told;
    char error[128];
};

static void on_written(void *arg, const char *error)
{
    struct scene *s = arg;

    s->told++;
    snprintf(s->error, sizeof s->error, "%s", error ? error : "");
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    if (!s)
        return -1;
    s->base = event_base_new();
    snprintf(s->directory, sizeof s->directory, "%s/frontdesk-writer-XXXXXX", P_tmpdir);
    if (!mkdtemp(s->directory))
        return -1;
    snprintf(s->path, sizeof s->path, "%s/file", s->directory);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;
    char temporary[128];
    int ret;

    snprintf(temporary, sizeof temporary, "%s.tmp", s->path);
    unlink(s->path);
    unlink(temporary);
    ret = rmdir(s->directory);
    event_base_free(s->base);
    free(s);
    return ret;
}

static void put(struct state_writer *w, const char *text)
{
    struct bytes b = {0};

    assert_true(bytes_add_str(&b, str_of(text)));
    state_writer_put(w, &b);
    assert_null(b.p);
}

static void assert_file(const struct scene *s, const char *expected)
{
    struct bytes b = {0};
    struct str content;
    struct err e;

    assert_int_equal(state_file_read(s->path, &kind, &b, &content, &e), STATE_READ);
    assert_true(str_eq(content, str_of(expected)));
    bytes_free(&b);
}

static void a_write_is_told_to_the_loop(void **state)
{
    struct scene *s = *state;
    struct state_writer *w = state_writer_new(s->base, s->path, &kind, on_written, s);
    struct err e = {""};

    assert_false(state_writer_busy(w));
    put(w, "one");
    assert_true(state_writer_busy(w));
    assert_int_equal(s->told, 0);
    event_base_loop(s->base, EVLOOP_ONCE);
    assert_int_equal(s->told, 1);
    assert_string_equal(s->error, "");
    assert_false(state_writer_busy(w));
    assert_file(s, "one");
    assert_true(state_writer_free(w, 1000, &e));
    assert_int_equal(s->told, 1);
}

static void the_latest_wins(void **state)
{
    struct scene *s = *state;
    struct state_writer *w = state_writer_new(s->base, s->path, &kind, NULL, NULL);
    struct err e = {""};
    char text[16];

    for (unsigned i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "%u", i);
        put(w, text);
    }
    assert_true(state_writer_free(w, 10000, &e));
    assert_file(s, "499");
}

static void a_failure_is_told_and_the_next_may_succeed(void **state)
{
    struct scene *s = *state;
    struct state_writer *w = state_writer_new(s->base, s->path, &kind, on_written, s);
    struct err e = {""};

    assert_int_equal(mkdir(s->path, 0700), 0);
    put(w, "one");
    event_base_loop(s->base, EVLOOP_ONCE);
    assert_string_equal(s->error, "Is a directory");
    assert_int_equal(rmdir(s->path), 0);
    put(w, "two");
    event_base_loop(s->base, EVLOOP_ONCE);
    assert_int_equal(s->told, 2);
    assert_string_equal(s->error, "");
    assert_true(state_writer_free(w, 1000, &e));
    assert_file(s, "two");
}

static void the_last_failure_is_known_at_the_end(void **state)
{
    struct scene *s = *state;
    struct state_writer *w = state_writer_new(s->base, "/nonexistent/file", &kind, on_written, s);
    struct err e = {""};

    put(w, "one");
    assert_false(state_writer_free(w, 10000, &e));
    assert_string_equal(e.text, "No such file or directory");
    assert_int_equal(s->told, 0);
}

/* Without any time to wait, a healthy disk is as good as one that hangs (unless it was quick). */
static void who_hangs_is_left_to_itself(void **state)
{
    struct scene *s = *state;
    struct state_writer *w = state_writer_new(s->base, s->path, &kind, on_written, s);
    struct err e = {""};

    put(w, "one");
    if (!state_writer_free(w, 0, &e))
        assert_string_equal(e.text, "not written within 0 ms");
    for (unsigned i = 0; i < 1000 && access(s->path, F_OK) != 0; i++)
        usleep(1000);
    assert_file(s, "one");
}

static void free_without_a_put(void **state)
{
    struct scene *s = *state;
    struct err e = {""};

    assert_true(state_writer_free(NULL, 0, &e));
    assert_true(state_writer_free(state_writer_new(s->base, s->path, &kind, NULL, NULL), 0, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_write_is_told_to_the_loop, begin, end),
        cmocka_unit_test_setup_teardown(the_latest_wins, begin, end),
        cmocka_unit_test_setup_teardown(a_failure_is_told_and_the_next_may_succeed, begin, end),
        cmocka_unit_test_setup_teardown(the_last_failure_is_known_at_the_end, begin, end),
        cmocka_unit_test_setup_teardown(who_hangs_is_left_to_itself, begin, end),
        cmocka_unit_test_setup_teardown(free_without_a_put, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
