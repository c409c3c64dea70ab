/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

static const enum balance_policy every_policy[] = {
    BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUEST,   BALANCE_PEAK_EWMA,
    BALANCE_RANDOM,      BALANCE_CONSISTENT_HASH,
};

static struct service s;

/* Another key for each request, which only consistent_hash looks at. */
static void spread_keys(unsigned requests)
{
    memset(s.picked, 0, sizeof(s.picked));
    for (unsigned i = 0; i < requests; i++) {
        s.query.has_hash = true;
        s.query.hash = hash_mix(i + 1);
        s.picked[pick(&s)]++;
    }
}

static void words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(every_policy); i++)
        assert_int_equal(balance_policy_parse(balance_policy_name(every_policy[i])),
                         every_policy[i]);
    assert_int_equal(balance_policy_parse("consistent_hash"), BALANCE_CONSISTENT_HASH);
    assert_int_equal(balance_policy_parse("fastest"), -1);
    assert_int_equal(balance_policy_parse(""), -1);
}

enum trait {
    FINE,
    UNUSABLE,
    TRIED,
    EJECTED,
    ON_PROBATION, /* idle: may get a request */
    PROBING,
    AT_LIMIT,
    WEIGHTLESS
};

static void give(unsigned i, enum trait t)
{
    switch (t) {
    case FINE:
        break;
    case UNUSABLE:
        s.targets[i].usable = false;
        break;
    case TRIED:
        s.query.tried[s.query.ntried++] = &s.loads[i];
        break;
    case EJECTED:
        eject(&s, i);
        break;
    case PROBING:
        s.loads[i].probing = true; /* fallthrough */
    case ON_PROBATION:
        s.loads[i].ejected_until_ns = T0;
        s.loads[i].on_probation = true;
        break;
    case AT_LIMIT:
        s.loads[i].in_flight = s.loads[i].max_in_flight = 3;
        break;
    case WEIGHTLESS:
        s.targets[i].weight = 0;
        break;
    }
}

static void verdicts(void **state)
{
    static const struct {
        const char *name;
        unsigned n;
        enum trait traits[4];
        enum balance_verdict verdict;
        unsigned available;
    } rows[] = {
        {"no target", 0, {FINE}, BALANCE_NONE, 0},
        {"one", 1, {FINE}, BALANCE_OK, 1},
        {"one unusable", 1, {UNUSABLE}, BALANCE_NONE, 0},
        {"weight 0", 1, {WEIGHTLESS}, BALANCE_NONE, 0},
        {"all unusable", 3, {UNUSABLE, UNUSABLE, UNUSABLE}, BALANCE_NONE, 0},
        {"one of three", 3, {UNUSABLE, FINE, EJECTED}, BALANCE_OK, 1},
        {"tried", 1, {TRIED}, BALANCE_EXHAUSTED, 1},
        {"ejected", 1, {EJECTED}, BALANCE_EXHAUSTED, 0},
        {"on probation", 1, {ON_PROBATION}, BALANCE_OK, 1},
        {"probe under way", 1, {PROBING}, BALANCE_EXHAUSTED, 0},
        {"tried, ejected, probing", 3, {TRIED, EJECTED, PROBING}, BALANCE_EXHAUSTED, 1},
        {"full", 1, {AT_LIMIT}, BALANCE_FULL, 0},
        {"full and ejected", 2, {AT_LIMIT, EJECTED}, BALANCE_FULL, 0},
        {"full and tried", 2, {AT_LIMIT, TRIED}, BALANCE_FULL, 1},
        {"full and unusable", 2, {AT_LIMIT, UNUSABLE}, BALANCE_FULL, 0},
        {"full and fine", 4, {AT_LIMIT, AT_LIMIT, AT_LIMIT, FINE}, BALANCE_OK, 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        for (unsigned p = 0; p < ARRAY_LEN(every_policy); p++) {
            service_init(&s, every_policy[p], rows[i].n);
            for (unsigned k = 0; k < rows[i].n; k++)
                give(k, rows[i].traits[k]);
            service_build(&s);
            for (unsigned k = 0; k < 20; k++) {
                s.query.has_hash = k % 2;
                s.query.hash = hash_mix(k);
                if (verdict(&s) != rows[i].verdict)
                    fail_msg("%s: %s: %u", rows[i].name, balance_policy_name(every_policy[p]),
                             verdict(&s));
            }
            if (rows[i].verdict == BALANCE_OK) {
                enum trait t = rows[i].traits[pick(&s)];
                assert_true(t == FINE || t == ON_PROBATION);
            }
            assert_int_equal(balancer_available(s.balancer, T0), rows[i].available);
            assert_false(balancer_in_panic(s.balancer, T0));
            service_release(&s);
        }
    }
}

static void a_failed_pick_leaves_the_index_alone(void **state)
{
    unsigned index = 77;

    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 1);
    eject(&s, 0);
    service_build(&s);
    assert_int_equal(balancer_pick(s.balancer, &s.query, &index), BALANCE_EXHAUSTED);
    assert_int_equal(index, 77);
    service_release(&s);
}

