/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/watch.h"

#define MS NS_PER_MS

static const uint64_t t0 = 1000 * NS_PER_S;

static struct watch w;
static struct watch_options o;
static struct watch_reply reply;
static struct rng rng;

static int begin(void **state)
{
    (void)state;
    watch_init(&w);
    o = (struct watch_options){.wait_ms = 60000};
    rng.state = 42;
    return 0;
}

static const struct watch_reply *take(enum watch_result result, uint64_t index, uint64_t hash,
                                      uint64_t now)
{
    struct watch_answer a = {.result = result,
                             .has_index = true,
                             .index = index,
                             .body_hash = hash,
                             .leader_known = true};

    watch_take(&w, &o, &a, now, &rng, &reply);
    return &reply;
}

static const struct watch_reply *good(uint64_t index, uint64_t hash, uint64_t now)
{
    return take(WATCH_GOOD, index, hash, now);
}

static void first_request_does_not_block(void **state)
{
    (void)state;
    struct watch_request r = watch_now(&w, &o, t0, &rng);

    assert_int_equal(r.index, 0);
    assert_int_equal(r.delay_ms, 0);
}

static void good_answer_blocks_at_its_index(void **state)
{
    (void)state;
    good(7, 1, t0);
    assert_true(reply.publish);
    assert_true(reply.complete);
    assert_int_equal(reply.next.index, 7);
    assert_int_equal(reply.next.delay_ms, 0);
}

/* What an earlier run of the gateway knew is compared with, and nothing else of it counts. */
static void an_equal_first_answer_changes_nothing(void **state)
{
    (void)state;
    watch_recall(&w, 1);
    assert_int_equal(watch_now(&w, &o, t0, &rng).index, 0);
    good(7, 1, t0);
    assert_false(reply.publish);
    assert_int_equal(reply.next.index, 7);

    watch_init(&w);
    watch_recall(&w, 1);
    good(7, 2, t0);
    assert_true(reply.publish);
    assert_true(reply.complete);
}

static void wait_is_jittered(void **state)
{
    uint64_t low = UINT64_MAX, high = 0;

    (void)state;
    good(7, 1, t0);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t wait = watch_now(&w, &o, t0 + NS_PER_S, &rng).wait_ms;

        low = wait < low ? wait : low;
        high = wait > high ? wait : high;
    }
    assert_in_range(low, 54000, 55000);
    assert_in_range(high, 65000, 66000);
}

static void index_zero_becomes_one(void **state)
{
    (void)state;
    good(0, 1, t0);
    assert_int_equal(reply.next.index, 1);
}

static void errors_carry_no_index(void **state)
{
    static const enum watch_result bad[] = {WATCH_FAILED, WATCH_REFUSED, WATCH_DENIED,
                                            WATCH_LIMITED, WATCH_INVALID};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        begin(NULL);
        good(600, 1, t0);
        take(bad[i], 1, 0, t0 + NS_PER_S);
        assert_int_equal(w.index, 600);
        assert_false(reply.publish);
        assert_false(reply.reset);
        /* and the next request does not block */
        assert_int_equal(reply.next.index, 0);
        assert_int_equal(watch_now(&w, &o, t0 + 2 * NS_PER_S, &rng).index, 0);
    }
}

static void first_retry_is_quick(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        begin(NULL);
        rng.state = i;
        take(WATCH_FAILED, 1, 0, t0);
        assert_in_range(reply.next.delay_ms, 50, 150);
    }
}

static uint64_t longest_delay(enum watch_result result, unsigned failures)
{
    uint64_t longest = 0;

    for (unsigned i = 0; i < 300; i++) {
        watch_init(&w);
        for (unsigned k = 0; k < failures; k++)
            take(result, 1, 0, t0);
        longest = reply.next.delay_ms > longest ? reply.next.delay_ms : longest;
    }
    return longest;
}

