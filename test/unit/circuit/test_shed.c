/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/rng.h"
#include "circuit/shed.h"

#include <string.h>

static const struct shed_conf conf = {50 * NS_PER_MS, 100 * NS_PER_MS};

enum { STEP_MS = 25 };

struct run {
    struct shed shed;
    uint64_t now_ns;
};

static bool feed(struct run *r, uint64_t late_ms, unsigned connections)
{
    r->now_ns += STEP_MS * NS_PER_MS;
    return shed_feed(&r->shed, &conf, r->now_ns,
                     (struct shed_sample){late_ms * NS_PER_MS, connections});
}

static void feed_for(struct run *r, uint64_t ms, uint64_t late_ms, unsigned connections)
{
    for (uint64_t t = 0; t < ms; t += STEP_MS)
        feed(r, late_ms, connections);
}

/* Each row: a second of the same sample after the row before; samples come every 25 ms, so an
 * interval with the gap between two is five of them. */
static void table(void **state)
{
    static const struct {
        const char *name;
        uint64_t ms, late_ms;
        unsigned connections, level;
    } rows[] = {
        {"idle", 1000, 0, 0, 0},
        {"just on target", 1000, 50, 94, 0},
        {"late for less than an interval", 75, 60, 0, 0},
        {"and on time again", 550, 0, 0, 0},
        {"late for an interval", 125, 60, 0, 1},
        {"for two", 125, 60, 0, 1},
        {"for three", 125, 60, 0, 2},
        {"for long", 2000, 60, 0, 3},
        {"between half the target and the target it stays", 2000, 25, 0, 3},
        {"below half of it falls", 875, 24, 0, 3},
        {"by a level in eight intervals", 125, 24, 0, 2},
        {"and another", 1000, 24, 0, 1},
        {"down to nothing", 1000, 24, 0, 0},
        {"94 % of the connections", 2000, 0, 94, 0},
        {"95 %", 2000, 0, 95, 1},
        {"97 %", 2000, 0, 97, 2},
        {"98 %", 2000, 0, 98, 2},
        {"99 %", 2000, 0, 99, 3},
        {"two less than what asked for the level keeps it", 2000, 0, 97, 3},
        {"room for the third", 3000, 0, 96, 2},
        {"for the second", 3000, 0, 94, 1},
        {"the first is kept", 3000, 0, 93, 1},
        {"enough room", 3000, 0, 92, 0},
        {"late and full: the loop counts for more", 3000, 70, 95, 3},
        {"on time and full: what the connections ask for", 3000, 0, 95, 2},
    };
    struct run r = {.now_ns = NS_PER_S};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        feed_for(&r, rows[i].ms, rows[i].late_ms, rows[i].connections);
        if (shed_level(&r.shed) != rows[i].level)
            fail_msg("%s: level %u, not %u", rows[i].name, shed_level(&r.shed), rows[i].level);
    }
}

/* What the classes lose at each degree, over all dice. */
static void shares(void **state)
{
    (void)state;
    for (unsigned degree = 0; degree <= SHED_FULL; degree++) {
        struct shed s = {.degree = degree};

        for (unsigned class = 0; class <= SHED_LEVELS; class ++) {
            int expected = (int)degree - (int)class * SHED_STEPS, refused = 0;

            expected = expected < 0 ? 0 : expected > SHED_STEPS ? SHED_STEPS : expected;
            for (unsigned dice = 0; dice < SHED_STEPS; dice++)
                refused += shed_refuses(&s, class, dice);
            assert_int_equal(refused, expected);
            assert_int_equal(shed_touches(&s, class), refused > 0);
        }
        assert_false(shed_touches(&s, SHED_LEVELS));
        assert_int_equal(shed_level(&s) == 0, !shed_touches(&s, 0));
    }
}

static void one_pause_is_no_queue(void **state)
{
    struct run r = {.now_ns = NS_PER_S};

    (void)state;
    for (int i = 0; i < 100; i++) {
        feed(&r, 0, 0);
        r.now_ns += 3 * NS_PER_S;
        feed(&r, 3000, 0);
        feed(&r, 40, 0);
        assert_int_equal(shed_level(&r.shed), 0);
    }
}