static void an_ejection_ends_with_its_time(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 2);
    eject(&s, 0);
    service_build(&s);
    spread(&s, 100);
    assert_int_equal(s.picked[0], 0);
    s.query.now_ns = T0 + 10 * S;
    spread(&s, 100);
    assert_int_equal(s.picked[0], 50); /* on probation, and nobody has taken the slot */
    service_release(&s);
}

static void probation_does_not_wait_for_old_requests(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 1);
    give(0, ON_PROBATION);
    s.loads[0].in_flight = 5; /* streams from before the ejection */
    service_build(&s);
    assert_int_equal(verdict(&s), BALANCE_OK);
    service_release(&s);
}

static void every_policy_honours_weights(void **state)
{
    static const uint32_t weights[] = {30, 10, 40, 20};

    (void)state;
    for (unsigned p = 0; p < ARRAY_LEN(every_policy); p++) {
        service_init(&s, every_policy[p], 4);
        for (unsigned i = 0; i < 4; i++)
            s.targets[i].weight = weights[i];
        service_build(&s);
        spread_keys(10000);
        for (unsigned i = 0; i < 4; i++)
            assert_near(s.picked[i], weights[i] * 100, 0.1);
        service_release(&s);
    }
}

static void what_is_out_is_shared_by_the_others(void **state)
{
    (void)state;
    for (unsigned p = 0; p < ARRAY_LEN(every_policy); p++) {
        service_init(&s, every_policy[p], 100);
        for (unsigned i = 10; i < 100; i++)
            eject(&s, i);
        service_build(&s);
        spread_keys(20000);
        for (unsigned i = 0; i < 10; i++)
            assert_near(s.picked[i], 2000, 0.15);
        service_release(&s);
    }
}

static void slow_start_ramps_up(void **state)
{
    static const struct {
        uint64_t age_s;
        double share; /* of a full one */
    } rows[] = {{0, 0.1}, {10, 0.4}, {20, 0.7}, {30, 1}, {31, 1}};

    (void)state;
    for (unsigned p = 0; p < ARRAY_LEN(every_policy); p++) {
        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
            service_init(&s, every_policy[p], 5);
            s.options.slow_start_ns = 30 * S;
            s.loads[2].usable_since_ns = T0 - rows[i].age_s * S;
            service_build(&s);
            spread_keys(10000);
            assert_near(s.picked[2], 10000 * rows[i].share / (4 + rows[i].share), 0.2);
            service_release(&s);
        }
    }
}

static void slow_start_holds_when_few_are_left(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 100);
    s.options.slow_start_ns = 30 * S;
    s.loads[0].usable_since_ns = T0;
    for (unsigned i = 2; i < 100; i++)
        eject(&s, i);
    service_build(&s);
    spread(&s, 5000);
    assert_near(s.picked[0], 5000 * 0.1 / 1.1, 0.2);
    service_release(&s);
}

static void slow_start_alone_refuses_nobody(void **state)
{
    (void)state;
    for (unsigned p = 0; p < ARRAY_LEN(every_policy); p++) {
        service_init(&s, every_policy[p], 2);
        s.options.slow_start_ns = 30 * S;
        s.loads[0].usable_since_ns = s.loads[1].usable_since_ns = T0;
        service_build(&s);
        spread_keys(2000);
        assert_near(s.picked[0], 1000, 0.15);
        service_release(&s);
    }
}

