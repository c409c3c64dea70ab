/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/rng.h"
#include "limits/limit_table.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S NS_PER_S

enum { THREADS = 4 };

static struct limit_rule rate(unsigned amount, enum rate_limit_period period, unsigned burst)
{
    struct rate_limit_conf c = {
        .kind = LIMIT_RATE, .amount = amount, .period = period, .burst = burst};
    struct limit_rule r;

    limit_rule_of(&c, &r);
    return r;
}

static const struct limit_clock at_start = {.now_ns = 1000 * S};

static bool take(struct limit_table *t, uint64_t key, const struct limit_rule *r)
{
    uint64_t value;

    return limit_table_take(t, key, r, &at_start, &value);
}

static void each_client_for_himself(void **state)
{
    struct limit_table *t = limit_table_new(1000);
    struct limit_rule r = rate(1, PERIOD_HOUR, 2);

    (void)state;
    for (uint64_t k = 0; k < 50; k++) {
        uint64_t key = k ? hash_mix(k) : 0; /* 0 is a hash like any other */

        assert_true(take(t, key, &r));
        assert_true(take(t, key, &r));
        assert_false(take(t, key, &r));
        limit_table_give_back(t, key, &r);
        assert_true(take(t, key, &r));
        assert_false(take(t, key, &r));
    }
    limit_table_give_back(t, hash_mix(12345), &r); /* who is not known */
    limit_table_free(&t);
    assert_null(t);
}

static void raised_from_outside(void **state)
{
    struct limit_table *t = limit_table_new(8);
    struct limit_rule r = rate(1, PERIOD_HOUR, 2);
    uint64_t full = at_start.now_ns + r.ahead_ns;

    (void)state;
    assert_int_equal(limit_table_look(t, 5), 0);
    limit_table_raise(t, 5, &r, &at_start, full);
    assert_int_equal(limit_table_look(t, 5), full);
    assert_false(take(t, 5, &r));
    limit_table_raise(t, 5, &r, &at_start, 7); /* never down */
    assert_int_equal(limit_table_look(t, 5), full);
    limit_table_free(&t);
}

/* One set: eight places. The ninth client pushes out the one with the least debt. */
static void the_least_is_forgotten(void **state)
{
    struct limit_table *t = limit_table_new(8);
    struct limit_rule r = rate(1, PERIOD_HOUR, 10);
    struct limit_table_usage u;

    (void)state;
    for (uint64_t k = 1; k <= 8; k++)
        for (uint64_t n = 0; n <= k; n++)
            assert_true(take(t, k, &r));
    limit_table_usage(t, &r, &at_start, &u);
    assert_int_equal(u.places, 8);
    assert_int_equal(u.live, 8);
    assert_int_equal(u.evicted, 0);
    assert_true(take(t, 9, &r));
    limit_table_usage(t, &r, &at_start, &u);
    assert_int_equal(u.evicted, 1);
    assert_int_equal(limit_table_look(t, 1), 0);
    for (uint64_t k = 2; k <= 9; k++)
        assert_true(limit_table_look(t, k) > at_start.now_ns);
    limit_table_free(&t);
}

static void who_is_even_gives_way_silently(void **state)
{
    struct limit_table *t = limit_table_new(8);
    struct limit_rule r = rate(1, PERIOD_SECOND, 10);
    struct limit_clock later = {.now_ns = at_start.now_ns + 2 * S};
    struct limit_table_usage u;
    uint64_t value;

    (void)state;
    for (uint64_t k = 1; k <= 8; k++)
        assert_true(take(t, k, &r));
    for (uint64_t k = 11; k <= 18; k++)
        assert_true(limit_table_take(t, k, &r, &later, &value));
    limit_table_usage(t, &r, &later, &u);
    assert_int_equal(u.evicted, 0);
    assert_int_equal(u.live, 8);
    limit_table_free(&t);
}

