/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static int begin(void **state)
{
    *state = arena_new();
    return 0;
}

static int end(void **state)
{
    arena_free(*state);
    return 0;
}

/* Every allocation is zeroed, aligned, and its own. */
static void allocations_do_not_overlap(void **state)
{
    static const size_t sizes[] = {1, 15, 16, 17, 100, 4095, 4096, 4097, 70000, 1, 3};
    unsigned char *got[ARRAY_LEN(sizes) * 20];

    for (size_t i = 0; i < ARRAY_LEN(got); i++) {
        size_t n = sizes[i % ARRAY_LEN(sizes)];

        got[i] = arena_try(*state, n);
        assert_non_null(got[i]);
        assert_int_equal((uintptr_t)got[i] % 16, 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(got[i][k], 0);
        memset(got[i], (int)(i % 251), n);
    }
    for (size_t i = 0; i < ARRAY_LEN(got); i++)
        for (size_t k = 0; k < sizes[i % ARRAY_LEN(sizes)]; k++)
            assert_int_equal(got[i][k], i % 251);
}

static void reset_memory_is_zeroed_again(void **state)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            char *p = arena_alloc(*state, 1000);

            for (int k = 0; k < 1000; k++)
                assert_int_equal(p[k], 0);
            memset(p, 'x', 1000);
        }
        arena_reset(*state);
    }
}

static void reset_keeps_a_block(void **state)
{
    void *p = arena_alloc(*state, 4000);

    for (int i = 0; i < 3; i++) {
        arena_reset(*state);
        assert_ptr_equal(arena_alloc(*state, 4000), p);
    }
}

static void reset_of_an_unused_arena(void **state)
{
    arena_reset(*state);
    assert_non_null(arena_try(*state, 0));
}

static void too_much_is_refused(void **state)
{
    for (size_t back = 0; back < 64; back++)
        assert_null(arena_try(*state, SIZE_MAX - back));
    assert_non_null(arena_try(*state, 1));
}

static void copies(void **state)
{
    char text[] = "orders";
    char *z = arena_strdup(*state, text), *cut = arena_strndup(*state, text, 3);
    struct str s = arena_str(*state, (struct str){text, 2}), none = arena_str(*state, STR_NULL);

    memset(text, '-', sizeof text - 1);
    assert_string_equal(z, "orders");
    assert_string_equal(cut, "ord");
    assert_true(str_eq(s, STR("or")));
    assert_int_equal(s.p[s.n], '\0');
    assert_int_equal(none.n, 0);
    assert_string_equal(none.p, "");
    assert_null(arena_strdup(*state, NULL));
}

static void printing(void **state)
{
    char *longer = arena_printf(*state, "%05000d", 7);

    assert_string_equal(arena_printf(*state, "%s:%u", "10.0.0.5", 8080u), "10.0.0.5:8080");
    assert_string_equal(arena_printf(*state, "%s", ""), "");
    assert_int_equal(strlen(longer), 5000);
    assert_int_equal(longer[4999], '7');
}

static void free_accepts_null(void **state)
{
    (void)state;
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(allocations_do_not_overlap, begin, end),
        cmocka_unit_test_setup_teardown(reset_memory_is_zeroed_again, begin, end),
        cmocka_unit_test_setup_teardown(reset_keeps_a_block, begin, end),
        cmocka_unit_test_setup_teardown(reset_of_an_unused_arena, begin, end),
        cmocka_unit_test_setup_teardown(too_much_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(copies, begin, end),
        cmocka_unit_test_setup_teardown(printing, begin, end),
        cmocka_unit_test(free_accepts_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
