/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct transition with_total(uint32_t n)
{
    return (struct transition){.service = "orders", .from = "closed", .to = "open", .total = n};
}

static void history_keeps_the_newest(void **state)
{
    struct transition out[TRANSITIONS_KEPT + 5];
    struct history h;

    (void)state;
    history_init(&h);
    assert_int_equal(history_copy(&h, out, TRANSITIONS_KEPT), 0);
    assert_null(h.ring); /* memory comes with the first */
    for (uint32_t i = 1; i <= TRANSITIONS_KEPT + 3; i++) {
        struct transition t = with_total(i);
        history_add(&h, &t);
        assert_int_equal(history_copy(&h, out, TRANSITIONS_KEPT + 5),
                         i < TRANSITIONS_KEPT ? i : TRANSITIONS_KEPT);
        assert_int_equal(out[0].total, i);
    }
    assert_int_equal(out[TRANSITIONS_KEPT - 1].total, 4);
    assert_int_equal(history_copy(&h, out, 2), 2);
    assert_int_equal(out[1].total, TRANSITIONS_KEPT + 2);
    assert_int_equal(history_copy(&h, out, 0), 0);
    history_release(&h);
}

static void journal_numbers_without_gaps(void **state)
{
    struct journal *j = journal_new();
    struct transition out[4];
    uint64_t lost = 7;

    (void)state;
    assert_int_equal(journal_newest(j), 0);
    assert_int_equal(journal_read(j, 0, out, 4, &lost), 0);
    assert_int_equal(lost, 0);
    for (uint32_t i = 1; i <= 3; i++) {
        struct transition t = with_total(i);
        assert_int_equal(journal_add(j, &t), i);
        assert_int_equal(t.id, i);
    }
    assert_int_equal(journal_newest(j), 3);
    journal_free(j);
    journal_free(NULL);
}

static void journal_is_read_from_anywhere(void **state)
{
    static const struct {
        const char *name;
        uint32_t written;
        uint64_t after;
        size_t cap, n;
        uint64_t first, lost;
    } rows[] = {
        {"all", 3, 0, 10, 3, 1, 0},
        {"a part", 3, 0, 2, 2, 1, 0},
        {"after one", 3, 1, 10, 2, 2, 0},
        {"after the newest", 3, 3, 10, 0, 0, 0},
        {"after what was never written", 3, 99, 10, 0, 0, 0},
        {"of another process", 3, UINT64_MAX, 10, 0, 0, 0},
        {"no room", 3, 0, 0, 0, 0, 0},
        {"just full", JOURNAL_KEPT, 0, 1, 1, 1, 0},
        {"the oldest is gone", JOURNAL_KEPT + 1, 0, 1, 1, 2, 0},
        {"nothing lost yet", JOURNAL_KEPT + 1, 1, 1, 1, 2, 0},
        {"one lost", JOURNAL_KEPT + 2, 1, 1, 1, 3, 1},
        {"many lost", 3 * JOURNAL_KEPT, 5, JOURNAL_KEPT, JOURNAL_KEPT, 2 * JOURNAL_KEPT + 1,
         2 * JOURNAL_KEPT - 5},
    };
    struct transition *out = calloc(JOURNAL_KEPT, sizeof *out);

    (void)state;
    assert_non_null(out);
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct journal *j = journal_new();
        uint64_t lost = 99;
        size_t n;

        for (uint32_t i = 1; i <= rows[r].written; i++) {
            struct transition t = with_total(i);
            journal_add(j, &t);
        }
        n = journal_read(j, rows[r].after, out, rows[r].cap, &lost);
        if (n != rows[r].n || lost != rows[r].lost)
            fail_msg("%s: %zu, lost %llu", rows[r].name, n, (unsigned long long)lost);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(out[i].id, rows[r].first + i);
            assert_int_equal(out[i].total, rows[r].first + i);
        }
        assert_int_equal(journal_read(j, rows[r].after, out, rows[r].cap, NULL), n);
        journal_free(j);
    }
    free(out);
}

static _Atomic unsigned woken;

static void on_entry(void *arg)
{
    atomic_fetch_add(&woken, *(unsigned *)arg);
}

enum { WRITERS = 4, EACH = 3000 };

static void *write_some(void *arg)
{
    for (uint32_t i = 0; i < EACH; i++) {
        struct transition t = with_total(i);
        uint64_t id = journal_add(arg, &t);
        assert_true(id > 0 && id == t.id);
    }
    return NULL;
}

/* The reader sees every id once, in order, or hears how many it missed. */
static void many_write_one_reads(void **state)
{
    struct journal *j = journal_new();
    struct transition *out = calloc(64, sizeof *out);
    pthread_t ids[WRITERS];
    struct transition first = with_total(0);
    uint64_t at = journal_add(j, &first), seen = at, missed = 0;
    unsigned one = 1;

    (void)state;
    assert_non_null(out);
    journal_watch(j, on_entry, &one);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, write_some, j), 0);
    while (at < WRITERS * EACH + 1) {
        uint64_t lost;
        size_t n = journal_read(j, at, out, 64, &lost);

        for (size_t i = 0; i < n; i++)
            assert_int_equal(out[i].id, at + lost + i + 1);
        seen += n;
        missed += lost;
        at += lost + n;
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(ids[i], NULL);
    assert_int_equal(seen + missed, WRITERS * EACH + 1);
    assert_int_equal(woken, WRITERS * EACH);
    free(out);
    journal_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_keeps_the_newest),
        cmocka_unit_test(journal_numbers_without_gaps),
        cmocka_unit_test(journal_is_read_from_anywhere),
        cmocka_unit_test(many_write_one_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
