/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Two gateways of different versions must send a key to the same instance: these values may never
 * change. */
static void values_are_for_ever(void **state)
{
    static const struct {
        const char *text;
        uint64_t seed, wanted;
    } rows[] = {
        {"", 0, 0x0ull},
        {"a", 0, 0x460969baeef93f9cull},
        {"orders|node-1/orders-1/10.0.0.5:8080", 0, 0xbb0a7af0253c4e36ull},
        {"orders", 1, 0x3b4f903db35f9179ull},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(hash_str(str_of(rows[i].text), rows[i].seed), rows[i].wanted);
}

static void every_byte_and_the_length_count(void **state)
{
    char text[40] = {0};

    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        uint64_t h = hash_bytes(text, n, 0);

        assert_int_not_equal(h, hash_bytes(text, n, 1));
        assert_int_not_equal(h, hash_bytes(text, n + 1, 0));
        for (size_t k = 0; k < n; k++) {
            text[k] = 1;
            assert_int_not_equal(h, hash_bytes(text, n, 0));
            text[k] = 0;
        }
    }
}

static void alignment_does_not_count(void **state)
{
    char text[64];

    (void)state;
    for (size_t at = 0; at < 16; at++) {
        memcpy(text + at, "customer-4711-basket", 20);
        assert_int_equal(hash_bytes(text + at, 20, 5), hash_bytes("customer-4711-basket", 20, 5));
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* 20000 keys as they occur: no two alike, and each of 64 shares gets its part (312 on average). */
static void similar_keys_spread(void **state)
{
    enum { KEYS = 20000 };
    uint64_t *h = calloc(KEYS, sizeof *h);
    unsigned shares[64] = {0}, low[64] = {0};

    (void)state;
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        size_t n = 0;

        for (int v = i; n < 8; v /= 10)
            key[n++] = (char)('0' + v % 10);
        h[i] = hash_bytes(key, n, 0);
        shares[h[i] >> 58]++;
        low[h[i] & 63]++;
    }
    qsort(h, KEYS, sizeof *h, by_value);
    for (int i = 1; i < KEYS; i++)
        assert_true(h[i] != h[i - 1]);
    for (int i = 0; i < 64; i++) {
        assert_in_range(shares[i], 220, 410);
        assert_in_range(low[i], 220, 410);
    }
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_for_ever),
        cmocka_unit_test(every_byte_and_the_length_count),
        cmocka_unit_test(alignment_does_not_count),
        cmocka_unit_test(similar_keys_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
