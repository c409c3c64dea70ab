/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "webhook/webhook_queue.h"

static const uint64_t s = NS_PER_S;

static void push(struct webhook_queue *q, uint64_t from, uint64_t to)
{
    for (uint64_t id = from; id <= to; id++) {
        struct transition t = {.id = id, .wall_ms = (int64_t)id * 10};

        webhook_queue_push(q, &t);
    }
}

/* Takes what must be transition `id` alone. */
static void take(struct webhook_queue *q, uint64_t now_ns, uint64_t id)
{
    struct webhook_item item;
    uint64_t wait;

    assert_int_equal(webhook_queue_take(q, now_ns, &item, &wait), WEBHOOK_TAKEN);
    assert_int_equal(item.t.id, id);
    assert_int_equal(item.more, 0);
}

static void refuse(struct webhook_queue *q, uint64_t now_ns, uint64_t wait_ns)
{
    struct webhook_item item;
    uint64_t wait = 0;

    assert_int_equal(webhook_queue_take(q, now_ns, &item, &wait), WEBHOOK_LATER);
    assert_int_equal(wait, wait_ns);
}

static void empty(struct webhook_queue *q, uint64_t now_ns)
{
    struct webhook_item item;
    uint64_t wait;

    assert_int_equal(webhook_queue_take(q, now_ns, &item, &wait), WEBHOOK_EMPTY);
}

static void order_is_kept(void **state)
{
    struct webhook_queue q;

    (void)state;
    webhook_queue_init(&q);
    empty(&q, 0);
    push(&q, 1, 3);
    take(&q, 5 * s, 1);
    push(&q, 4, 4);
    for (uint64_t id = 2; id <= 4; id++)
        take(&q, 5 * s, id);
    empty(&q, 5 * s);
    webhook_queue_release(&q);
}

static void the_oldest_are_dropped(void **state)
{
    struct webhook_queue q;

    (void)state;
    webhook_queue_init(&q);
    push(&q, 1, WEBHOOK_WAITING);
    assert_int_equal(q.dropped, 0);
    push(&q, WEBHOOK_WAITING + 1, WEBHOOK_WAITING + 10);
    assert_int_equal(q.dropped, 10);
    assert_int_equal(q.n, WEBHOOK_WAITING);
    take(&q, s, 11);
    webhook_queue_release(&q);
}

static void a_storm_becomes_one_summary(void **state)
{
    struct webhook_queue q;
    struct webhook_item item;
    uint64_t wait;

    (void)state;
    webhook_queue_init(&q);
    push(&q, 1, 100);
    for (uint64_t id = 1; id <= WEBHOOK_A_MINUTE; id++)
        take(&q, 10 * s + id, id);
    refuse(&q, 20 * s + 1, 50 * s);
    push(&q, 101, 130);
    refuse(&q, 70 * s, 1);
    assert_int_equal(webhook_queue_take(&q, 70 * s + 1, &item, &wait), WEBHOOK_TAKEN);
    assert_int_equal(item.more, 70);
    assert_int_equal(item.t.id, 130);
    assert_int_equal(item.since_wall_ms, 610);
    empty(&q, 70 * s + 1);

    /* The summary counts as the first of the next minute. */
    push(&q, 131, 200);
    for (uint64_t id = 131; id <= 130 + WEBHOOK_A_MINUTE - 1; id++)
        take(&q, 80 * s, id);
    refuse(&q, 80 * s, 50 * s + 1);
    webhook_queue_release(&q);
}

static void one_that_was_held_is_told_itself(void **state)
{
    struct webhook_queue q;

    (void)state;
    webhook_queue_init(&q);
    push(&q, 1, WEBHOOK_A_MINUTE + 1);
    for (uint64_t id = 1; id <= WEBHOOK_A_MINUTE; id++)
        take(&q, s, id);
    refuse(&q, s, 60 * s);
    take(&q, 61 * s, WEBHOOK_A_MINUTE + 1);
    webhook_queue_release(&q);
}

/* A minute that was just full, with nobody held back, is no storm. */
static void a_full_minute_long_ago(void **state)
{
    struct webhook_queue q;

    (void)state;
    webhook_queue_init(&q);
    push(&q, 1, WEBHOOK_A_MINUTE);
    for (uint64_t id = 1; id <= WEBHOOK_A_MINUTE; id++)
        take(&q, s, id);
    push(&q, 61, 62);
    take(&q, 3600 * s, 61);
    take(&q, 3600 * s, 62);
    webhook_queue_release(&q);
}

