/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct siphash_key counting = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};

/* Of SipHash-2-4 over 00 01 02 ... (n bytes), from the reference implementation. */
static void published_vectors(void **state)
{
    static const struct {
        size_t n;
        uint64_t value;
    } rows[] = {
        {0, 0x726fdb47dd0e0e31ull},  {1, 0x74f839c593dc67fdull}, {2, 0x0d6c8009d9a94f5aull},
        {3, 0x85676696d7fb7e2dull},  {7, 0xab0200f58b01d137ull}, {8, 0x93f5f5799a932462ull},
        {15, 0xa129ca6149be45e5ull},
    };
    unsigned char text[16];

    (void)state;
    for (unsigned char i = 0; i < sizeof text; i++)
        text[i] = i;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(siphash_rounds(&counting, text, rows[i].n, 2, 4), rows[i].value);
}

static void the_short_form_is_one_and_three_rounds(void **state)
{
    (void)state;
    assert_int_equal(siphash(&counting, "frontdesk", 9),
                     siphash_rounds(&counting, "frontdesk", 9, 1, 3));
    assert_int_not_equal(siphash(&counting, "frontdesk", 9),
                         siphash_rounds(&counting, "frontdesk", 9, 2, 4));
}

static void key_and_length_count(void **state)
{
    const struct siphash_key other = {counting.k0, counting.k1 ^ 1};

    (void)state;
    assert_int_not_equal(siphash(&counting, "a", 1), siphash(&other, "a", 1));
    assert_int_not_equal(siphash(&counting, "a", 1), siphash(&counting, "a\0", 2));
    assert_int_not_equal(siphash(&counting, "", 0), siphash(&counting, "\0", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(the_short_form_is_one_and_three_rounds),
        cmocka_unit_test(key_and_length_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
