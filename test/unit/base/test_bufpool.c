/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bufpool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void keeps_as_many_as_told(void **state)
{
    struct bufpool p;
    struct buf *b[5];

    (void)state;
    bufpool_init(&p, 2);
    for (int i = 0; i < 5; i++) {
        b[i] = bufpool_get(&p);
        assert_non_null(b[i]);
    }
    assert_int_equal(p.used, 5);
    for (int i = 0; i < 5; i++) {
        bufpool_put(&p, &b[i]);
        assert_null(b[i]);
    }
    assert_int_equal(p.used, 0);
    assert_int_equal(p.nfree, 2);
    bufpool_release(&p);
    assert_int_equal(p.nfree, 0);
    assert_null(p.free);
}

static void last_in_first_out_and_empty_again(void **state)
{
    struct bufpool p;
    struct buf *first, *b;

    (void)state;
    bufpool_init(&p, 4);
    first = b = bufpool_get(&p);
    b->start = 3;
    b->end = 10;
    bufpool_put(&p, &b);
    b = bufpool_get(&p);
    assert_ptr_equal(b, first);
    assert_int_equal(buf_len(b), 0);
    assert_int_equal(buf_space(b), BUF_BYTES);
    bufpool_put(&p, &b);
    bufpool_put(&p, &b); /* a pointer to NULL: nothing */
    assert_int_equal(p.used, 0);
    bufpool_release(&p);
}

static void compacting(void **state)
{
    static const struct {
        size_t start, end;
    } rows[] = {{0, 0}, {0, 9}, {9, 9}, {1, 9}, {8, 9}, {BUF_BYTES - 4, BUF_BYTES}};
    struct bufpool p;
    struct buf *b;

    (void)state;
    bufpool_init(&p, 0);
    b = bufpool_get(&p);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = rows[i].end - rows[i].start;

        memset(b->data, '-', sizeof b->data);
        memcpy(b->data + rows[i].start, "123456789", n);
        b->start = rows[i].start;
        b->end = rows[i].end;
        buf_compact(b);
        assert_int_equal(b->start, 0);
        assert_int_equal(buf_len(b), n);
        assert_memory_equal(b->data, "123456789", n);
        assert_int_equal(buf_space(b), BUF_BYTES - n);
    }
    bufpool_put(&p, &b);
    bufpool_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_as_many_as_told),
        cmocka_unit_test(last_in_first_out_and_empty_again),
        cmocka_unit_test(compacting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