static size_t resident_kb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[200];
    size_t kb = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtoul(line + 6, NULL, 10);
    fclose(f);
    return kb;
}

/* A thousand clients at their limit stay there while a million others come by, in a table for far
 * fewer; and it grows by nothing. */
static void a_million_clients(void **state)
{
    enum { PLACES = 131072, LIMITED = 1000, FLOOD = 1000000 };
    struct limit_table *t = limit_table_new(PLACES);
    struct limit_rule r = rate(1, PERIOD_HOUR, 5);
    struct limit_table_usage u;
    size_t before;

    (void)state;
    for (uint64_t k = 1; k <= LIMITED; k++)
        while (take(t, hash_mix(k), &r))
            ;
    for (uint64_t k = 0; k < PLACES * 4; k++) /* touches every page */
        assert_true(take(t, hash_mix(0x1000000 + k), &r));
    before = resident_kb();
    for (uint64_t k = 0; k < FLOOD; k++)
        assert_true(take(t, hash_mix(0x2000000 + k), &r));
    assert_true(resident_kb() < before + 256);
    for (uint64_t k = 1; k <= LIMITED; k++)
        assert_false(take(t, hash_mix(k), &r));
    limit_table_usage(t, &r, &at_start, &u);
    assert_int_equal(u.places, PLACES);
    assert_true(u.live > PLACES * 9 / 10 && u.live <= PLACES);
    assert_true(u.evicted > FLOOD);
    limit_table_free(&t);
}

/* What four threads share, and what they did. */
struct race {
    struct limit_table *table;
    struct limit_rule rule;
    _Atomic uint64_t passed, now_ns;
    _Atomic int inside;
    uint64_t keys;
    pthread_barrier_t begin;
};

static void race(struct race *r, void *(*fn)(void *))
{
    pthread_t ids[THREADS];

    pthread_barrier_init(&r->begin, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, fn, r), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    pthread_barrier_destroy(&r->begin);
}

static void *take_many(void *arg)
{
    struct race *r = arg;
    uint64_t passed = 0;
    struct rng rng = {(uint64_t)(uintptr_t)&passed};

    pthread_barrier_wait(&r->begin);
    for (int i = 0; i < 40000; i++)
        passed += take(r->table, hash_mix(1 + rng_below(&rng, (uint32_t)r->keys)), &r->rule);
    atomic_fetch_add(&r->passed, passed);
    return NULL;
}

/* All threads want the same clients' tokens at one moment: exactly the burst passes, also of those
 * who are new to the table in that moment. */
static void exact_between_threads(void **state)
{
    static const struct {
        unsigned burst;
        uint64_t keys;
    } rows[] = {{1000, 1}, {20000, 1}, {7, 500}, {1, 4000}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct race r = {.table = limit_table_new(65536),
                         .rule = rate(1, PERIOD_HOUR, rows[i].burst),
                         .keys = rows[i].keys};

        race(&r, take_many);
        assert_int_equal(r.passed, rows[i].burst * rows[i].keys);
        limit_table_free(&r.table);
    }
}

static void *take_each_once(void *arg)
{
    struct race *r = arg;
    uint64_t passed = 0;

    pthread_barrier_wait(&r->begin);
    for (uint64_t k = 1; k <= r->keys; k++)
        passed += take(r->table, hash_mix(k), &r->rule);
    atomic_fetch_add(&r->passed, passed);
    return NULL;
}

/* All threads bring the same new clients in the same order: each gets one place, not two. */
static void a_new_client_gets_one_place(void **state)
{
    struct race r = {
        .table = limit_table_new(1 << 21), .rule = rate(1, PERIOD_HOUR, 1), .keys = 150000};
    struct limit_table_usage u;

    (void)state;
    race(&r, take_each_once);
    limit_table_usage(r.table, &r.rule, &at_start, &u);
    assert_int_equal(u.evicted, 0);
    assert_int_equal(r.passed, r.keys);
    limit_table_free(&r.table);
}

