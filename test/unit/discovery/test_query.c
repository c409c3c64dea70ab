/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "discovery/discovery.h"
#include "discovery/keeper.h"
#include "discovery/query.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct event_base *base;
static struct keeper *keeper;
static struct consul_http *http;
static struct query_pool pool;
static char directory[64];
static bool applies; /* all of what is read */
static unsigned nread, napplied;

static int read_body(struct query *q, struct str body, struct err *e)
{
    (void)q;
    nread++;
    return str_eq(body, STR("nonsense")) ? err_set(e, "nonsense") : 0;
}

static bool apply(struct query *q, bool complete, bool empty_ok)
{
    (void)q;
    assert_true(complete && empty_ok);
    napplied++;
    return applies;
}

static void after(struct query *q, const struct query_outcome *o)
{
    (void)q;
    (void)o;
}

static const struct query_ops ops = {read_body, apply, after, NULL, NULL};

static int begin(void **state)
{
    struct discovery_options o = {.address = "http://127.0.0.1:1", .wait_ms = 60000};
    struct keeper_options k = {.dir = directory, .origin = "x"};
    struct err e;

    (void)state;
    snprintf(directory, sizeof directory, "/tmp/query.XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    base = event_base_new();
    keeper = keeper_new(base, &k);
    http = consul_http_new(base, &o, &e);
    if (!http)
        return -1;
    query_pool_init(&pool, base, http, "stale&");
    pool.keeper = keeper;
    applies = true;
    nread = napplied = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    query_pool_release(&pool);
    consul_http_free(http);
    keeper_free(keeper);
    event_base_free(base);
    return rmdir(directory);
}

/* A query for which `body` is kept. */
static void recall(struct query *q, const char *body)
{
    *q = (struct query){.options = {.wait_ms = 60000}};
    query_init(q, &ops, &pool, NULL, "/v1/x");
    keeper_believe(keeper, "/v1/x?stale&", str_of(body));
    query_keep(q);
}

static void what_is_recalled_is_not_applied_twice(void **state)
{
    struct query q;

    (void)state;
    recall(&q, "[1]");
    assert_int_equal(napplied, 1);
    assert_int_equal(pool.recalled, 1);
    assert_true(q.watch.has_hash && q.watch.body_hash == hash_str(STR("[1]"), 0));
    query_release(&q);
    assert_int_equal(pool.recalled, 0);
}

/* What was held back must be looked at again when Consul says the same. */
static void what_is_recalled_in_part_is_applied_again(void **state)
{
    struct query q;

    (void)state;
    applies = false;
    recall(&q, "[1]");
    assert_int_equal(napplied, 1);
    assert_false(q.watch.has_hash);
    query_release(&q);
}

static void what_cannot_be_read_is_forgotten(void **state)
{
    struct bytes body = {0};
    struct query q;
    int64_t heard_ms;

    (void)state;
    recall(&q, "nonsense");
    assert_int_equal(nread, 1);
    assert_int_equal(napplied, 0);
    assert_false(keeper_recall(keeper, "/v1/x?stale&", &body, &heard_ms));
    query_release(&q);
}

static void nothing_is_recalled_while_consul_answers(void **state)
{
    struct query q;

    (void)state;
    pool.heard = true;
    recall(&q, "[1]");
    assert_int_equal(nread, 0);
    query_release(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_recalled_is_not_applied_twice, begin, end),
        cmocka_unit_test_setup_teardown(what_is_recalled_in_part_is_applied_again, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_recalled_while_consul_answers, begin, end),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
