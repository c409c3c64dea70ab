/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/macros.h"
#include "discovery/instances.h"
#include "discovery/removals.h"

#include <stdio.h>
#include <string.h>

static const uint64_t t0 = 1000 * NS_PER_S;
static struct removals all;
static struct removal_ring ring;

static int begin(void **state)
{
    (void)state;
    memset(&all, 0, sizeof all);
    memset(&ring, 0, sizeof ring);
    log_set_level(LOG_ERROR);
    return 0;
}

static int end(void **state)
{
    (void)state;
    removal_ring_release(&ring);
    removals_release(&all);
    return 0;
}

static struct instance instance(const char *node, const char *id)
{
    return (struct instance){
        .node = node, .id = id, .address = "10.0.0.1", .port = 80, .check = "disk"};
}

static void remove_one(const char *node, const char *id, enum removal_why why, uint64_t now)
{
    struct instance i = instance(node, id);
    struct removal_facts f = {why, 1500, true};

    removals_add(&all, &ring, "web", &i, &f, now);
}

static void journal_keeps_the_newest(void **state)
{
    char id[16];

    (void)state;
    assert_null(removal_ring_at(&ring, 0));
    for (int i = 0; i < REMOVALS_KEPT + 5; i++) {
        snprintf(id, sizeof id, "i%d", i);
        remove_one("n1", id, REMOVAL_CRITICAL, t0);
    }
    for (int i = 0; i < REMOVALS_KEPT; i++) {
        snprintf(id, sizeof id, "i%d", REMOVALS_KEPT + 4 - i);
        assert_string_equal(removal_ring_at(&ring, (unsigned)i)->id, id);
    }
    assert_null(removal_ring_at(&ring, REMOVALS_KEPT));
    assert_int_equal(all.total[REMOVAL_CRITICAL], REMOVALS_KEPT + 5);
}

static void journal_says_it_all(void **state)
{
    const struct removal *x;

    (void)state;
    remove_one("n1", "a", REMOVAL_CRITICAL, t0);
    x = removal_ring_at(&ring, 0);
    assert_string_equal(x->service, "web");
    assert_string_equal(x->node, "n1");
    assert_string_equal(x->address, "10.0.0.1");
    assert_string_equal(x->check, "disk");
    assert_int_equal(x->port, 80);
    assert_int_equal(x->held_ms, 1500);
    assert_int_equal(x->at_ns, t0);
    assert_true(x->accepted);
    /* Which check it was when it was still listed does not matter any more. */
    remove_one("n1", "b", REMOVAL_DEREGISTERED, t0);
    assert_string_equal(removal_ring_at(&ring, 0)->check, "");
}

static void node_is_gone_when_nothing_is_left_on_it(void **state)
{
    struct arena *a = arena_new();
    struct instance *items = ARENA_ARRAY(a, struct instance, 2);
    struct instance_set *s;

    (void)state;
    items[0] = instance("n1", "b");
    items[1] = instance("n2", "c");
    s = instance_set_new(a, "web", items, 2);
    removals_count_nodes(&all, s, 1);
    remove_one("n1", "a", REMOVAL_DEREGISTERED, t0);
    assert_int_equal(removals_why(&all, removal_ring_at(&ring, 0)), REMOVAL_DEREGISTERED);
    removals_count_nodes(&all, s, -1);
    assert_int_equal(removals_why(&all, removal_ring_at(&ring, 0)), REMOVAL_NODE_GONE);
    remove_one("n1", "a", REMOVAL_CRITICAL, t0);
    assert_int_equal(removals_why(&all, removal_ring_at(&ring, 0)), REMOVAL_CRITICAL);
    instance_set_unref(&s);
}

static void lines_are_limited_and_summed_up(void **state)
{
    uint64_t due;

    (void)state;
    assert_int_equal(removals_flush(&all, t0), 0);
    for (int i = 0; i < 100; i++)
        remove_one("n1", "a", REMOVAL_DEREGISTERED, t0);
    assert_int_equal(all.npending, REMOVALS_LINES);
    assert_int_equal(all.untold[REMOVAL_DEREGISTERED], 100 - REMOVALS_LINES);
    /* After the delay the lines, at the end of the window the sum. */
    due = removals_flush(&all, t0 + NS_PER_MS);
    assert_int_equal(due, t0 + REMOVALS_DELAY_MS * NS_PER_MS);
    due = removals_flush(&all, due);
    assert_int_equal(all.npending, 0);
    assert_int_equal(due, t0 + REMOVALS_WINDOW_MS * NS_PER_MS);
    assert_false(removals_may_log(&all, due - 1));
    assert_int_equal(removals_flush(&all, due), 0);
    assert_int_equal(all.untold[REMOVAL_DEREGISTERED], 0);
    assert_true(removals_may_log(&all, due));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(journal_keeps_the_newest, begin, end),
        cmocka_unit_test_setup_teardown(journal_says_it_all, begin, end),
        cmocka_unit_test_setup_teardown(node_is_gone_when_nothing_is_left_on_it, begin, end),
        cmocka_unit_test_setup_teardown(lines_are_limited_and_summed_up, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
