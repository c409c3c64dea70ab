/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "fleet/fleet_apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct registry *reg;
static struct fleet_applied *applied;
static struct service_state *pay;
static struct fleet_word words[2];
static struct fleet_view view;
static uint64_t now_ns;
static int64_t wall_ms;

/* A state is told of from the first configuration on. */
static struct service_state *service(const char *name)
{
    static const struct service_conf conf = {
        .name = "any",
        .breaker = {.enabled = true,
                    .failure_rate = 50,
                    .minimum_requests = 10,
                    .window_ms = 10000,
                    .open_for_ms = 5000,
                    .max_open_ms = 5000,
                    .half_open_requests = 1},
        .outlier = {.window_ms = 10000},
    };
    struct service_state *s = registry_service(reg, name);

    registry_configure(s, &conf);
    return s;
}

static int begin(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    reg = registry_new(1);
    applied = fleet_applied_new(reg);
    pay = service("pay");
    now_ns = clock_now_ns();
    wall_ms = clock_wall_ms();
    words[0] = (struct fleet_word){.service = "pay",
                                   .what = OPERATE_OPEN,
                                   .at_ms = wall_ms - 1000,
                                   .until_ms = wall_ms + 60000,
                                   .author = "ann",
                                   .why = "deploy",
                                   .by = "gw-1"};
    view = (struct fleet_view){.words = words, .nwords = 1};
    return 0;
}

static int end(void **state)
{
    (void)state;
    fleet_applied_free(applied);
    registry_free(reg);
    return 0;
}

static enum breaker_state state_of(struct service_state *s)
{
    struct breaker_info b;

    breaker_info(s->breaker, now_ns, &b);
    return b.state;
}

static void look(bool complete)
{
    fleet_apply(applied, &view, complete, now_ns, wall_ms);
}

static void force_here(enum operation what)
{
    struct operate_request q = {.what = what, .ttl_ms = 5000, .author = "bob", .why = "local"};

    assert_int_equal(operate_service(pay, &q, now_ns), OPERATE_DONE);
}

static void test_word_comes_and_goes(void **state)
{
    (void)state;
    look(true);
    assert_int_equal(state_of(pay), BREAKER_FORCED_OPEN);
    assert_true(pay->forced.fleet);
    assert_string_equal(pay->forced.author, "ann");
    view.nwords = 0;
    look(true);
    assert_int_not_equal(state_of(pay), BREAKER_FORCED_OPEN);
    assert_false(pay->forced.active);
}

static void test_same_word_is_told_once(void **state)
{
    struct journal *j = registry_journal(reg);
    uint64_t first;

    (void)state;
    look(true);
    first = journal_newest(j);
    look(true);
    look(false);
    assert_int_equal(journal_newest(j), first);
}

static void test_doubtful_view_takes_nothing_back(void **state)
{
    (void)state;
    look(true);
    view.nwords = 0;
    look(false);
    assert_int_equal(state_of(pay), BREAKER_FORCED_OPEN);
}

static void test_word_that_is_over_is_ignored(void **state)
{
    (void)state;
    words[0].until_ms = wall_ms;
    look(true);
    assert_int_not_equal(state_of(pay), BREAKER_FORCED_OPEN);
}

static void test_service_that_appears_later(void **state)
{
    (void)state;
    words[0].service = "late";
    look(true);
    assert_null(registry_find(reg, "late"));
    assert_int_equal(state_of(service("late")), BREAKER_CLOSED);
    look(false);
    assert_int_equal(state_of(registry_find(reg, "late")), BREAKER_FORCED_OPEN);
}

static void test_changed_word_replaces(void **state)
{
    (void)state;
    look(true);
    words[0].what = OPERATE_CLOSE;
    words[0].at_ms = wall_ms;
    look(true);
    assert_int_equal(state_of(pay), BREAKER_FORCED_CLOSED);
}

static void test_later_local_word_stays_until_it_ends(void **state)
{
    (void)state;
    look(true);
    force_here(OPERATE_CLOSE);
    look(true);
    assert_int_equal(state_of(pay), BREAKER_FORCED_CLOSED);
    now_ns += 6 * NS_PER_S;
    registry_tick(reg, now_ns);
    assert_false(pay->forced.active);
    look(true);
    assert_int_equal(state_of(pay), BREAKER_FORCED_OPEN);
}

static void test_earlier_local_word_gives_way(void **state)
{
    (void)state;
    force_here(OPERATE_CLOSE);
    words[0].at_ms = pay->forced.at_wall_ms + 1;
    look(true);
    assert_int_equal(state_of(pay), BREAKER_FORCED_OPEN);
}

static void test_end_of_the_word_leaves_a_local_one(void **state)
{
    (void)state;
    look(true);
    force_here(OPERATE_CLOSE);
    view.nwords = 0;
    look(true);
    assert_int_equal(state_of(pay), BREAKER_FORCED_CLOSED);
}

/* Views that were on their way when a word was given or taken back here. */
static void test_own_word_survives_an_older_view(void **state)
{
    (void)state;
    view.nwords = 0;
    fleet_apply_own(applied, &words[0], now_ns, wall_ms);
    look(true);
    assert_int_equal(state_of(pay), BREAKER_FORCED_OPEN);
    view.nwords = 1;
    look(true);
    view.nwords = 0;
    look(true);
    assert_int_not_equal(state_of(pay), BREAKER_FORCED_OPEN);
}

static void test_taken_back_is_not_brought_back_by_an_older_view(void **state)
{
    (void)state;
    look(true);
    fleet_take_back(applied, "pay", "ann", "done", now_ns, wall_ms);
    assert_int_not_equal(state_of(pay), BREAKER_FORCED_OPEN);
    look(true);
    assert_int_not_equal(state_of(pay), BREAKER_FORCED_OPEN);
    words[0].at_ms = wall_ms + 1;
    look(true);
    assert_int_equal(state_of(pay), BREAKER_FORCED_OPEN);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_word_comes_and_goes),
        CASE(test_same_word_is_told_once),
        CASE(test_doubtful_view_takes_nothing_back),
        CASE(test_word_that_is_over_is_ignored),
        CASE(test_service_that_appears_later),
        CASE(test_changed_word_replaces),
        CASE(test_later_local_word_stays_until_it_ends),
        CASE(test_earlier_local_word_gives_way),
        CASE(test_end_of_the_word_leaves_a_local_one),
        CASE(test_own_word_survives_an_older_view),
        CASE(test_taken_back_is_not_brought_back_by_an_older_view),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
