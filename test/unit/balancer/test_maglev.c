/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

enum { KEYS = 20000 };

static struct service s;
static uint64_t owners[KEYS]; /* id_hash of each key's target */

static void start(unsigned n)
{
    service_init(&s, BALANCE_CONSISTENT_HASH, n);
    s.query.has_hash = true;
}

static unsigned pick_key(unsigned key)
{
    s.query.hash = hash_bytes(&key, sizeof(key), 0);
    return pick(&s);
}

static void remember_owners(void)
{
    memset(s.picked, 0, sizeof(s.picked));
    for (unsigned k = 0; k < KEYS; k++) {
        unsigned i = pick_key(k);
        s.picked[i]++;
        owners[k] = s.targets[i].id_hash;
    }
}

/* How many keys have moved since, of those whose target was not `lost`. */
static unsigned moved_without(uint64_t lost)
{
    unsigned n = 0;

    for (unsigned k = 0; k < KEYS; k++)
        n += s.targets[pick_key(k)].id_hash != owners[k] && owners[k] != lost;
    return n;
}

static void a_key_stays_where_it_is(void **state)
{
    (void)state;
    start(7);
    service_build(&s);
    remember_owners();
    s.rng.state = 99;
    s.cursor = 12345;
    service_build(&s);
    assert_int_equal(moved_without(0), 0);
    service_release(&s);
}

/* The worst of n shares lies about 3 sigma off by the chance of the keys alone. */
static void keys_spread_evenly(void **state)
{
    static const unsigned sizes[] = {1, 2, 3, 10, 50};

    (void)state;
    for (unsigned r = 0; r < ARRAY_LEN(sizes); r++) {
        start(sizes[r]);
        service_build(&s);
        remember_owners();
        for (unsigned i = 0; i < sizes[r]; i++)
            assert_near(s.picked[i], (double)KEYS / sizes[r], sizes[r] > 10 ? 0.2 : 0.08);
        service_release(&s);
    }
}

static void keys_spread_by_weight(void **state)
{
    static const uint32_t weights[] = {100, 50, 25, 25};

    (void)state;
    start(4);
    for (unsigned i = 0; i < 4; i++)
        s.targets[i].weight = weights[i];
    service_build(&s);
    remember_owners();
    for (unsigned i = 0; i < 4; i++)
        assert_near(s.picked[i], KEYS * weights[i] / 200.0, 0.08);
    service_release(&s);
}

static void an_instance_removed_moves_its_keys_and_few_others(void **state)
{
    static const unsigned sizes[] = {3, 10, 50, 163};

    (void)state;
    for (unsigned r = 0; r < ARRAY_LEN(sizes); r++) {
        start(sizes[r]);
        service_build(&s);
        remember_owners();
        uint64_t lost = s.targets[1].id_hash;
        s.targets[1] = s.targets[--s.n]; /* the order changes too */
        service_build(&s);
        assert_in_range(moved_without(lost), 0, KEYS * 6 / 100);
        remember_owners();
        service_release(&s);
    }
}

static void an_instance_added_takes_its_share_and_few_others_move(void **state)
{
    (void)state;
    start(10);
    s.n = 9;
    service_build(&s);
    remember_owners();
    s.n = 10;
    service_build(&s);
    unsigned moved = 0, taken = 0;
    for (unsigned k = 0; k < KEYS; k++) {
        unsigned i = pick_key(k);
        taken += i == 9;
        moved += i != 9 && s.targets[i].id_hash != owners[k];
    }
    assert_near(taken, KEYS / 10.0, 0.1);
    assert_in_range(moved, 0, KEYS * 6 / 100);
    service_release(&s);
}

static void an_ejection_moves_only_its_own_keys(void **state)
{
    static unsigned second[KEYS];

    (void)state;
    start(10);
    service_build(&s);
    remember_owners();
    eject(&s, 4);
    assert_int_equal(moved_without(s.targets[4].id_hash), 0);
    memset(s.picked, 0, sizeof(s.picked));
    for (unsigned k = 0; k < KEYS; k++) {
        second[k] = pick_key(k);
        s.picked[second[k]] += owners[k] == s.targets[4].id_hash;
    }
    for (unsigned i = 0; i < 10; i++) /* spread over all others */
        if (i != 4)
            assert_near(s.picked[i], KEYS / 90.0, 0.3);
    for (unsigned k = 0; k < KEYS; k++) /* and each to the same other one again */
        assert_int_equal(pick_key(k), second[k]);
    s.loads[4].ejected_until_ns = 0;
    s.loads[4].on_probation = false;
    assert_int_equal(moved_without(0), 0);
    service_release(&s);
}

static void with_nearly_all_out_keys_still_stay(void **state)
{
    (void)state;
    start(200);
    for (unsigned i = 3; i < 200; i++)
        eject(&s, i);
    service_build(&s);
    remember_owners();
    for (unsigned i = 0; i < 3; i++)
        assert_near(s.picked[i], KEYS / 3.0, 0.1);
    s.rng.state = 99;
    assert_int_equal(moved_without(0), 0);
    service_release(&s);
}

static void in_slow_start_a_key_moves_over_once(void **state)
{
    unsigned before = 0;
    static bool over[KEYS];

    (void)state;
    start(4);
    s.options.slow_start_ns = 10 * S;
    s.loads[3].usable_since_ns = T0;
    service_build(&s);
    memset(over, 0, sizeof(over));
    for (unsigned age_s = 0; age_s <= 10; age_s++) {
        unsigned now = 0;
        s.query.now_ns = T0 + age_s * S;
        for (unsigned k = 0; k < KEYS; k++) {
            bool there = pick_key(k) == 3;
            assert_true(there || !over[k]);
            over[k] = there;
            now += there;
        }
        assert_true(now > before);
        before = now;
    }
    assert_near(before, KEYS / 4.0, 0.08);
    service_release(&s);
}

static void without_a_key_any_is_right(void **state)
{
    (void)state;
    start(4);
    s.query.has_hash = false;
    service_build(&s);
    spread(&s, 4000);
    for (unsigned i = 0; i < 4; i++)
        assert_near(s.picked[i], 1000, 0.15);
    service_release(&s);
}

static void a_thousand_targets_work(void **state)
{
    (void)state;
    start(MANY);
    service_build(&s);
    remember_owners();
    unsigned idle = 0;
    for (unsigned i = 0; i < MANY; i++)
        idle += s.picked[i] == 0;
    assert_int_equal(idle, 0);
    service_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_stays_where_it_is),
        cmocka_unit_test(keys_spread_evenly),
        cmocka_unit_test(keys_spread_by_weight),
        cmocka_unit_test(an_instance_removed_moves_its_keys_and_few_others),
        cmocka_unit_test(an_instance_added_takes_its_share_and_few_others_move),
        cmocka_unit_test(an_ejection_moves_only_its_own_keys),
        cmocka_unit_test(with_nearly_all_out_keys_still_stay),
        cmocka_unit_test(in_slow_start_a_key_moves_over_once),
        cmocka_unit_test(without_a_key_any_is_right),
        cmocka_unit_test(a_thousand_targets_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