static void backoff_grows_to_its_limit(void **state)
{
    static const struct {
        const char *name;
        enum watch_result result;
        bool lead;
        unsigned failures;
        uint64_t low, high;
    } rows[] = {
        {"second failure", WATCH_FAILED, false, 2, 400, 500},
        {"third failure", WATCH_FAILED, false, 3, 800, 1000},
        {"many failures", WATCH_FAILED, false, 50, 28000, 30000},
        {"lead: many failures", WATCH_FAILED, true, 50, 1900, 2000},
        {"refused: many", WATCH_REFUSED, false, 50, 28000, 30000},
        {"lead refused: stays quick", WATCH_REFUSED, true, 50, 140, 150},
        {"denied once", WATCH_DENIED, false, 1, 5000, 5500},
        {"denied often", WATCH_DENIED, false, 50, 60000, 66000},
        {"lead denied often", WATCH_DENIED, true, 50, 5000, 5500},
        {"limited once", WATCH_LIMITED, false, 1, 1900, 2000},
        {"limited often", WATCH_LIMITED, false, 50, 28000, 30000},
        {"invalid", WATCH_INVALID, false, 1, 60000, 66000},
        {"lead: invalid", WATCH_INVALID, true, 9, 5000, 5500},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        o.lead = rows[i].lead;
        uint64_t longest = longest_delay(rows[i].result, rows[i].failures);

        if (longest < rows[i].low || longest > rows[i].high)
            fail_msg("%s: longest delay %lu", rows[i].name, (unsigned long)longest);
    }
}

static void success_forgets_failures(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        take(WATCH_FAILED, 1, 0, t0);
    good(7, 1, t0 + NS_PER_S);
    take(WATCH_FAILED, 1, 0, t0 + 2 * NS_PER_S);
    assert_in_range(reply.next.delay_ms, 50, 150);
}

static void denied_reloads_the_token(void **state)
{
    (void)state;
    assert_true(take(WATCH_DENIED, 1, 0, t0)->reload_token);
    assert_false(take(WATCH_FAILED, 1, 0, t0)->reload_token);
}

static void equal_body_is_not_published(void **state)
{
    (void)state;
    good(7, 1, t0);
    assert_false(good(8, 1, t0 + NS_PER_S)->publish);
    assert_int_equal(reply.next.index, 8);
    assert_true(good(9, 2, t0 + 2 * NS_PER_S)->publish);
    take(WATCH_FAILED, 1, 0, t0 + 3 * NS_PER_S);
    assert_false(good(9, 2, t0 + 4 * NS_PER_S)->publish);
}

static void index_backwards_starts_over(void **state)
{
    (void)state;
    good(600, 1, t0);
    good(13, 2, t0 + NS_PER_S);
    assert_true(reply.reset);
    assert_false(reply.complete);
    assert_int_equal(reply.next.index, 0);
    watch_hold(&w, &o, 0, t0 + NS_PER_S, &rng, &reply);
    assert_int_equal(reply.next.index, 0);

    /* The resync: still not believed, but asked again within two seconds. */
    good(13, 2, t0 + NS_PER_S + 10 * MS);
    assert_false(reply.reset);
    assert_true(reply.publish);
    assert_false(reply.complete);
    watch_hold(&w, &o, 0, t0 + NS_PER_S + 10 * MS, &rng, &reply);
    assert_int_equal(reply.next.index, 13);
    assert_in_range(reply.next.wait_ms, 1, 2000);

    /* The server may be one that was started and reads its log. */
    good(15, 2, t0 + 3 * NS_PER_S + 20 * MS);
    assert_true(reply.publish);
    assert_false(reply.complete);
    watch_hold(&w, &o, 0, t0 + 3 * NS_PER_S + 20 * MS, &rng, &reply);
    assert_in_range(reply.next.wait_ms, 27900, 28000);

    /* Or one of a cluster that was set up anew: that is how it is now. */
    good(15, 2, t0 + 31 * NS_PER_S + 20 * MS);
    assert_true(reply.publish);
    assert_true(reply.complete);
    assert_in_range(reply.next.wait_ms, 54000, 66000);
    assert_true(good(16, 3, t0 + 32 * NS_PER_S)->complete);
}

