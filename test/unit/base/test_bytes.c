/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void what_goes_in_comes_out_in_order(void **state)
{
    struct bytes b = {0};
    char out[7], piece[13];
    unsigned char in = 0, back = 0;

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        size_t n = round % sizeof piece;

        for (size_t i = 0; i < n; i++)
            piece[i] = (char)in++;
        assert_true(bytes_add(&b, piece, n));
        n = bytes_take(&b, out, sizeof out);
        for (size_t i = 0; i < n; i++)
            assert_int_equal((unsigned char)out[i], back++);
    }
    while (bytes_len(&b) > 0) {
        size_t n = bytes_take(&b, out, sizeof out);

        for (size_t i = 0; i < n; i++)
            assert_int_equal((unsigned char)out[i], back++);
    }
    assert_int_equal(in, back);
    bytes_free(&b);
    assert_null(b.p);
}

static void nothing_is_nothing(void **state)
{
    struct bytes b = {0};
    char out[4];

    (void)state;
    assert_int_equal(bytes_len(&b), 0);
    assert_int_equal(bytes_take(&b, out, sizeof out), 0);
    assert_true(bytes_add_str(&b, STR_NULL));
    assert_int_equal(bytes_len(&b), 0);
    bytes_free(&b);
}

static void small_memory_is_used_again_and_large_is_given_back(void **state)
{
    struct bytes b = {0};
    static char large[10000];
    char *p;

    (void)state;
    assert_true(bytes_add_str(&b, STR("hello")));
    p = b.p;
    bytes_reuse(&b, 4096);
    assert_ptr_equal(b.p, p);
    assert_int_equal(bytes_len(&b), 0);
    assert_true(bytes_add(&b, large, sizeof large));
    bytes_reuse(&b, 4096);
    assert_null(b.p);
    assert_int_equal(b.cap, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_in_order),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(small_memory_is_used_again_and_large_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
