/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/registration_plan.h"

#include <string.h>

#define MS(n) ((uint64_t)(n)*NS_PER_MS)

static struct registration_plan p;
static struct rng rng;
static uint64_t now;

static int begin(void **state)
{
    (void)state;
    registration_plan_init(&p);
    rng.state = 7;
    now = MS(1000000);
    return 0;
}

/* The next call must be `call`; it ends with this status. What was said of it. */
static const char *step(enum registration_call call, int status, const char *body)
{
    enum registration_call next = registration_plan_next(&p, now);

    if (next != call)
        fail_msg("expected call %d, next is %d", call, next);
    return registration_plan_done(&p, call, status, str_of(body), now, &rng);
}

static void expect_none(void)
{
    assert_int_equal(registration_plan_next(&p, now), REGISTRATION_NONE);
}

static void join(void)
{
    assert_null(step(REGISTRATION_REGISTER, 200, ""));
    assert_null(step(REGISTRATION_REPORT, 200, ""));
    assert_null(step(REGISTRATION_READ, 200, "{1}"));
    expect_none();
}

static void test_registers_reports_and_reads(void **state)
{
    unsigned reports = 0, reads = 0;
    uint64_t end;

    (void)state;
    join();
    for (end = now + MS(60000); now < end; now += MS(100)) {
        enum registration_call c = registration_plan_next(&p, now);

        reports += c == REGISTRATION_REPORT;
        reads += c == REGISTRATION_READ;
        if (c != REGISTRATION_NONE)
            assert_null(registration_plan_done(&p, c, 200, STR("{1}"), now, &rng));
    }
    assert_in_range(reports, 11, 12);
    assert_in_range(reads, 1, 2);
    assert_int_equal(p.registrations, 1);
}

static void test_news_are_reported_at_once(void **state)
{
    (void)state;
    join();
    registration_plan_changed(&p);
    assert_null(step(REGISTRATION_REPORT, 200, ""));
    expect_none();
}

static void test_lost_registration_is_made_again(void **state)
{
    static const struct {
        const char *name;
        enum registration_call call;
        int status;
    } rows[] = {
        {"the check is unknown (1.8)", REGISTRATION_REPORT, 500},
        {"the check is unknown (newer)", REGISTRATION_REPORT, 404},
        {"the service is unknown", REGISTRATION_READ, 404},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(NULL);
        join();
        now += MS(REGISTRATION_READ_MS);
        if (rows[i].call == REGISTRATION_READ)
            assert_null(step(REGISTRATION_REPORT, 200, ""));
        if (!step(rows[i].call, rows[i].status, "Unknown"))
            fail_msg("%s: nothing was said", rows[i].name);
        join();
        assert_int_equal(p.registrations, 2);
    }
}

/* However long the agent was away: others shall find the gateway again soon. */
static void test_data_lost_in_an_outage(void **state)
{
    uint64_t end = now + MS(600000);

    (void)state;
    join();
    now += MS(REGISTRATION_REPORT_MS);
    for (; now < end; now += MS(50))
        if (registration_plan_next(&p, now) != REGISTRATION_NONE)
            assert_non_null(step(REGISTRATION_REPORT, 0, ""));
    now += MS(2000);
    assert_non_null(step(REGISTRATION_REPORT, 500, ""));
    join();
}

/* Behind an address that leads to another agent with each call, what one was told the next does not
 * know: each registration is "lost" at once. */
static void test_registration_that_never_lasts_is_not_hammered(void **state)
{
    static const struct {
        const char *name;
        enum registration_call lost;
        int status;
    } rows[] = {
        {"the check is unknown", REGISTRATION_REPORT, 500},
        {"the service is unknown", REGISTRATION_READ, 404},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned calls = 0;
        uint64_t end;

        begin(NULL);
        for (end = now + MS(600000); now < end && calls < 10000; now += MS(10)) {
            enum registration_call call = registration_plan_next(&p, now);
            int status = call == rows[i].lost ? rows[i].status : 200;

            if (call == REGISTRATION_NONE)
                continue;
            (void)!registration_plan_done(&p, call, status, STR(""), now, &rng);
            calls++;
        }
        if (calls < 20 || calls > 300)
            fail_msg("%s: %u calls in ten minutes", rows[i].name, calls);
    }
}

static void test_changed_by_someone_else(void **state)
{
    (void)state;
    join();
    now += MS(REGISTRATION_READ_MS);
    assert_null(step(REGISTRATION_REPORT, 200, ""));
    assert_non_null(strstr(step(REGISTRATION_READ, 200, "{2}"), "someone else"));
    join();
    assert_int_equal(p.registrations, 2);
}

/* A check with a time to live is critical after a restart of the agent, until the next report: so
 * that one is tried every two seconds at least. */
static void test_agent_away_is_tried_often(void **state)
{
    uint64_t end = now + MS(60000);
    unsigned calls = 0;

    (void)state;
    join();
    now += MS(REGISTRATION_REPORT_MS);
    for (; now < end; now += MS(50)) {
        if (registration_plan_next(&p, now) == REGISTRATION_NONE)
            continue;
        assert_non_null(step(REGISTRATION_REPORT, 0, ""));
        calls++;
    }
    assert_in_range(calls, 25, 80);
    now += MS(2000);
    assert_null(step(REGISTRATION_REPORT, 200, ""));
    assert_true(p.registered);
}

static void test_missing_right_is_named_and_not_hammered(void **state)
{
    uint64_t end = now + MS(600000);
    unsigned calls = 0;

    (void)state;
    for (; now < end; now += MS(100)) {
        if (registration_plan_next(&p, now) == REGISTRATION_NONE)
            continue;
        assert_non_null(strstr(step(REGISTRATION_REGISTER, 403, ""), "service write"));
        calls++;
    }
    assert_in_range(calls, 8, 40);
}

static void test_drains_then_leaves(void **state)
{
    (void)state;
    join();
    registration_plan_drain(&p);
    assert_null(step(REGISTRATION_MAINTENANCE, 200, ""));
    expect_none();
    now += MS(REGISTRATION_REPORT_MS);
    assert_null(step(REGISTRATION_REPORT, 200, ""));
    assert_false(registration_plan_gone(&p));
    registration_plan_leave(&p);
    assert_null(step(REGISTRATION_DEREGISTER, 200, ""));
    assert_true(registration_plan_gone(&p));
    now += MS(100000);
    expect_none();
}

static void test_leaving_does_not_insist(void **state)
{
    (void)state;
    join();
    registration_plan_leave(&p);
    assert_non_null(step(REGISTRATION_DEREGISTER, 0, ""));
    assert_true(registration_plan_gone(&p));
    now += MS(100000);
    expect_none();
}

static void test_never_registers_while_draining(void **state)
{
    (void)state;
    registration_plan_drain(&p);
    expect_none();
    registration_plan_leave(&p);
    assert_true(registration_plan_gone(&p));
}

#define CASE(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_registers_reports_and_reads),
        CASE(test_news_are_reported_at_once),
        CASE(test_lost_registration_is_made_again),
        CASE(test_data_lost_in_an_outage),
        CASE(test_registration_that_never_lasts_is_not_hammered),
        CASE(test_changed_by_someone_else),
        CASE(test_agent_away_is_tried_often),
        CASE(test_missing_right_is_named_and_not_hammered),
        CASE(test_drains_then_leaves),
        CASE(test_leaving_does_not_insist),
        CASE(test_never_registers_while_draining),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