static void panic_ignores_health_and_ejection(void **state)
{
    static const struct {
        const char *name;
        uint32_t percent;
        unsigned fine, ejected, critical, gone; /* gone: drained, no fallback */
        bool panic;
    } rows[] = {
        {"never", 0, 0, 4, 0, 0, false},
        {"half is enough for half", 50, 2, 2, 0, 0, false},
        {"less than half", 50, 1, 3, 0, 0, true},
        {"critical ones count", 50, 1, 0, 3, 0, true},
        {"drained ones do not", 50, 1, 0, 1, 3, false},
        {"none is left", 1, 0, 2, 2, 0, true},
        {"only drained ones", 50, 0, 0, 0, 3, false},
        {"all wanted, one missing", 100, 3, 1, 0, 0, true},
        {"all wanted, all there", 100, 4, 0, 0, 0, false},
    };

    (void)state;
    for (unsigned r = 0; r < ARRAY_LEN(rows) * ARRAY_LEN(every_policy); r++) {
        unsigned i = r % ARRAY_LEN(rows), at = rows[i].fine;
        unsigned in_panic = rows[i].fine + rows[i].ejected + rows[i].critical;
        service_init(&s, every_policy[r / ARRAY_LEN(rows)], in_panic + rows[i].gone);
        s.options.panic_percent = rows[i].percent;
        for (unsigned k = 0; k < rows[i].ejected; k++)
            eject(&s, at++);
        for (; at < s.n; at++) {
            s.targets[at].usable = false;
            s.targets[at].fallback = at < in_panic;
            s.targets[at].weight = 0;
        }
        service_build(&s);
        if (balancer_in_panic(s.balancer, T0) != rows[i].panic)
            fail_msg("%s", rows[i].name);
        assert_int_equal(balancer_available(s.balancer, T0), rows[i].fine);
        unsigned shared_by = rows[i].panic ? in_panic : rows[i].fine;
        if (shared_by == 0) {
            assert_int_not_equal(verdict(&s), BALANCE_OK);
        } else {
            spread_keys(4000);
            for (unsigned k = 0; k < s.n; k++)
                assert_in_range(s.picked[k], k < shared_by ? 4000 / shared_by * 8 / 10 : 0,
                                k < shared_by ? 4000 / shared_by * 12 / 10 : 0);
        }
        service_release(&s);
    }
}

static void panic_revisits_only_when_nothing_else_is_left(void **state)
{
    (void)state;
    for (unsigned p = 0; p < ARRAY_LEN(every_policy); p++) {
        service_init(&s, every_policy[p], 2);
        s.options.panic_percent = 80;
        eject(&s, 0);
        eject(&s, 1);
        service_build(&s);
        s.query.tried[s.query.ntried++] = &s.loads[0];
        spread_keys(100);
        assert_int_equal(s.picked[1], 100);
        s.query.tried[s.query.ntried++] = &s.loads[1];
        spread_keys(100);
        assert_true(s.picked[0] > 20 && s.picked[1] > 20);
        service_release(&s);
    }
}

/* Of three instances two are ejected, one of them by hand. */
static void panic_does_not_send_to_who_is_held_out(void **state)
{
    (void)state;
    for (unsigned p = 0; p < ARRAY_LEN(every_policy); p++) {
        service_init(&s, every_policy[p], 3);
        s.options.panic_percent = 80;
        service_build(&s);
        eject(&s, 0);
        eject(&s, 1);
        s.loads[1].held_out = true;
        assert_true(balancer_in_panic(s.balancer, T0));
        spread(&s, 300);
        assert_true(s.picked[0] > 0);
        assert_int_equal(s.picked[1], 0);
        assert_true(s.picked[2] > 0);
        s.loads[0].held_out = s.loads[2].held_out = true;
        eject(&s, 2);
        assert_int_equal(verdict(&s), BALANCE_EXHAUSTED);
        assert_int_equal(balancer_available(s.balancer, T0), 0);
        s.query.now_ns = T0 + 10 * S; /* over by itself, whoever tidies up later */
        assert_int_equal(verdict(&s), BALANCE_OK);
        service_release(&s);
    }
}

static void panic_still_honours_limits_and_probes(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 3);
    s.options.panic_percent = 80;
    eject(&s, 0);
    eject(&s, 1);
    give(2, PROBING);
    s.loads[1].in_flight = s.loads[1].max_in_flight = 1;
    service_build(&s);
    spread(&s, 100);
    assert_int_equal(s.picked[0], 100);
    s.loads[0].in_flight = s.loads[0].max_in_flight = 1;
    assert_int_equal(verdict(&s), BALANCE_FULL);
    service_release(&s);
}