static void slow_but_steady_is_no_storm(void **state)
{
    struct webhook_queue q;

    (void)state;
    webhook_queue_init(&q);
    for (uint64_t id = 1; id <= 500; id++) {
        push(&q, id, id);
        take(&q, id * (s + s / 100), id);
    }
    webhook_queue_release(&q);
}

static void verdicts(void **state)
{
    static const struct {
        const char *name;
        int status;
        unsigned tries, attempts;
        enum webhook_verdict verdict;
    } rows[] = {
        {"200", 200, 1, 5, WEBHOOK_DELIVERED},
        {"204", 204, 1, 5, WEBHOOK_DELIVERED},
        {"299 with the last try", 299, 5, 5, WEBHOOK_DELIVERED},
        {"no answer", 0, 1, 5, WEBHOOK_RETRY},
        {"408", 408, 1, 5, WEBHOOK_RETRY},
        {"429", 429, 4, 5, WEBHOOK_RETRY},
        {"500", 500, 1, 5, WEBHOOK_RETRY},
        {"503", 503, 1, 5, WEBHOOK_RETRY},
        {"599", 599, 1, 5, WEBHOOK_RETRY},
        {"no answer, last try", 0, 5, 5, WEBHOOK_FAILED},
        {"503, last try", 503, 5, 5, WEBHOOK_FAILED},
        {"only one", 503, 1, 1, WEBHOOK_FAILED},
        {"fewer since a reload", 503, 4, 2, WEBHOOK_FAILED},
        {"redirect", 302, 1, 5, WEBHOOK_FAILED},
        {"400", 400, 1, 5, WEBHOOK_FAILED},
        {"401", 401, 1, 5, WEBHOOK_FAILED},
        {"404", 404, 1, 5, WEBHOOK_FAILED},
        {"410", 410, 1, 5, WEBHOOK_FAILED},
        {"499", 499, 1, 5, WEBHOOK_FAILED},
        {"101", 101, 1, 5, WEBHOOK_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (webhook_judge(rows[i].status, rows[i].tries, rows[i].attempts) != rows[i].verdict)
            fail_msg("%s", rows[i].name);
}

static void backoff(void **state)
{
    static const struct {
        const char *name;
        unsigned tries;
        uint64_t asked_s, least_ms, most_ms;
    } rows[] = {
        {"after the first", 1, 0, 500, 1000},
        {"after the second", 2, 0, 1000, 2000},
        {"after the fifth", 5, 0, 8000, 16000},
        {"after the sixth", 6, 0, 16000, 32000},
        {"capped", 7, 0, 30000, 60000},
        {"capped for ever", 100, 0, 30000, 60000},
        {"asked for", 1, 7, 7000, 7000},
        {"asked for less", 7, 1, 30000, 60000},
        {"asked for five minutes", 1, 300, 300000, 300000},
        {"asked for more", 1, 86400, 300000, 300000},
        {"asked for the end of time", 1, UINT64_MAX, 300000, 300000},
    };
    struct rng rng = {7};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int n = 0; n < 200; n++) {
            uint64_t ms = webhook_backoff_ms(rows[i].tries, rows[i].asked_s, &rng);

            if (ms < rows[i].least_ms || ms > rows[i].most_ms)
                fail_msg("%s: %llu ms", rows[i].name, (unsigned long long)ms);
        }
}

static void backoff_has_jitter(void **state)
{
    struct rng rng = {7};
    uint64_t first = webhook_backoff_ms(5, 0, &rng), same = 0;

    (void)state;
    for (int n = 0; n < 100; n++)
        same += webhook_backoff_ms(5, 0, &rng) == first;
    assert_true(same < 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(the_oldest_are_dropped),
        cmocka_unit_test(a_storm_becomes_one_summary),
        cmocka_unit_test(one_that_was_held_is_told_itself),
        cmocka_unit_test(a_full_minute_long_ago),
        cmocka_unit_test(slow_but_steady_is_no_storm),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(backoff),
        cmocka_unit_test(backoff_has_jitter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
