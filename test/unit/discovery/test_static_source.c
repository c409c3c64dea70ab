/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "discovery/static_source.h"

static void instances_are_sorted_and_pass(void **state)
{
    static const struct discovery_address addresses[] = {{"10.0.0.2", 80, 1, NULL, NULL},
                                                         {"10.0.0.1", 80, 7, "z1", NULL},
                                                         {"::1", 81, 1, NULL, NULL},
                                                         {"db.internal", 82, 1, "", NULL}};
    static const struct discovery_static s = {"Web", addresses, 4};
    struct instance *items;
    struct instance_set *set = static_source_build(&s, "web", &items);

    (void)state;
    assert_string_equal(set->service, "web");
    assert_int_equal(set->n, 4);
    assert_string_equal(set->items[0].id, "10.0.0.1:80");
    assert_string_equal(set->items[0].node, "");
    assert_string_equal(set->items[0].zone, "z1");
    assert_int_equal(set->items[0].weight, 7);
    assert_int_equal(set->items[0].health, HEALTH_PASSING);
    assert_string_equal(set->items[1].id, "10.0.0.2:80");
    assert_string_equal(set->items[2].id, "[::1]:81");
    assert_string_equal(set->items[2].address, "::1");
    assert_string_equal(set->items[3].address, "db.internal");
    instance_set_unref(&set);
}

static void unusable_and_double_ones_are_left_out(void **state)
{
    static const struct discovery_address addresses[] = {{"10.0.0.2", 0, 1, NULL, NULL},
                                                         {"not a host!", 80, 1, NULL, NULL},
                                                         {"10.0.0.1", 80, 1, NULL, NULL},
                                                         {"10.0.0.1", 80, 1, NULL, NULL}};
    static const struct discovery_static s = {"web", addresses, 4};
    struct instance *items;
    struct instance_set *set = static_source_build(&s, "web", &items);

    (void)state;
    assert_int_equal(set->n, 1);
    instance_set_unref(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_are_sorted_and_pass),
        cmocka_unit_test(unusable_and_double_ones_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