static void the_preferred_tier_takes_all_while_enough_of_it_is_there(void **state)
{
    static const struct {
        const char *name;
        uint32_t percent;
        unsigned fine, ejected, critical; /* in tier 0; there are 4 in tier 1 */
        bool preferred;
    } rows[] = {
        {"all there", 70, 4, 0, 0, true},
        {"just enough", 75, 3, 1, 0, true},
        {"too few", 80, 3, 1, 0, false},
        {"critical ones are missing too", 70, 2, 0, 2, false},
        {"percent 0 needs one", 0, 1, 3, 0, true},
        {"percent 0 and none", 0, 0, 4, 0, false},
        {"tier 0 is empty", 70, 0, 0, 0, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned local = rows[i].fine + rows[i].ejected + rows[i].critical, at = rows[i].fine;
        service_init(&s, BALANCE_ROUND_ROBIN, local + 4);
        s.options.tier_min_percent = rows[i].percent;
        for (unsigned k = 0; k < rows[i].ejected; k++)
            eject(&s, at++);
        for (; at < local; at++) {
            s.targets[at].usable = false;
            s.targets[at].fallback = true;
        }
        for (; at < s.n; at++)
            s.targets[at].tier = 1;
        service_build(&s);
        spread(&s, 1000);
        bool preferred = s.picked[local] == 0;
        if (preferred != rows[i].preferred)
            fail_msg("%s", rows[i].name);
        if (rows[i].fine > 0)
            assert_near(s.picked[0], 1000.0 / (preferred ? rows[i].fine : rows[i].fine + 4), 0.1);
        service_release(&s);
    }
}

static void a_request_leaves_the_tier_when_it_must(void **state)
{
    (void)state;
    service_init(&s, BALANCE_LEAST_REQUEST, 3);
    s.targets[2].tier = 1;
    s.options.tier_min_percent = 50;
    service_build(&s);
    s.query.tried[s.query.ntried++] = &s.loads[0];
    assert_int_equal(pick(&s), 1);
    s.loads[1].in_flight = s.loads[1].max_in_flight = 1;
    assert_int_equal(pick(&s), 2);
    s.query.tried[s.query.ntried++] = &s.loads[2];
    assert_int_equal(verdict(&s), BALANCE_FULL);
    service_release(&s);
}

static void more_tried_than_fit_are_ignored(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 2);
    service_build(&s);
    for (unsigned i = 0; i < BALANCE_MAX_TRIED; i++)
        s.query.tried[i] = &s.loads[0];
    s.query.ntried = 1000;
    assert_int_equal(pick(&s), 1);
    service_release(&s);
    balancer_free(NULL);
}

/* Consul lists the first `listed` of ten no longer in doubt; the others are kept. */
static void doubt_from(unsigned listed)
{
    for (unsigned i = listed; i < 10; i++)
        s.loads[i].doubted = true;
}

static void doubted_instances_are_avoided_on_demand(void **state)
{
    (void)state;
    for (unsigned p = 0; p < ARRAY_LEN(every_policy); p++) {
        service_init(&s, every_policy[p], 10);
        doubt_from(2);
        service_build(&s);
        spread_keys(400);
        assert_true(s.picked[2] > 0 && s.picked[9] > 0); /* kept is kept */
        s.query.avoid_doubted = true;
        spread_keys(400);
        assert_int_equal(s.picked[0] + s.picked[1], 400);
        doubt_from(0); /* nothing else is left */
        spread_keys(400);
        assert_true(s.picked[0] > 0 && s.picked[9] > 0);
        service_release(&s);
    }
}

static void doubted_instances_that_refuse_are_left_alone(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 10);
    doubt_from(9);
    service_build(&s);
    s.loads[0].refused_until_ns = s.loads[9].refused_until_ns = s.query.now_ns + 1;
    spread_keys(400);
    assert_true(s.picked[0] > 0); /* it is listed: that is for others to judge */
    assert_int_equal(s.picked[9], 0);
    doubt_from(0);
    for (unsigned i = 0; i < 10; i++)
        s.loads[i].refused_until_ns = s.query.now_ns + 1;
    s.query.avoid_doubted = true;
    assert_int_equal(verdict(&s), BALANCE_EXHAUSTED);
    s.query.now_ns++;
    assert_int_equal(verdict(&s), BALANCE_OK);
    service_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(a_failed_pick_leaves_the_index_alone),
        cmocka_unit_test(an_ejection_ends_with_its_time),
        cmocka_unit_test(probation_does_not_wait_for_old_requests),
        cmocka_unit_test(every_policy_honours_weights),
        cmocka_unit_test(what_is_out_is_shared_by_the_others),
        cmocka_unit_test(slow_start_ramps_up),
        cmocka_unit_test(slow_start_holds_when_few_are_left),
        cmocka_unit_test(slow_start_alone_refuses_nobody),
        cmocka_unit_test(panic_ignores_health_and_ejection),
        cmocka_unit_test(panic_revisits_only_when_nothing_else_is_left),
        cmocka_unit_test(panic_does_not_send_to_who_is_held_out),
        cmocka_unit_test(panic_still_honours_limits_and_probes),
        cmocka_unit_test(the_preferred_tier_takes_all_while_enough_of_it_is_there),
        cmocka_unit_test(a_request_leaves_the_tier_when_it_must),
        cmocka_unit_test(more_tried_than_fit_are_ignored),
        cmocka_unit_test(doubted_instances_are_avoided_on_demand),
        cmocka_unit_test(doubted_instances_that_refuse_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
