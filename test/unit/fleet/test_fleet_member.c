/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "fleet/fleet_member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define MS(n)   ((uint64_t)(n)*NS_PER_MS)
#define SESSION "{\"ID\":\"adf4238a-882b-9ddc-4a9d-5b6758e4159e\"}"

enum { TTL_MS = 10000 };

static struct fleet_member m;
static struct rng rng;
static uint64_t now;

static int begin(void **state)
{
    (void)state;
    fleet_member_init(&m, "gw", TTL_MS);
    rng.state = 1;
    now = MS(1000000);
    return 0;
}

/* The next call must be `call`; it ends with this status. What was said of it. */
static const char *step(enum fleet_call call, int status, const char *body)
{
    enum fleet_call next = fleet_member_next(&m, now);

    if (next != call)
        fail_msg("expected call %d, next is %d", call, next);
    return fleet_member_done(&m, call, status, str_of(body), now, &rng);
}

static void join(void)
{
    assert_null(step(FLEET_CALL_SESSION, 200, SESSION));
    assert_null(step(FLEET_CALL_KEY, 200, "true\n"));
    assert_int_equal(fleet_member_next(&m, now), FLEET_CALL_NONE);
}

static void test_joins_in_order(void **state)
{
    (void)state;
    join();
    assert_string_equal(m.session, "adf4238a-882b-9ddc-4a9d-5b6758e4159e");
    assert_true(m.holds_key);
    assert_int_equal(m.writes, 1);
}

static void test_writes_only_changes_and_at_most_once_a_second(void **state)
{
    (void)state;
    join();
    now += MS(3000);
    assert_int_equal(fleet_member_next(&m, now), FLEET_CALL_NONE);
    fleet_member_changed(&m);
    assert_null(step(FLEET_CALL_KEY, 200, "true"));
    fleet_member_changed(&m);
    assert_int_equal(fleet_member_next(&m, now + MS(999)), FLEET_CALL_NONE);
    assert_int_equal(fleet_member_next(&m, now + MS(1000)), FLEET_CALL_KEY);
    now += MS(1000);
    assert_null(step(FLEET_CALL_KEY, 200, "true"));
    assert_int_equal(m.writes, 3);
}

static void test_renews_in_time(void **state)
{
    unsigned renewals = 0;
    uint64_t end;

    (void)state;
    join();
    for (end = now + MS(60000); now < end; now += MS(200)) {
        enum fleet_call c = fleet_member_next(&m, now);

        renewals += c == FLEET_CALL_RENEW;
        if (c != FLEET_CALL_NONE)
            assert_null(fleet_member_done(&m, c, 200, STR(""), now, &rng));
    }
    assert_in_range(renewals, 11, 12);
    assert_int_equal(m.writes, 1);
}

static void test_lost_session_is_made_again(void **state)
{
    (void)state;
    join();
    now += MS(TTL_MS / 2);
    assert_non_null(step(FLEET_CALL_RENEW, 404, "Session id not found"));
    assert_null(step(FLEET_CALL_SESSION, 200, SESSION));
    assert_null(step(FLEET_CALL_KEY, 200, "true"));
    assert_true(m.holds_key);
}

/* An agent that is away is asked less and less often, but never given up. */
static void test_backs_off(void **state)
{
    uint64_t end = now + MS(600000);
    unsigned calls = 0;

    (void)state;
    for (; now < end; now += MS(100))
        if (fleet_member_next(&m, now) == FLEET_CALL_SESSION) {
            assert_string_equal(fleet_member_done(&m, FLEET_CALL_SESSION, 0, STR(""), now, &rng),
                                "Consul does not answer");
            calls++;
        }
    assert_in_range(calls, 40, 90);
    now += MS(15000);
    join();
}

/* The key of a gateway that crashed is waited for; one that is really taken means another name. */
static void test_name_that_is_taken(void **state)
{
    uint64_t began = now;

    (void)state;
    assert_null(step(FLEET_CALL_SESSION, 200, SESSION));
    while (strcmp(m.name, "gw") == 0) {
        enum fleet_call c = fleet_member_next(&m, now);

        if (c == FLEET_CALL_KEY)
            assert_non_null(fleet_member_done(&m, c, 200, STR("false"), now, &rng));
        else if (c == FLEET_CALL_RENEW)
            assert_null(fleet_member_done(&m, c, 200, STR(""), now, &rng));
        else
            assert_int_equal(c, FLEET_CALL_NONE);
        now += MS(100);
        assert_true(now - began < MS(5 * TTL_MS));
    }
    assert_true(now - began >= MS(2 * TTL_MS));
    assert_string_equal(m.name, "gw-2");
    assert_non_null(step(FLEET_CALL_KEY, 200, "false"));
    assert_string_equal(m.name, "gw-3");
    assert_null(step(FLEET_CALL_KEY, 200, "true"));
}

static void test_old_key_of_this_gateway_runs_out(void **state)
{
    (void)state;
    assert_null(step(FLEET_CALL_SESSION, 200, SESSION));
    assert_non_null(step(FLEET_CALL_KEY, 200, "false"));
    now += MS(4000);
    assert_null(step(FLEET_CALL_KEY, 200, "true"));
    assert_string_equal(m.name, "gw");
}

static void test_missing_rights_are_named(void **state)
{
    const char *text = step(FLEET_CALL_SESSION, 403, "Permission denied");

    (void)state;
    assert_non_null(strstr(text, "session write"));
    now += MS(20000);
    assert_null(step(FLEET_CALL_SESSION, 200, SESSION));
    text = step(FLEET_CALL_KEY, 403, "");
    assert_non_null(strstr(text, "key_prefix write"));
}

static void test_session_that_is_none(void **state)
{
    static const char *const bodies[] = {"", "{}", "{\"ID\":\"\"}", "{\"ID\":7}",
                                         "{\"ID\":\"../../evil?x\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_non_null(step(FLEET_CALL_SESSION, 200, bodies[i]));
        assert_string_equal(m.session, "");
    }
}

static void test_leaves(void **state)
{
    (void)state;
    join();
    fleet_member_leave(&m);
    assert_null(step(FLEET_CALL_DESTROY, 200, "true"));
    now += MS(100000);
    assert_int_equal(fleet_member_next(&m, now), FLEET_CALL_NONE);
}

static void test_leaving_does_not_insist(void **state)
{
    (void)state;
    join();
    fleet_member_leave(&m);
    assert_non_null(step(FLEET_CALL_DESTROY, 0, ""));
    now += MS(60000);
    assert_int_equal(fleet_member_next(&m, now), FLEET_CALL_NONE);
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_joins_in_order),
        CASE(test_writes_only_changes_and_at_most_once_a_second),
        CASE(test_renews_in_time),
        CASE(test_lost_session_is_made_again),
        CASE(test_backs_off),
        CASE(test_name_that_is_taken),
        CASE(test_old_key_of_this_gateway_runs_out),
        CASE(test_missing_rights_are_named),
        CASE(test_session_that_is_none),
        CASE(test_leaves),
        CASE(test_leaving_does_not_insist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
