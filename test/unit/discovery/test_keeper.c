/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/state_file.h"
#include "discovery/keeper.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct event_base *base;
static char directory[64], file[96], aside[128];

static int begin(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    base = event_base_new();
    snprintf(directory, sizeof directory, "%s/frontdesk-keeper-XXXXXX", P_tmpdir);
    if (!mkdtemp(directory))
        return -1;
    snprintf(file, sizeof file, "%s/catalog.answers", directory);
    snprintf(aside, sizeof aside, "%s.damaged", file);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(file);
    unlink(aside);
    event_base_free(base);
    return rmdir(directory);
}

static struct keeper *keeper_for(const char *origin, bool recall)
{
    struct keeper_options o = {.dir = directory, .origin = origin, .recall = recall};

    return keeper_new(base, &o);
}

static void assert_recalled(struct keeper *k, const char *key, const char *expected)
{
    struct bytes b = {0};
    int64_t heard_ms = 0;
    bool found = keeper_recall(k, key, &b, &heard_ms);

    assert_int_equal(found, expected != NULL);
    if (found) {
        assert_true(str_eq(bytes_str(&b), str_of(expected)));
        assert_true(clock_wall_ms() - heard_ms < 60000);
    }
    bytes_free(&b);
}

/* An earlier process, to its end. */
static void keep_one(const char *origin)
{
    struct keeper *k = keeper_for(origin, false);

    keeper_start(k);
    keeper_believe(k, "/a?", STR("[1]"));
    keeper_free(k);
}

static void the_end_writes_and_the_start_reads(void **state)
{
    struct keeper_status s;
    struct keeper *k;

    (void)state;
    keep_one("one");
    k = keeper_for("one", true);
    assert_recalled(k, "/a?", "[1]");
    assert_recalled(k, "/b?", NULL);
    keeper_status(k, &s);
    assert_string_equal(s.file, file);
    assert_true(s.recalled_ms > 0);
    assert_int_equal(s.answers, 1);
    assert_null(s.refused);
    assert_null(s.error);
    keeper_free(k);

    /* A running gateway that changes its settings asks Consul, not the disk. */
    k = keeper_for("one", false);
    assert_recalled(k, "/a?", NULL);
    keeper_free(k);
}

static void only_who_was_started_writes(void **state)
{
    struct keeper *k = keeper_for("one", true);

    (void)state;
    keeper_believe(k, "/a?", STR("[1]"));
    keeper_free(k);
    assert_int_not_equal(access(file, F_OK), 0);
}

static void a_change_is_written_within_seconds(void **state)
{
    struct keeper *k = keeper_for("one", true);
    uint64_t began = clock_now_ns();
    struct keeper_status s;

    (void)state;
    keeper_believe(k, "/a?", STR("[1]"));
    keeper_start(k);
    do {
        event_base_loop(base, EVLOOP_ONCE);
        keeper_status(k, &s);
    } while (s.written_ms == 0 && clock_now_ns() - began < 20 * NS_PER_S);
    assert_int_not_equal(s.written_ms, 0);
    assert_int_equal(access(file, F_OK), 0);
    keeper_free(k);
}

static void forgotten_and_confirmed(void **state)
{
    struct keeper *k;

    (void)state;
    keep_one("one");
    k = keeper_for("one", true);
    keeper_start(k);
    keeper_use(k, "/a?");
    keeper_forget(k, "/a?");
    assert_recalled(k, "/a?", NULL);
    keeper_believe(k, "/b?", STR("[2]"));
    keeper_confirm(k, "/b?");
    keeper_leave(k, "/a?");
    keeper_free(k);
    k = keeper_for("one", true);
    assert_recalled(k, "/a?", NULL);
    assert_recalled(k, "/b?", "[2]");
    keeper_free(k);
}

static void that_of_another_consul_is_left_alone(void **state)
{
    struct keeper_status s;
    struct keeper *k;

    (void)state;
    keep_one("one");
    k = keeper_for("two", true);
    keeper_start(k);
    assert_recalled(k, "/a?", NULL);
    keeper_status(k, &s);
    assert_string_equal(s.refused, "it is what another Consul said (one)");
    keeper_free(k);
    k = keeper_for("one", true);
    assert_recalled(k, "/a?", "[1]");
    keeper_free(k);
}

static void damaged_files_are_moved_aside(void **state)
{
    static const struct state_kind kind = {"answers", 1, 1000}, newer = {"answers", 2, 1000};
    static const struct {
        const char *name, *content, *refused;
        const struct state_kind *kind;
        bool moved;
    } rows[] = {
        {"malformed", "one\n1 1", "byte 4 is not the beginning of an answer", &kind, true},
        {"of another version", "one\n", "of another version", &newer, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keeper_status s;
        struct keeper *k;
        struct err e;

        unlink(aside);
        assert_int_equal(state_file_write(file, rows[i].kind, str_of(rows[i].content), &e), 0);
        k = keeper_for("one", true);
        keeper_status(k, &s);
        assert_non_null(s.refused);
        assert_true(str_starts(str_of(s.refused), str_of(rows[i].refused)));
        assert_int_equal(strstr(s.refused, aside) != NULL, rows[i].moved);
        assert_int_equal(access(aside, F_OK) == 0, rows[i].moved);
        keeper_free(k);
    }
}

static void a_failed_write_is_told(void **state)
{
    struct keeper *k = keeper_for("one", true);
    uint64_t began = clock_now_ns();
    struct keeper_status s;

    (void)state;
    log_set_level(LOG_ERROR);
    assert_int_equal(mkdir(file, 0700), 0);
    keeper_start(k);
    keeper_believe(k, "/a?", STR("[1]"));
    do {
        event_base_loop(base, EVLOOP_ONCE);
        keeper_status(k, &s);
    } while (!s.error && clock_now_ns() - began < 20 * NS_PER_S);
    assert_string_equal(s.error, "Is a directory");
    assert_int_equal(s.written_ms, 0);
    assert_int_equal(rmdir(file), 0);
    keeper_free(k);
    assert_int_equal(access(file, F_OK), 0);
}

static void without_a_keeper_nothing_happens(void **state)
{
    struct keeper_status s;

    (void)state;
    keeper_start(NULL);
    keeper_use(NULL, "/a?");
    keeper_believe(NULL, "/a?", STR("[1]"));
    keeper_confirm(NULL, "/a?");
    keeper_forget(NULL, "/a?");
    keeper_leave(NULL, "/a?");
    assert_recalled(NULL, "/a?", NULL);
    keeper_status(NULL, &s);
    assert_null(s.file);
    keeper_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_end_writes_and_the_start_reads, begin, end),
        cmocka_unit_test_setup_teardown(only_who_was_started_writes, begin, end),
        cmocka_unit_test_setup_teardown(a_change_is_written_within_seconds, begin, end),
        cmocka_unit_test_setup_teardown(forgotten_and_confirmed, begin, end),
        cmocka_unit_test_setup_teardown(that_of_another_consul_is_left_alone, begin, end),
        cmocka_unit_test_setup_teardown(damaged_files_are_moved_aside, begin, end),
        cmocka_unit_test_setup_teardown(a_failed_write_is_told, begin, end),
        cmocka_unit_test_setup_teardown(without_a_keeper_nothing_happens, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
