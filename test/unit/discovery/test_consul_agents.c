/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/rng.h"
#include "discovery/consul_agents.h"

static const uint64_t t0 = 1000 * NS_PER_S;

/* A = answered, F = failed, R = refused; a digit: the agent that must be in use then. */
static void outcomes_choose(void **state)
{
    static const struct {
        const char *name;
        unsigned n;
        const char *script;
    } rows[] = {
        {"good answers change nothing", 3, "0AAA0"},
        {"two errors are forgiven", 3, "FF0AFF0"},
        {"three in a row are not", 3, "FFF1"},
        {"refused: at once", 3, "R1"},
        {"the next one fails too", 3, "R1R2"},
        {"then the round begins again", 3, "R1R2R0"},
        {"the first of the list comes first again", 3, "R1R2AR0"},
        {"the one in use may fail in between", 3, "R1AFFA1FFF0"},
        {"one agent only", 1, "RRRFFFFF0"},
        {"of two, to and fro", 2, "R1R0R1FFF0"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct consul_agents a;
        uint64_t now = t0;

        consul_agents_init(&a, rows[i].n, now);
        for (const char *p = rows[i].script; *p; p++, now += NS_PER_S) {
            unsigned before = a.at;
            bool moved = false;

            if (*p >= '0' && *p <= '9') {
                if (a.at != (unsigned)(*p - '0'))
                    fail_msg("%s: at \"%s\" agent %u", rows[i].name, p, a.at);
                continue;
            }
            moved = consul_agents_report(&a,
                                         *p == 'A'   ? CONSUL_ANSWERED
                                         : *p == 'F' ? CONSUL_FAILED
                                                     : CONSUL_REFUSED,
                                         now);
            if (moved != (a.at != before) || (moved && a.since_ns != now))
                fail_msg("%s: at \"%s\" the change is not told", rows[i].name, p);
        }
    }
}

static void an_election_is_waited_for(void **state)
{
    struct consul_agents a;

    (void)state;
    consul_agents_init(&a, 2, t0);
    for (unsigned i = 0; i < 20; i++)
        assert_false(consul_agents_report(&a, CONSUL_FAILED, t0 + i * 99 * NS_PER_MS));
    consul_agents_report(&a, CONSUL_ANSWERED, t0 + 2 * NS_PER_S);
    for (unsigned i = 0; i < 20; i++)
        assert_false(consul_agents_report(&a, CONSUL_FAILED, t0 + (30 + i) * 100 * NS_PER_MS));
    assert_true(consul_agents_report(&a, CONSUL_FAILED, t0 + 5 * NS_PER_S));
}

static bool pulse(struct consul_agents *a, unsigned i, enum consul_pulse p, uint64_t now)
{
    return consul_agents_pulse(a, i, p, 60000, now);
}

static void returns_after_a_calm_while(void **state)
{
    struct consul_agents a;
    uint64_t minute = 60 * NS_PER_S;

    (void)state;
    consul_agents_init(&a, 2, t0);
    assert_int_equal(consul_agents_look(&a, 60000), a.at);
    assert_true(consul_agents_report(&a, CONSUL_REFUSED, t0));
    assert_int_equal(consul_agents_look(&a, 60000), 0);
    assert_false(pulse(&a, 0, CONSUL_WELL, t0));
    assert_false(pulse(&a, 0, CONSUL_WELL, t0 + minute - 1));
    assert_false(pulse(&a, 0, CONSUL_SILENT, t0 + minute));
    assert_false(pulse(&a, 0, CONSUL_WELL, t0 + minute + 1));
    assert_false(pulse(&a, 0, CONSUL_WELL, t0 + 2 * minute));
    assert_true(pulse(&a, 0, CONSUL_WELL, t0 + 2 * minute + 1));
    assert_int_equal(a.at, 0);
    assert_int_equal(a.switches, 2);
    assert_false(pulse(&a, 0, CONSUL_WELL, t0 + 9 * minute));
}

static void leaderless_is_not_well(void **state)
{
    struct consul_agents a;
    uint64_t minute = 60 * NS_PER_S;

    (void)state;
    consul_agents_init(&a, 2, t0);
    consul_agents_report(&a, CONSUL_REFUSED, t0);
    assert_false(pulse(&a, 0, CONSUL_WELL, t0));
    assert_false(pulse(&a, 0, CONSUL_LEADERLESS, t0 + minute));
    assert_false(pulse(&a, 0, CONSUL_WELL, t0 + minute + 1));
    assert_int_equal(a.at, 1);
}

static void stays_when_told_to(void **state)
{
    struct consul_agents a;

    (void)state;
    consul_agents_init(&a, 2, t0);
    consul_agents_report(&a, CONSUL_REFUSED, t0);
    assert_int_equal(consul_agents_look(&a, 0), a.at);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(consul_agents_pulse(&a, 0, CONSUL_WELL, 0, t0 + i * NS_PER_S * 60));
    assert_int_equal(a.at, 1);
}

static void one_that_hangs_is_left(void **state)
{
    struct consul_agents a;

    (void)state;
    consul_agents_init(&a, 2, t0);
    assert_false(pulse(&a, 0, CONSUL_SILENT, t0));
    assert_false(pulse(&a, 0, CONSUL_SILENT, t0));
    assert_false(pulse(&a, 0, CONSUL_WELL, t0));
    assert_false(pulse(&a, 0, CONSUL_SILENT, t0));
    assert_false(pulse(&a, 0, CONSUL_SILENT, t0));
    assert_true(pulse(&a, 0, CONSUL_SILENT, t0));
    assert_int_equal(a.at, 1);
}

static void one_without_a_leader_is_left_for_a_better_one(void **state)
{
    struct consul_agents a;

    (void)state;
    consul_agents_init(&a, 3, t0);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(pulse(&a, 2, CONSUL_WELL, t0));
        assert_false(pulse(&a, 0, CONSUL_LEADERLESS, t0));
    }
    /* The others in turn, for as long as none of them knows. */
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(consul_agents_look(&a, 60000), 1 + i % 2);
        assert_false(pulse(&a, 1 + i % 2, i % 3 ? CONSUL_LEADERLESS : CONSUL_SILENT, t0));
        assert_false(pulse(&a, 0, CONSUL_LEADERLESS, t0));
    }
    assert_true(pulse(&a, 2, CONSUL_WELL, t0));
    assert_int_equal(a.at, 2);
}