/* It has read its log when it is where the other one was. */
static void index_that_is_back_is_believed(void **state)
{
    (void)state;
    good(600, 1, t0);
    good(13, 2, t0 + NS_PER_S);
    good(300, 2, t0 + 8 * NS_PER_S);
    assert_false(reply.complete);
    good(599, 3, t0 + 9 * NS_PER_S);
    assert_false(reply.complete);
    good(600, 4, t0 + 10 * NS_PER_S);
    assert_true(reply.complete);
    assert_true(good(601, 5, t0 + 11 * NS_PER_S)->complete);

    /* It falls further while it is behind: what counts is the highest before. */
    good(500, 6, t0 + 60 * NS_PER_S);
    good(500, 6, t0 + 60 * NS_PER_S + 10 * MS);
    good(400, 6, t0 + 61 * NS_PER_S);
    good(550, 7, t0 + 70 * NS_PER_S);
    assert_false(reply.complete);
    assert_true(good(601, 8, t0 + 71 * NS_PER_S)->complete);
}

static void same_index_other_body_is_not_complete(void **state)
{
    (void)state;
    good(50, 1, t0);
    for (unsigned i = 1; i < 4; i++) {
        uint64_t now = t0 + i * 60 * NS_PER_S;

        assert_true(good(50, 2, now)->publish);
        assert_false(reply.complete);
        watch_hold(&w, &o, 0, now, &rng, &reply);
        assert_in_range(reply.next.wait_ms, 54000, 66000);
    }
    assert_true(good(51, 2, t0 + 300 * NS_PER_S)->publish);
    assert_true(reply.complete);
}

static void answer_without_leader_is_not_complete(void **state)
{
    struct watch_answer a = {.result = WATCH_GOOD, .has_index = true, .index = 60, .body_hash = 2};

    (void)state;
    good(50, 1, t0);
    watch_take(&w, &o, &a, t0 + NS_PER_S, &rng, &reply);
    assert_true(reply.publish);
    assert_false(reply.complete);
    watch_hold(&w, &o, 0, t0 + NS_PER_S, &rng, &reply);
    assert_in_range(reply.next.wait_ms, 1, 2000);
    /* The same answer once there is a leader again. */
    assert_true(good(60, 2, t0 + 3 * NS_PER_S)->publish);
    assert_true(reply.complete);
}

static void lagging_server_is_not_complete(void **state)
{
    struct watch_answer a = {.result = WATCH_GOOD,
                             .has_index = true,
                             .index = 60,
                             .body_hash = 2,
                             .leader_known = true,
                             .last_contact_ms = 648128};

    (void)state;
    good(50, 1, t0);
    watch_take(&w, &o, &a, t0 + NS_PER_S, &rng, &reply);
    assert_false(reply.complete);
}

static void missing_index_is_polled(void **state)
{
    struct watch_answer a = {.result = WATCH_GOOD, .body_hash = 1, .leader_known = true};

    (void)state;
    watch_take(&w, &o, &a, t0, &rng, &reply);
    assert_true(reply.publish);
    assert_true(reply.complete);
    assert_int_equal(reply.next.index, 0);
    assert_in_range(reply.next.delay_ms, 13500, 16500);
}

static void polled_watch_never_blocks(void **state)
{
    (void)state;
    o.polled = true;
    good(7, 1, t0);
    assert_int_equal(reply.next.index, 0);
    assert_in_range(reply.next.delay_ms, 27000, 33000);
    /* A wake asks at once. */
    assert_int_equal(watch_now(&w, &o, t0 + NS_PER_S, &rng).delay_ms, 0);
    o.polled = false;
    assert_int_equal(watch_now(&w, &o, t0 + NS_PER_S, &rng).index, 7);
}

static void burst_of_twenty_then_ten_a_second(void **state)
{
    (void)state;
    for (unsigned k = 1; k < 20; k++)
        assert_int_equal(good(k, k, t0)->next.delay_ms, 0);
    assert_int_equal(good(20, 20, t0)->next.delay_ms, 100);
    assert_int_equal(good(21, 21, t0 + 100 * MS)->next.delay_ms, 100);
    assert_int_equal(good(22, 22, t0 + 5 * NS_PER_S)->next.delay_ms, 0);
}

