/* SPDX-License-Identifier: Apache-2.0 */
#include "limits/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct limit_clock now = {.now_ns = 1000 * NS_PER_S, .wall_s = 1000000};
static struct limits *limits;

static int setup(void **state)
{
    (void)state;
    limits = limits_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    limits_free(&limits);
    return limits != NULL;
}

/* A configuration with the set that belongs to it, as a snapshot has them. */
struct applied {
    struct config *config;
    struct limit_set *set;
};

static struct applied apply(const char *text)
{
    struct err e = {""};
    struct applied a = {.config = config_parse("t.yaml", text, strlen(text), &e)};

    if (!a.config)
        fail_msg("%s", e.text);
    a.set = limits_apply(limits, a.config, &now);
    return a;
}

static void drop(struct applied *a)
{
    limit_set_unref(&a->set);
    config_unref(&a->config);
}

static unsigned passes(const struct applied *a, size_t i, unsigned tries)
{
    unsigned n = 0;
    uint64_t value;

    while (tries-- > 0)
        n += limit_table_take(a->set->at[i].limiter->table, 77, &a->set->at[i].rule, &now, &value);
    return n;
}

/* Two are used up of a limit; then this configuration: how many more pass? */
static void what_a_reload_keeps(void **state)
{
    static const struct {
        const char *before, *after;
        unsigned passes;
    } rows[] = {
        {"rate_limits: {a: {rate: 5/h}}", "rate_limits: {a: {rate: 5/h}}", 3},
        {"rate_limits: {a: {rate: 5/h}}", "rate_limits: {b: {rate: 1/s}, a: {rate: 5/h}}", 3},
        {"rate_limits: {a: {rate: 5/h}}", "rate_limits: {b: {rate: 5/h}}", 5},
        {"rate_limits: {a: {rate: 5/h}}", "rate_limits: {a: {rate: 5/h, burst: 3}}", 1},
        {"rate_limits: {a: {rate: 5/h}}", "rate_limits: {a: {rate: 5/h, max_clients: 5000}}", 3},
        {"rate_limits: {a: {rate: 5/h}}", "rate_limits: {a: {quota: 5/h}}", 5},
        {"rate_limits: {a: {quota: 5/h}}", "rate_limits: {a: {quota: 7/h}}", 5},
        {"rate_limits: {a: {quota: 5/h}}", "rate_limits: {a: {quota: 5/h, max_clients: 8}}", 3},
        {"rate_limits: {a: {quota: 5/h}}", "rate_limits: {a: {quota: 5/d}}", 5},
        {"rate_limits: {a: {concurrency: 5}}", "rate_limits: {a: {concurrency: 3}}", 1},
        {"rate_limits: {a: {concurrency: 5}}", "rate_limits: {a: {concurrency: 5, max_clients: 8}}",
         5},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct applied before = apply(rows[i].before), after;

        assert_int_equal(passes(&before, 0, 2), 2);
        before.set->at[0].limiter->refused = 42;
        after = apply(rows[i].after);
        if (passes(&after, after.set->n - 1, 10) != rows[i].passes)
            fail_msg("%s -> %s", rows[i].before, rows[i].after);
        if (strstr(rows[i].after, "a:"))
            assert_int_equal(after.set->at[after.set->n - 1].limiter->refused, 42);
        drop(&before);
        /* The old set is gone, what both had is not. */
        assert_int_equal(passes(&after, after.set->n - 1, 1), 0);
        drop(&after);
        teardown(NULL);
        setup(NULL);
    }
}

static void no_limits(void **state)
{
    struct applied a = apply("routes: []");

    (void)state;
    assert_int_equal(a.set->n, 0);
    drop(&a);
}

/* Nobody outside may know which clients share a set. */
static void the_key_is_random(void **state)
{
    struct limits *other = limits_new();
    struct applied a = apply("routes: []");
    struct limit_set *b = limits_apply(other, a.config, &now);

    (void)state;
    assert_true(a.set->key.k0 != b->key.k0);
    assert_true(a.set->key.k0 != a.set->key.k1);
    limit_set_unref(&b);
    limits_free(&other);
    drop(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_reload_keeps, setup, teardown),
        cmocka_unit_test_setup_teardown(no_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(the_key_is_random, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