static void a_leader_that_is_back_ends_the_search(void **state)
{
    struct consul_agents a;

    (void)state;
    consul_agents_init(&a, 2, t0);
    for (unsigned i = 0; i < 5; i++)
        pulse(&a, 0, CONSUL_LEADERLESS, t0);
    pulse(&a, 0, CONSUL_WELL, t0);
    assert_false(pulse(&a, 1, CONSUL_WELL, t0));
    assert_int_equal(a.at, 0);
}

/* Whatever happens: an agent of the list, and every one is tried before one is tried twice. */
static void every_agent_gets_its_turn(void **state)
{
    struct rng rng = {7};

    (void)state;
    for (unsigned n = 2; n <= CONSUL_AGENTS_MAX; n++) {
        struct consul_agents a;
        uint32_t seen = 1;

        consul_agents_init(&a, n, t0);
        for (unsigned i = 1; i < n; i++) {
            uint64_t now = t0;

            while (
                !consul_agents_report(&a, rng_below(&rng, 2) ? CONSUL_FAILED : CONSUL_REFUSED, now))
                now += NS_PER_S;
            assert_in_range(a.at, 0, n - 1);
            assert_false(seen & 1u << a.at);
            seen |= 1u << a.at;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_choose),
        cmocka_unit_test(returns_after_a_calm_while),
        cmocka_unit_test(an_election_is_waited_for),
        cmocka_unit_test(leaderless_is_not_well),
        cmocka_unit_test(stays_when_told_to),
        cmocka_unit_test(one_that_hangs_is_left),
        cmocka_unit_test(one_without_a_leader_is_left_for_a_better_one),
        cmocka_unit_test(a_leader_that_is_back_ends_the_search),
        cmocka_unit_test(every_agent_gets_its_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