static void *take_in_moving_time(void *arg)
{
    struct race *r = arg;
    uint64_t passed = 0, value;

    pthread_barrier_wait(&r->begin);
    for (int i = 0; i < 30000; i++) {
        /* Each thread's clock is a little behind the one that all move on. */
        struct limit_clock c = {.now_ns = atomic_fetch_add(&r->now_ns, 1000)};

        passed += limit_table_take(r->table, 99, &r->rule, &c, &value);
    }
    atomic_fetch_add(&r->passed, passed);
    return NULL;
}

/* Whatever the order in which they come: the burst, and what the rate gives in that time. */
static void exact_while_time_goes_on(void **state)
{
    struct race r = {.table = limit_table_new(8), .rule = rate(100000, PERIOD_SECOND, 50)};
    uint64_t most = 50 + THREADS * 30000 * 1000 / r.rule.interval_ns;

    (void)state;
    r.now_ns = 5 * S;
    race(&r, take_in_moving_time);
    assert_true(r.passed <= most);
    assert_true(r.passed > most * 9 / 10);
    limit_table_free(&r.table);
}

/* More clients than places: each that is forgotten begins anew, and nothing else is gained. */
static void exact_while_places_change_hands(void **state)
{
    struct race r = {.table = limit_table_new(8), .rule = rate(1, PERIOD_DAY, 20), .keys = 40};
    struct limit_table_usage u;

    (void)state;
    race(&r, take_many);
    limit_table_usage(r.table, &r.rule, &at_start, &u);
    assert_true(u.evicted > 32);
    assert_true(r.passed <= 20 * (u.evicted + 8));
    limit_table_free(&r.table);
}

static void *in_and_out(void *arg)
{
    struct race *r = arg;

    pthread_barrier_wait(&r->begin);
    for (int i = 0; i < 40000; i++)
        if (take(r->table, 5, &r->rule)) {
            atomic_fetch_add(&r->passed, atomic_fetch_add(&r->inside, 1) >= 2);
            atomic_fetch_sub(&r->inside, 1);
            limit_table_give_back(r->table, 5, &r->rule);
        }
    return NULL;
}

static void concurrency_between_threads(void **state)
{
    struct race r = {.table = limit_table_new(8), .rule = {.kind = LIMIT_CONCURRENCY, .amount = 2}};

    (void)state;
    race(&r, in_and_out);
    assert_int_equal(r.passed, 0);
    assert_int_equal(limit_table_look(r.table, 5), 0);
    limit_table_free(&r.table);
}

static void another_size_keeps_what_is_known(void **state)
{
    static const size_t sizes[] = {2000, 20000};
    struct limit_rule r = rate(1, PERIOD_HOUR, 2);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct limit_table *t = limit_table_new(10000), *next = limit_table_new(sizes[i]);

        for (uint64_t k = 0; k < 500; k++)
            assert_true(take(t, hash_mix(k + 1), &r) && take(t, hash_mix(k + 1), &r));
        limit_table_copy(next, t, &r, &at_start);
        for (uint64_t k = 0; k < 500; k++)
            assert_false(take(next, hash_mix(k + 1), &r));
        assert_true(take(next, hash_mix(7777), &r));
        limit_table_free(&t);
        limit_table_free(&next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_for_himself),
        cmocka_unit_test(raised_from_outside),
        cmocka_unit_test(the_least_is_forgotten),
        cmocka_unit_test(who_is_even_gives_way_silently),
        cmocka_unit_test(a_million_clients),
        cmocka_unit_test(exact_between_threads),
        cmocka_unit_test(a_new_client_gets_one_place),
        cmocka_unit_test(exact_while_time_goes_on),
        cmocka_unit_test(exact_while_places_change_hands),
        cmocka_unit_test(concurrency_between_threads),
        cmocka_unit_test(another_size_keeps_what_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
