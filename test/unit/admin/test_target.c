/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/target.h"
#include "base/macros.h"

/* A snapshot of three services, as far as names go. */
static struct instance odd_instances[] = {
    {.node = "n1", .id = "same", .address = "10.0.0.1"},
    {.node = "n2", .id = "same", .address = "10.0.0.2"},
    {.node = "n1", .id = "a/b c", .address = "10.0.0.3"},
    {.node = "n/3", .id = "deep", .address = "10.0.0.4"},
    {.node = "", .id = "10.0.0.5:80", .address = "10.0.0.5"},
};
static struct instance_set odd_set = {.n = ARRAY_LEN(odd_instances), .items = odd_instances};

static struct service_state states[] = {
    {.slot = 0, .name = "web"},
    {.slot = 1, .name = "odd/50%"},
    {.slot = 2, .name = "caf\xc3\xa9 \"x\""},
};
static struct service_view views[] = {
    {.state = &states[0]},
    {.state = &states[1], .set = &odd_set, .n = ARRAY_LEN(odd_instances)},
    {.state = &states[2]},
};
static struct service_view *by_slot[] = {&views[0], &views[1], &views[2]};
static const struct snapshot snapshot = {.nslots = 3, .services = by_slot};

static void names_are_decoded(void **state)
{
    static const struct {
        const char *rest;
        enum target_result result;
        int service, instance; /* -1 = the service itself */
    } rows[] = {
        {"web", TARGET_FOUND, 0, -1},
        {"we%62", TARGET_FOUND, 0, -1},
        {"odd%2F50%25", TARGET_FOUND, 1, -1},
        {"odd%2f50%25", TARGET_FOUND, 1, -1},
        {"caf%C3%A9%20%22x%22", TARGET_FOUND, 2, -1},
        {"web%00", TARGET_NO_SERVICE, 0, 0},
        {"web%2", TARGET_NO_SERVICE, 0, 0},
        {"", TARGET_NO_SERVICE, 0, 0},
        {"/web", TARGET_NO_SERVICE, 0, 0},
        {"WEB", TARGET_NO_SERVICE, 0, 0},
        {"odd/50%25", TARGET_NO_SERVICE, 0, 0},
        {"web/", TARGET_NO_INSTANCE, 0, 0},
        {"web/x", TARGET_NO_INSTANCE, 0, 0},
        {"odd%2F50%25/same", TARGET_AMBIGUOUS, 0, 0},
        {"odd%2F50%25/n1/same", TARGET_FOUND, 1, 0},
        {"odd%2F50%25/n2/same", TARGET_FOUND, 1, 1},
        {"odd%2F50%25/n2%2Fsame", TARGET_FOUND, 1, 1},
        {"odd%2F50%25/n3/same", TARGET_NO_INSTANCE, 0, 0},
        {"odd%2F50%25/a%2Fb%20c", TARGET_FOUND, 1, 2},
        {"odd%2F50%25/n1/a%2Fb%20c", TARGET_FOUND, 1, 2},
        {"odd%2F50%25/n1%2Fa%2Fb%20c", TARGET_FOUND, 1, 2},
        {"odd%2F50%25/n%2F3/deep", TARGET_FOUND, 1, 3},
        {"odd%2F50%25/n%2F3%2Fdeep", TARGET_FOUND, 1, 3},
        {"odd%2F50%25/10.0.0.5:80", TARGET_FOUND, 1, 4},
        {"odd%2F50%25//10.0.0.5:80", TARGET_FOUND, 1, 4},
        {"odd%2F50%25/n1/same/", TARGET_NO_INSTANCE, 0, 0},
        {"odd%2F50%25/n1/same%00", TARGET_NO_INSTANCE, 0, 0},
        {"odd%2F50%25/", TARGET_NO_INSTANCE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct breaker_target t;
        enum target_result r = target_find(&snapshot, rows[i].rest, &t);

        if (r != rows[i].result)
            fail_msg("%s: %d", rows[i].rest, r);
        if (r != TARGET_FOUND)
            continue;
        if (t.view != by_slot[rows[i].service] || t.whole != (rows[i].instance < 0) ||
            (!t.whole && t.instance != (unsigned)rows[i].instance))
            fail_msg("%s: another one", rows[i].rest);
    }
}

static void nothing_is_found_before_the_first_snapshot(void **state)
{
    struct breaker_target t;

    (void)state;
    assert_int_equal(target_find(NULL, "web", &t), TARGET_NO_SERVICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_decoded),
        cmocka_unit_test(nothing_is_found_before_the_first_snapshot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
