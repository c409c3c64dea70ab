/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/transition_json.h"

#include <stdlib.h>

static void all_members(void **state)
{
    struct transition t = {
        .id = 7,
        .wall_ms = 1790000000123,
        .service = "orders",
        .instance = "orders-1",
        .from = "closed",
        .to = "open",
        .cause = "failure_rate",
        .total = 20,
        .failed = 12,
        .slow = 3,
        .window_ms = 10000,
        .until_wall_ms = 1790000005000,
        .author = "al\xffice",
        .why = "two\nlines",
    };
    json_t *j = transition_json(&t);
    char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);

    (void)state;
    assert_string_equal(text, "{\"at\":\"2026-09-21T14:13:20.123Z\",\"author\":\"al?ice\","
                              "\"cause\":\"failure_rate\",\"failed\":12,\"from\":\"closed\","
                              "\"id\":7,\"instance\":\"orders-1\",\"service\":\"orders\","
                              "\"shadow\":false,\"slow\":3,\"to\":\"open\",\"total\":20,"
                              "\"until\":\"2026-09-21T14:13:25.000Z\",\"why\":\"two\\nlines\","
                              "\"window_ms\":10000}");
    free(text);
    json_decref(j);
}

static void what_is_not_known_is_null(void **state)
{
    struct transition t = {.service = "a", .from = "open", .to = "half_open", .cause = ""};
    json_t *j = transition_json(&t);

    (void)state;
    assert_true(json_is_null(json_object_get(j, "instance")));
    assert_true(json_is_null(json_object_get(j, "until")));
    assert_true(json_is_null(json_object_get(j, "author")));
    assert_true(json_is_null(json_object_get(j, "why")));
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members),
        cmocka_unit_test(what_is_not_known_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