/* Turns that last seconds still are a queue: the interval is as long as its samples take. */
static void long_turns_are(void **state)
{
    struct run r = {.now_ns = NS_PER_S};

    (void)state;
    for (int i = 0; i < SHED_SAMPLES; i++) {
        assert_int_equal(shed_level(&r.shed), 0);
        r.now_ns += 2 * NS_PER_S;
        feed(&r, 2000, 0);
    }
    assert_int_equal(shed_level(&r.shed), 1);
}

static void tells_of_changes(void **state)
{
    struct run r = {.now_ns = NS_PER_S};
    unsigned changes = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        unsigned before = shed_level(&r.shed);
        bool changed = feed(&r, i < 100 ? 80 : 0, 0);

        assert_int_equal(changed, shed_level(&r.shed) != before);
        changes += changed;
        if (changed)
            assert_int_equal(r.shed.since_ns, r.now_ns);
    }
    assert_int_equal(changes, 5); /* three up; 24 intervals down are not over yet */
    assert_int_equal(shed_level(&r.shed), 1);
    assert_true(shed_reset(&r.shed, r.now_ns + 1));
    assert_int_equal(r.shed.since_ns, r.now_ns + 1);
    assert_false(shed_reset(&r.shed, r.now_ns + 2));
    assert_int_equal(shed_level(&r.shed), 0);
}

static unsigned levels_for(unsigned connections)
{
    return connections >= 99 ? 3 : connections >= 97 ? 2 : connections >= 95;
}

/* What happened before must explain every step: the minima of the samples since the last one. */
static void check_step(const struct run *r, unsigned before, struct shed_sample least,
                       unsigned samples, uint64_t lasted_ns)
{
    unsigned after = r->shed.degree;

    assert_true(after <= SHED_FULL);
    if (after == before)
        return;
    assert_true(samples >= SHED_SAMPLES && lasted_ns >= conf.interval_ns);
    if (after > before) {
        assert_true(after - before <= SHED_STEPS / 2);
        assert_true(least.late_ns > conf.target_ns || least.connections >= 95);
        if (least.late_ns <= conf.target_ns)
            assert_true(after <= SHED_STEPS * levels_for(least.connections));
    } else {
        assert_int_equal(before - after, 1);
        assert_true(least.late_ns < conf.target_ns / 2);
    }
}

static void random_sequences(void **state)
{
    struct rng rng = {.state = 20261125};

    (void)state;
    for (int sequence = 0; sequence < 500; sequence++) {
        struct run r = {.now_ns = 1 + rng_below(&rng, 1000000000)};
        struct shed_sample least = {UINT64_MAX, 1000};
        uint64_t begin_ns = 0, mood_ms = 0;
        unsigned samples = 0, crowd = 0;

        for (int i = 0; i < 400; i++) {
            unsigned before = r.shed.degree;
            struct shed_sample s;

            if (rng_below(&rng, 20) == 0) {
                mood_ms = rng_below(&rng, 140);
                crowd = rng_below(&rng, 101);
            }
            r.now_ns += (1 + rng_below(&rng, 60)) * NS_PER_MS;
            s.late_ns = (mood_ms + rng_below(&rng, 20)) * NS_PER_MS;
            s.connections = crowd;
            if (samples++ == 0)
                begin_ns = r.now_ns;
            least.late_ns = s.late_ns < least.late_ns ? s.late_ns : least.late_ns;
            least.connections = crowd < least.connections ? crowd : least.connections;
            shed_feed(&r.shed, &conf, r.now_ns, s);
            check_step(&r, before, least, samples, r.now_ns - begin_ns);
            if (samples >= SHED_SAMPLES && r.now_ns - begin_ns >= conf.interval_ns) {
                samples = 0;
                least = (struct shed_sample){UINT64_MAX, 1000};
            }
        }
        /* Never stuck, wherever it was: idle for long enough is at rest, late for long is full. */
        feed_for(&r, 26 * 125, 0, 0);
        assert_int_equal(r.shed.degree, 0);
        feed_for(&r, 7 * 125, 1000, 0);
        assert_int_equal(r.shed.degree, SHED_FULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(shares),
        cmocka_unit_test(one_pause_is_no_queue),
        cmocka_unit_test(long_turns_are),
        cmocka_unit_test(tells_of_changes),
        cmocka_unit_test(random_sequences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
