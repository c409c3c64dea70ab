/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/breakers_text.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"

static const struct term plain = {.utf8 = false};

static const char list_text[] =
    "[{\"service\": \"calm\", \"state\": \"closed\", \"rejected\": 0},"
    " {\"service\": \"off\", \"state\": \"disabled\", \"machine\": \"closed\", \"forced\": null},"
    " {\"service\": \"open\", \"state\": \"open\", \"since_ms_ago\": 61000, \"rejected\": 7,"
    "  \"reopens_in_ms\": 4000, \"last_trip\": {\"cause\": \"failure_rate\", \"failed\": 12,"
    "  \"total\": 20, \"window_ms\": 10000}},"
    " {\"service\": \"pair\", \"state\": \"closed\", \"rejected\": 0, \"instances\": ["
    "  {\"id\": \"p-1\", \"state\": \"closed\"},"
    "  {\"id\": \"p-2\", \"state\": \"forced_open\", \"since_ms_ago\": 2000, \"forced\": {"
    "   \"state\": \"forced_open\", \"ends_in_ms\": 60000, \"author\": \"anna\", \"why\": "
    "\"disk\"}}]},"
    " {\"service\": \"held\", \"state\": \"shadow\", \"machine\": \"open\", \"rejected\": 0,"
    "  \"would_reject\": 5, \"forced\": {\"state\": \"shadow\", \"ends_in_ms\": 1000,"
    "  \"author\": \"bert\", \"why\": \"\", \"scope\": \"fleet\"}}]";

static void test_table(void **state)
{
    json_t *list = json_loads(list_text, 0, NULL);
    struct capture c;

    (void)state;
    assert_non_null(list);
    capture_begin(&c);
    assert_true(breakers_table(c.out, &plain, list, false));
    assert_string_equal(
        capture_end(&c),
        "SERVICE                  STATE         SINCE      REJECTED\n"
        "open                     open          1m1s              7  failure_rate 12/20 in 10s, "
        "probes in 4s\n"
        "pair                     closed        -                 0\n"
        "  p-2                    forced_open   2s                   1m left, by anna: disk\n"
        "held                     shadow        -                 0  1s left (fleet), by bert  "
        "machine open, would have rejected 5\n"
        "2 more are closed\n");
    capture_free(&c);
    capture_begin(&c);
    assert_true(breakers_table(c.out, &plain, list, true));
    assert_non_null(strstr(capture_end(&c), "\ncalm  "));
    assert_null(strstr(c.text, "p-1"));
    assert_null(strstr(c.text, "more"));
    capture_free(&c);
    json_decref(list);
}

static void test_all_closed(void **state)
{
    json_t *list = json_loads("[{\"service\": \"a\", \"state\": \"closed\"},"
                              " {\"service\": \"b\", \"state\": \"closed\"}]",
                              0, NULL);
    json_t *none = json_array();
    struct capture c;

    (void)state;
    capture_begin(&c);
    assert_false(breakers_table(c.out, &plain, list, false));
    assert_false(breakers_table(c.out, &plain, none, true));
    assert_string_equal(capture_end(&c), "all 2 breakers are closed\nthere are no services\n");
    capture_free(&c);
    json_decref(list);
    json_decref(none);
}

static void test_exit(void **state)
{
    static const struct {
        const char *doc;
        int exit;
    } rows[] = {
        {"{\"breakers\": []}", 0},
        {"{\"breakers\": [{\"state\": \"closed\"}, {\"state\": \"disabled\"}]}", 0},
        {"{\"breakers\": [{\"state\": \"closed\"}, {\"state\": \"half_open\"}]}", 3},
        {"{\"breakers\": [{\"state\": \"shadow\", \"machine\": \"closed\"}]}", 0},
        {"{\"breakers\": [{\"state\": \"shadow\", \"machine\": \"open\"}]}", 3},
        {"{\"breakers\": [{\"state\": \"disabled\", \"forced\": {\"state\": \"disabled\"}}]}", 3},
        {"{\"state\": \"closed\", \"instances\": [{\"state\": \"closed\"}]}", 0},
        {"{\"state\": \"closed\", \"instances\": [{\"state\": \"open\"}]}", 3},
        {"{\"state\": \"forced_closed\"}", 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *doc = json_loads(rows[i].doc, 0, NULL);

        if (breakers_exit(doc) != rows[i].exit)
            fail_msg("%s", rows[i].doc);
        json_decref(doc);
    }
}

static void test_one_service_with_its_timeline(void **state)
{
    json_t *doc = json_loads(
        "{\"service\": \"orders\", \"state\": \"closed\", \"rejected\": 3, \"trips\": 1,"
        " \"trips_in_a_row\": 0, \"window\": {\"total\": 9, \"failed\": 1, \"slow\": 2},"
        " \"instances\": [{\"id\": \"o-1\", \"state\": \"closed\"}],"
        " \"transitions\": ["
        "  {\"at\": \"T3\", \"from\": \"half_open\", \"to\": \"closed\", \"cause\": "
        "\"probes_passed\"},"
        "  {\"at\": \"T2\", \"from\": \"closed\", \"to\": \"forced_open\", \"cause\": \"operator\","
        "   \"instance\": \"o-1\", \"author\": \"anna\", \"why\": \"disk \\u001b[2J\"},"
        "  {\"at\": \"T1\", \"from\": \"closed\", \"to\": \"open\", \"cause\": \"slow_call_rate\","
        "   \"slow\": 4, \"failed\": 1, \"total\": 8, \"window_ms\": 5000, \"shadow\": true}]}",
        0, NULL);
    struct capture c;

    (void)state;
    assert_non_null(doc);
    capture_begin(&c);
    assert_false(breakers_one(c.out, &plain, doc));
    assert_string_equal(
        capture_end(&c),
        "SERVICE                  STATE         SINCE      REJECTED\n"
        "orders                   closed        -                 3\n"
        "  o-1                    closed        -\n"
        "\nwindow now: 9 requests, 1 failed, 2 slow; trips 1, in a row 0\n"
        "\nwhat has happened, the newest first:\n"
        "T3  half_open -> closed         probes_passed\n"
        "T2  closed -> forced_open    operator  instance o-1  by anna: disk ?[2J\n"
        "T1  closed -> open           slow_call_rate 4/8 in 5s (shadow: nothing was rejected)\n");
    capture_free(&c);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_all_closed),
        cmocka_unit_test(test_exit),
        cmocka_unit_test(test_one_service_with_its_timeline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