static void churn_slows_down(void **state)
{
    static const struct {
        unsigned answers;
        uint64_t delay_ms;
    } rows[] = {{100, 100}, {140, 1000}, {180, 2000}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t now = t0;

        watch_init(&w);
        for (unsigned k = 1; k <= rows[i].answers; k++) {
            good(k, k, now);
            now += reply.next.delay_ms * MS;
        }
        assert_int_equal(reply.next.delay_ms, rows[i].delay_ms);
        /* After two quiet minutes it is as at first. */
        good(1000, 1000, now + 200 * NS_PER_S);
        assert_int_equal(good(1001, 1001, now + 200 * NS_PER_S)->next.delay_ms, 0);
    }
}

static void doubtful_loss_is_read_again(void **state)
{
    (void)state;
    good(50, 1, t0);
    good(60, 2, t0 + NS_PER_S);
    watch_hold(&w, &o, t0 + 3 * NS_PER_S, t0 + NS_PER_S, &rng, &reply);
    /* Changes are waited for, but not for longer than that; then it does not block. */
    assert_int_equal(reply.next.index, 60);
    assert_int_equal(reply.next.wait_ms, 2000);
    assert_int_equal(reply.next.delay_ms, 0);
    assert_true(good(60, 2, t0 + 3 * NS_PER_S + 100 * MS)->publish);
    assert_true(reply.complete);
    watch_hold(&w, &o, t0 + 3 * NS_PER_S, t0 + 3 * NS_PER_S + 100 * MS, &rng, &reply);
    assert_int_equal(reply.next.index, 0);
    assert_int_equal(reply.next.delay_ms, 0);
    /* Believed: as usual again. */
    assert_true(good(60, 2, t0 + 3 * NS_PER_S + 200 * MS)->publish);
    assert_true(reply.complete);
    assert_int_equal(reply.next.index, 60);
    assert_in_range(reply.next.wait_ms, 54000, 66000);
    assert_false(good(60, 2, t0 + 63 * NS_PER_S)->publish);
}

static void polled_watch_reads_again_sooner(void **state)
{
    (void)state;
    o.polled = true;
    good(50, 1, t0);
    good(60, 2, t0 + NS_PER_S);
    assert_in_range(reply.next.delay_ms, 27000, 33000);
    watch_hold(&w, &o, t0 + 3 * NS_PER_S, t0 + NS_PER_S, &rng, &reply);
    assert_int_equal(reply.next.index, 0);
    assert_in_range(reply.next.delay_ms, 2000, 2001);
}

static void deadline_covers_the_servers_jitter(void **state)
{
    (void)state;
    assert_int_equal(watch_deadline_ms(&(struct watch_request){.index = 1, .wait_ms = 64000}),
                     78000);
    assert_int_equal(watch_deadline_ms(&(struct watch_request){.index = 0}), 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(first_request_does_not_block, begin),
        cmocka_unit_test_setup(good_answer_blocks_at_its_index, begin),
        cmocka_unit_test_setup(an_equal_first_answer_changes_nothing, begin),
        cmocka_unit_test_setup(wait_is_jittered, begin),
        cmocka_unit_test_setup(index_zero_becomes_one, begin),
        cmocka_unit_test_setup(errors_carry_no_index, begin),
        cmocka_unit_test_setup(first_retry_is_quick, begin),
        cmocka_unit_test_setup(backoff_grows_to_its_limit, begin),
        cmocka_unit_test_setup(success_forgets_failures, begin),
        cmocka_unit_test_setup(denied_reloads_the_token, begin),
        cmocka_unit_test_setup(equal_body_is_not_published, begin),
        cmocka_unit_test_setup(index_backwards_starts_over, begin),
        cmocka_unit_test_setup(index_that_is_back_is_believed, begin),
        cmocka_unit_test_setup(same_index_other_body_is_not_complete, begin),
        cmocka_unit_test_setup(answer_without_leader_is_not_complete, begin),
        cmocka_unit_test_setup(lagging_server_is_not_complete, begin),
        cmocka_unit_test_setup(missing_index_is_polled, begin),
        cmocka_unit_test_setup(polled_watch_never_blocks, begin),
        cmocka_unit_test_setup(burst_of_twenty_then_ten_a_second, begin),
        cmocka_unit_test_setup(churn_slows_down, begin),
        cmocka_unit_test_setup(doubtful_loss_is_read_again, begin),
        cmocka_unit_test_setup(polled_watch_reads_again_sooner, begin),
        cmocka_unit_test_setup(deadline_covers_the_servers_jitter, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
