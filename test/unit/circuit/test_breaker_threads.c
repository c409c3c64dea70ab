/* SPDX-License-Identifier: Apache-2.0 */
/* Four workers and an operator on one breaker. Probes in flight are counted here, outside of it,
 * and the transitions that were told must make one chain without a gap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "breaker_fixture.h"
#include "threads.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { COMMANDS = 300, HELD = 4, GENERATIONS = 1 << 20 };

/* No probe is lost here: a thread that rests with one while the others run on keeps its slot. */
static const struct breaker_options brisk = {
    .enabled = true,
    .failure_percent = 50,
    .slow_percent = 80,
    .slow_ns = S,
    .minimum_requests = 10,
    .window_ns = 10 * S,
    .open_ns = 20 * NS_PER_MS,
    .max_open_ns = 1000000 * S,
    .half_open_requests = 3,
};

static struct {
    struct breaker *b;
    _Atomic uint64_t now_ns;
    _Atomic unsigned *probes; /* in flight, by generation */
    _Atomic unsigned most;    /* seen at once */
    _Atomic unsigned seen[BREAKER_STATES];
    struct breaker_change *told; /* by generation; from == to == BREAKER_STATES: none */
    _Atomic uint32_t last_told;
    _Atomic bool done;
} run;

static void on_change(void *arg, const struct breaker_change *c)
{
    uint32_t last = atomic_load(&run.last_told);

    (void)arg;
    assert_true(c->generation < GENERATIONS);
    run.told[c->generation] = *c;
    while (last < c->generation &&
           !atomic_compare_exchange_weak(&run.last_told, &last, c->generation))
        ;
}

static uint64_t time_passes(struct rng *mine)
{
    return atomic_fetch_add(&run.now_ns, rng_below(mine, 2000000));
}

static void probe_out(struct breaker_ticket t)
{
    unsigned n = atomic_fetch_add(&run.probes[t.generation], 1) + 1;
    unsigned most = atomic_load(&run.most);

    while (most < n && !atomic_compare_exchange_weak(&run.most, &most, n))
        ;
}

static void give_back(struct breaker_ticket t, struct rng *mine, bool failing)
{
    if (t.probe)
        atomic_fetch_sub(&run.probes[t.generation], 1);
    if (rng_below(mine, 8) == 0)
        breaker_cancel(run.b, t, time_passes(mine));
    else
        breaker_report(run.b, t, time_passes(mine), mine, failing && rng_below(mine, 2),
                       rng_below(mine, 10) == 0 ? S : 1);
}

static void *worker(void *arg)
{
    struct breaker_ticket held[HELD];
    struct rng mine = {(uint64_t)(uintptr_t)&mine};
    unsigned n = 0;

    (void)arg;
    for (unsigned i = 0; !atomic_load(&run.done); i++) {
        struct breaker_ticket t = breaker_admit(run.b, time_passes(&mine));
        if (t.probe)
            probe_out(t);
        if (t.admitted)
            held[n++] = t;
        while (n == HELD || (n > 0 && rng_below(&mine, 2)))
            give_back(held[--n], &mine, i / 300 % 3 != 2);
    }
    while (n > 0)
        give_back(held[--n], &mine, true);
    return NULL;
}

static void operate(struct rng *mine)
{
    uint64_t now = time_passes(mine);
    struct breaker_options o = brisk;
    struct breaker_info info;

    switch (rng_below(mine, 12)) {
    case 0:
        breaker_unforce(run.b, now);
        break;
    case 1:
        breaker_reset(run.b, now);
        break;
    case 2:
        o.shadow = rng_below(mine, 2);
        o.enabled = rng_below(mine, 4) > 0;
        breaker_configure(run.b, &o);
        break;
    case 3:
    case 4:
        breaker_force(run.b, BREAKER_SHADOW, now + S, now);
        break;
    case 5:
        breaker_force(run.b, BREAKER_FORCED_OPEN + rng_below(mine, 3), now + S / 20, now);
        break;
    default:
        breaker_tick(run.b, now);
        breaker_info(run.b, now, &info);
        atomic_fetch_add(&run.seen[info.state], 1);
        assert_true(info.probes_in_flight <= brisk.half_open_requests);
        break;
    }
}

static void *operator_thread(void *arg)
{
    struct rng mine = {99};

    (void)arg;
    /* A word, then some time for the workers to act on it. */
    for (unsigned i = 0; i < COMMANDS; i++) {
        uint64_t until = atomic_load(&run.now_ns) + S / 5;
        operate(&mine);
        while (atomic_load(&run.now_ns) < until)
            sched_yield();
    }
    atomic_store(&run.done, true);
    return NULL;
}

/* Each begins where the one before it ended; none is missing, none was told twice. */
static void make_one_chain(void)
{
    enum breaker_state at = BREAKER_CLOSED, machine = BREAKER_CLOSED;
    uint32_t last = atomic_load(&run.last_told);

    assert_true(last > 100);
    for (uint32_t g = 1; g <= last; g++) {
        const struct breaker_change *c = &run.told[g];
        assert_int_equal(c->generation, g);
        if (c->shadow) {
            assert_int_equal(at, BREAKER_SHADOW);
            assert_int_equal(c->from, machine);
            machine = c->to;
        } else {
            assert_int_equal(c->from, at);
            at = c->to;
            machine = BREAKER_CLOSED;
        }
    }
}

static void probes_are_bounded_whatever_happens(void **state)
{
    pthread_t op;

    (void)state;
    run.b = breaker_with(&brisk);
    run.probes = calloc(GENERATIONS, sizeof *run.probes);
    run.told = calloc(GENERATIONS, sizeof *run.told);
    assert_true(run.probes && run.told);
    atomic_store(&run.now_ns, T0);
    breaker_watch(run.b, on_change, NULL);
    assert_int_equal(pthread_create(&op, NULL, operator_thread, NULL), 0);
    in_threads(worker, NULL);
    pthread_join(op, NULL);

    assert_int_equal(atomic_load(&run.most), brisk.half_open_requests);
    assert_true(atomic_load(&run.seen[BREAKER_SHADOW]) > 0);
    make_one_chain();
    free(run.probes);
    free(run.told);
    breaker_free(run.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_are_bounded_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
