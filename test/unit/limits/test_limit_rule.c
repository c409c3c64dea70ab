/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "base/rng.h"
#include "limits/limit_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define MS NS_PER_MS
#define S  NS_PER_S

static struct limit_rule rate(unsigned amount, enum rate_limit_period period, unsigned burst)
{
    struct rate_limit_conf c = {
        .kind = LIMIT_RATE, .amount = amount, .period = period, .burst = burst};
    struct limit_rule r;

    limit_rule_of(&c, &r);
    return r;
}

static struct limit_rule other(enum rate_limit_kind kind, unsigned amount,
                               enum rate_limit_period period)
{
    struct rate_limit_conf c = {.kind = kind, .amount = amount, .period = period};
    struct limit_rule r;

    limit_rule_of(&c, &r);
    return r;
}

/* Requests at these times (ms), and which of them pass. */
static void a_rate_by_example(void **state)
{
    static const struct {
        const char *name;
        unsigned amount;
        enum rate_limit_period period;
        unsigned burst;
        uint64_t at[12];
        const char *passes;
    } rows[] = {
        {"one each", 10, PERIOD_SECOND, 1, {0, 50, 99, 100, 199, 200, 1000, 1050}, "y..y.yy."},
        {"burst of three", 10, PERIOD_SECOND, 3, {0, 0, 0, 0, 100, 100, 200}, "yyy.y.y"},
        {"a full bucket again", 10, PERIOD_SECOND, 3, {0, 0, 0, 300, 300, 300, 300}, "yyyyyy."},
        {"never more than full", 10, PERIOD_SECOND, 2, {0, 9000, 9000, 9000}, "yyy."},
        {"six a minute", 6, PERIOD_MINUTE, 1, {0, 9999, 10000, 19999, 20000}, "y.y.y"},
        {"refused ones cost nothing", 1, PERIOD_SECOND, 1, {0, 1, 2, 3, 4, 999, 1000}, "y.....y"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct limit_rule r = rate(rows[i].amount, rows[i].period, rows[i].burst);
        uint64_t value = 0;

        for (size_t k = 0; rows[i].passes[k]; k++) {
            struct limit_clock c = {.now_ns = 77 * S + rows[i].at[k] * MS};
            bool passed = limit_rule_take(&r, &c, value, &value);

            if (passed != (rows[i].passes[k] == 'y'))
                fail_msg("%s: request %zu", rows[i].name, k);
        }
    }
}

/* A bucket of tokens that is filled continuously, counted in nanoseconds of credit. */
struct bucket {
    uint64_t credit, at;
};

static bool bucket_take(struct bucket *b, const struct limit_rule *r, uint64_t now)
{
    b->credit += now - b->at;
    b->at = now;
    if (b->credit > r->ahead_ns)
        b->credit = r->ahead_ns;
    if (b->credit < r->interval_ns)
        return false;
    b->credit -= r->interval_ns;
    return true;
}

static void a_rate_is_a_bucket_of_tokens(void **state)
{
    struct rng rng = {4711};

    (void)state;
    for (int run = 0; run < 300; run++) {
        struct limit_rule r =
            rate(1 + rng_below(&rng, 1000), (enum rate_limit_period)rng_below(&rng, 3),
                 1 + rng_below(&rng, 20));
        uint64_t now = 1000 * S, value = 0;
        struct bucket b = {r.ahead_ns, now};

        for (int k = 0; k < 300; k++) {
            struct limit_clock c;
            struct limit_state s;
            bool reference;

            now += rng_below(
                &rng, (uint32_t)(r.interval_ns < UINT32_MAX / 2 ? r.interval_ns * 2 : UINT32_MAX));
            c = (struct limit_clock){.now_ns = now};
            limit_rule_state(&r, &c, value, &s);
            reference = bucket_take(&b, &r, now);
            assert_int_equal(s.retry_ns == 0, reference);
            assert_int_equal(limit_rule_take(&r, &c, value, &value), reference);
            limit_rule_state(&r, &c, value, &s);
            assert_int_equal(s.remaining, b.credit / r.interval_ns);
            assert_int_equal(s.reset_ns, r.ahead_ns - b.credit);
        }
    }
}

/* Over any time, no more than the burst and what the rate gives. */
static void no_more_than_the_rate(void **state)
{
    struct limit_rule r = rate(3, PERIOD_SECOND, 5); /* a third of a second is no whole number */
    uint64_t passed = 0, value = 0, now;

    (void)state;
    assert_int_equal(r.interval_ns, 333333334);
    for (now = 0; now < 1000 * S; now += 10 * MS) {
        struct limit_clock c = {.now_ns = 5 * S + now};

        passed += limit_rule_take(&r, &c, value, &value);
    }
    assert_in_range(passed, 3 * 1000 + 4 - 1, 3 * 1000 + 5);
}

static void what_is_left_and_when(void **state)
{
    struct limit_rule r = rate(10, PERIOD_SECOND, 3);
    struct limit_clock c = {.now_ns = 50 * S};
    struct limit_state s;
    uint64_t value = 0;

    (void)state;
    limit_rule_state(&r, &c, value, &s);
    assert_int_equal(s.remaining, 3);
    assert_int_equal(s.reset_ns, 0);
    for (int i = 0; i < 3; i++)
        assert_true(limit_rule_take(&r, &c, value, &value));
    limit_rule_state(&r, &c, value, &s);
    assert_int_equal(s.remaining, 0);
    assert_int_equal(s.retry_ns, 100 * MS);
    assert_int_equal(s.reset_ns, 300 * MS);
    c.now_ns += 40 * MS;
    limit_rule_state(&r, &c, value, &s);
    assert_int_equal(s.retry_ns, 60 * MS);
    c.now_ns += 60 * MS;
    limit_rule_state(&r, &c, value, &s);
    assert_int_equal(s.remaining, 1);
    assert_int_equal(s.retry_ns, 0);
}

static void given_back(void **state)
{
    struct limit_clock c = {.now_ns = 50 * S, .wall_s = 1000000};
    struct limit_rule rules[] = {rate(1, PERIOD_MINUTE, 2), other(LIMIT_QUOTA, 2, PERIOD_DAY),
                                 other(LIMIT_CONCURRENCY, 2, PERIOD_SECOND)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct limit_rule *r = &rules[i];
        uint64_t value = 0;

        assert_true(limit_rule_take(r, &c, value, &value));
        assert_true(limit_rule_take(r, &c, value, &value));
        assert_false(limit_rule_take(r, &c, value, &value));
        value = limit_rule_give_back(r, value);
        assert_true(limit_rule_take(r, &c, value, &value));
        assert_false(limit_rule_take(r, &c, value, &value));
        for (int k = 0; k < 5; k++) /* more often than taken */
            value = limit_rule_give_back(r, value);
        assert_false(limit_rule_is_live(r, &c, value));
        assert_true(limit_rule_take(r, &c, value, &value));
        assert_true(limit_rule_take(r, &c, value, &value));
        assert_false(limit_rule_take(r, &c, value, &value));
    }
}

static void a_changed_rate_applies_at_once(void **state)
{
    struct limit_rule slow = rate(10, PERIOD_DAY, 10), quick = rate(10, PERIOD_SECOND, 10);
    struct limit_clock c = {.now_ns = 50 * S};
    uint64_t value = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(limit_rule_take(&slow, &c, value, &value));
    assert_false(limit_rule_take(&slow, &c, value, &value));
    /* Who was at the old limit is at the new one, not a day behind it. */
    assert_false(limit_rule_take(&quick, &c, value, &value));
    c.now_ns += 100 * MS;
    assert_true(limit_rule_take(&quick, &c, value, &value));
    assert_false(limit_rule_take(&quick, &c, value, &value));
}

static void a_quota_ends_with_its_window(void **state)
{
    static const struct {
        enum rate_limit_period period;
        int64_t last_s, first_s; /* of one window, of the next */
    } rows[] = {
        {PERIOD_MINUTE, 1795583759, 1795583760},
        {PERIOD_HOUR, 1795584959 - 1795584959 % 3600 + 3599, 1795584959 - 1795584959 % 3600 + 3600},
        {PERIOD_DAY, 1795564799, 1795564800},
        {PERIOD_MONTH, 1796083199, 1796083200}, /* 2026-11-30T23:59:59Z */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct limit_rule r = other(LIMIT_QUOTA, 2, rows[i].period);
        struct limit_clock c = {.wall_s = rows[i].last_s};
        struct limit_state s;
        uint64_t value = 0;

        assert_true(limit_rule_take(&r, &c, value, &value));
        assert_true(limit_rule_take(&r, &c, value, &value));
        assert_false(limit_rule_take(&r, &c, value, &value));
        limit_rule_state(&r, &c, value, &s);
        assert_int_equal(s.remaining, 0);
        assert_int_equal(s.retry_ns, S);
        assert_int_equal(s.reset_ns, S);
        assert_true(limit_rule_is_live(&r, &c, value));
        c.wall_s = rows[i].first_s;
        assert_false(limit_rule_is_live(&r, &c, value));
        assert_true(limit_rule_take(&r, &c, value, &value));
        limit_rule_state(&r, &c, value, &s);
        assert_int_equal(s.remaining, 1);
        assert_int_equal(s.retry_ns, 0);
    }
}

/* Against the calendar of the C library, over four centuries. */
static void months_are_those_of_the_calendar(void **state)
{
    (void)state;
    for (int month = 0; month < 12 * 430; month++) {
        struct tm first = {.tm_year = 70 + month / 12, .tm_mon = month % 12, .tm_mday = 1};
        struct tm next = {
            .tm_year = 70 + (month + 1) / 12, .tm_mon = (month + 1) % 12, .tm_mday = 1};
        int64_t from = timegm(&first), to = timegm(&next), end;

        assert_int_equal(limit_window(PERIOD_MONTH, from, &end), month);
        assert_int_equal(end, to);
        assert_int_equal(limit_window(PERIOD_MONTH, to - 1, &end), month);
        assert_int_equal(end, to);
    }
}

static void a_clock_that_jumps(void **state)
{
    struct limit_rule r = other(LIMIT_QUOTA, 1, PERIOD_HOUR);
    struct limit_clock c = {.wall_s = 3600 * 1000};
    uint64_t value = 0;

    (void)state;
    assert_true(limit_rule_take(&r, &c, value, &value));
    c.wall_s -= 1; /* back over the border: no second quota */
    assert_false(limit_rule_take(&r, &c, value, &value));
    c.wall_s -= 3600 * 500; /* the clock had been wrong by weeks: nobody waits for them */
    assert_true(limit_rule_take(&r, &c, value, &value));
    assert_false(limit_rule_take(&r, &c, value, &value));
    c.wall_s = -5;
    assert_true(limit_rule_take(&r, &c, 0, &value));
}

static void concurrency(void **state)
{
    struct limit_rule r = other(LIMIT_CONCURRENCY, 2, PERIOD_SECOND);
    struct limit_clock c = {.now_ns = S};
    struct limit_state s;
    uint64_t value = 0;

    (void)state;
    assert_true(limit_rule_take(&r, &c, value, &value));
    limit_rule_state(&r, &c, value, &s);
    assert_int_equal(s.remaining, 1);
    assert_true(limit_rule_take(&r, &c, value, &value));
    assert_false(limit_rule_take(&r, &c, value, &value));
    limit_rule_state(&r, &c, value, &s);
    assert_int_equal(s.remaining, 0);
    assert_int_equal(s.retry_ns, S);
    value = limit_rule_give_back(&r, value);
    assert_true(limit_rule_take(&r, &c, value, &value));
}

/* The smaller number is the one to forget. */
static void numbers_are_ordered_by_what_they_remember(void **state)
{
    struct limit_rule r = rate(1, PERIOD_MINUTE, 10), q = other(LIMIT_QUOTA, 10, PERIOD_DAY);
    struct limit_clock c = {.now_ns = 50 * S, .wall_s = 86400 * 100}, later = c;
    uint64_t one = 0, two = 0, old;

    (void)state;
    later.wall_s += 86400;
    assert_true(limit_rule_take(&r, &c, 0, &one) && limit_rule_take(&r, &c, one, &two));
    assert_true(one < two && two < LIMIT_VALUE_END);
    assert_true(limit_rule_take(&q, &c, 0, &one) && limit_rule_take(&q, &c, one, &two));
    old = two;
    assert_true(one < two);
    assert_true(limit_rule_take(&q, &later, old, &one));
    assert_true(old < one && one < LIMIT_VALUE_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_by_example),
        cmocka_unit_test(a_rate_is_a_bucket_of_tokens),
        cmocka_unit_test(no_more_than_the_rate),
        cmocka_unit_test(what_is_left_and_when),
        cmocka_unit_test(given_back),
        cmocka_unit_test(a_changed_rate_applies_at_once),
        cmocka_unit_test(a_quota_ends_with_its_window),
        cmocka_unit_test(months_are_those_of_the_calendar),
        cmocka_unit_test(a_clock_that_jumps),
        cmocka_unit_test(concurrency),
        cmocka_unit_test(numbers_are_ordered_by_what_they_remember),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
