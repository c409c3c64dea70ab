/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_many_keys(void **state)
{
    static char keys[5000][16];
    struct route_map m = {0};

    (void)state;
    assert_int_equal(route_map_find(&m, 0, STR("none")), 0);
    for (uint32_t i = 0; i < 5000; i++) {
        int n = snprintf(keys[i], sizeof(keys[i]), "key%u", i / 2);
        uint32_t *at = route_map_at(&m, i % 2, (struct str){keys[i], (size_t)n});

        assert_int_equal(*at, 0);
        *at = i + 1;
    }
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(route_map_find(&m, i % 2, str_of(keys[i])), i + 1);
    assert_int_equal(route_map_find(&m, 2, STR("key7")), 0);
    assert_int_equal(route_map_find(&m, 0, STR("key")), 0);
    assert_int_equal(route_map_find(&m, 0, STR("")), 0);
    assert_int_equal(*route_map_at(&m, 0, STR("key7")), 15);
    assert_int_equal(m.count, 5000);
    route_map_release(&m);
    assert_int_equal(route_map_find(&m, 0, STR("key7")), 0);
}

static void test_hash_by_steps(void **state)
{
    struct route_map m = {0};
    uint64_t hash = route_hash_start(9);

    (void)state;
    *route_map_at(&m, 9, STR("ab")) = 4;
    hash = route_hash_step(route_hash_step(hash, 'a'), 'b');
    assert_int_equal(route_map_find_hashed(&m, 9, STR("ab"), hash), 4);
    route_map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_hash_by_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
