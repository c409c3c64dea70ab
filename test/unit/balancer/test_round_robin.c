/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <pthread.h>

static struct service s;

static void expect_order(const char *order)
{
    for (const char *c = order; *c; c++) {
        unsigned i = pick(&s);
        if (i != (unsigned)(*c - 'a'))
            fail_msg("%s at %d: %c", order, (int)(c - order), 'a' + i);
    }
}

static void equal_weights_rotate_perfectly(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 3);
    for (unsigned i = 0; i < 3; i++)
        s.targets[i].weight = 70000; /* any, when all are the same */
    service_build(&s);
    expect_order("abcabcabc");
    service_release(&s);
}

static void weights_interleave_smoothly(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 3);
    s.targets[0].weight = 50;
    s.targets[1].weight = s.targets[2].weight = 10;
    service_build(&s);
    expect_order("aabacaaaabacaa"); /* nginx's example: 5 1 1 */
    service_release(&s);
}

static void what_is_out_leaves_its_turns_to_all(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 4);
    eject(&s, 1);
    service_build(&s);
    expect_order("acdacdacd");
    service_release(&s);
}

static void the_position_outlives_the_balancer(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 4);
    service_build(&s);
    expect_order("abc");
    service_build(&s);
    expect_order("dab");
    service_release(&s);
}

static void large_weights_are_scaled(void **state)
{
    static const struct {
        const char *name;
        unsigned n;
        uint32_t weights[4];
    } rows[] = {
        {"no common divisor", 2, {5001, 2999}},
        {"huge", 3, {4000000000u, 2000000001u, 1000000003u}},
        {"small beside huge", 2, {4000000000u, 1}},
        {"exact at the cap", 2, {4095, 1}},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        double sum = 0;
        service_init(&s, BALANCE_ROUND_ROBIN, rows[i].n);
        for (unsigned k = 0; k < rows[i].n; k++) {
            s.targets[k].weight = rows[i].weights[k];
            sum += rows[i].weights[k];
        }
        service_build(&s);
        spread(&s, 4096 * 10);
        for (unsigned k = 0; k < rows[i].n; k++) {
            double share = rows[i].weights[k] / sum;
            if (s.picked[k] == 0)
                fail_msg("%s: %u starves", rows[i].name, k);
            if (share > 0.01)
                assert_near(s.picked[k] / 40960.0, share, 0.01);
        }
        service_release(&s);
    }
}

static void many_targets_all_have_a_turn(void **state)
{
    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, MANY);
    for (unsigned i = 0; i < MANY; i++)
        s.targets[i].weight = 1 + i % 100;
    service_build(&s);
    spread(&s, 4096 * 2);
    for (unsigned i = 0; i < MANY; i++)
        assert_true(s.picked[i] > 0);
    service_release(&s);
}

static _Atomic unsigned picked[4];

static void *pick_many(void *arg)
{
    struct rng rng = {(uint64_t)(uintptr_t)&rng};
    struct balance_query q = s.query;

    (void)arg;
    q.rng = &rng;
    for (unsigned k = 0; k < 10000; k++) {
        unsigned i = 0;
        if (balancer_pick(s.balancer, &q, &i) != BALANCE_OK)
            return &picked;
        picked[i]++;
    }
    return NULL;
}

static void workers_share_one_rotation(void **state)
{
    pthread_t ids[4];

    (void)state;
    service_init(&s, BALANCE_ROUND_ROBIN, 4);
    service_build(&s);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, pick_many, NULL), 0);
    for (unsigned i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(ids[i], &failed), 0);
        assert_null(failed);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(picked[i], 10000);
    service_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_weights_rotate_perfectly),
        cmocka_unit_test(weights_interleave_smoothly),
        cmocka_unit_test(what_is_out_leaves_its_turns_to_all),
        cmocka_unit_test(the_position_outlives_the_balancer),
        cmocka_unit_test(large_weights_are_scaled),
        cmocka_unit_test(many_targets_all_have_a_turn),
        cmocka_unit_test(workers_share_one_rotation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
