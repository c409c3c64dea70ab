/* SPDX-License-Identifier: Apache-2.0 */
/* Random sequences of everything that can happen to a breaker, against the model in
 * breaker_model.h. After every step the ticket, the transitions that were told and the draws of
 * jitter are compared, and (not always: asking settles what is due) the whole of breaker_info().
 *
 * FRONTDESK_MODEL_STEPS=N takes more steps than usual, FRONTDESK_MODEL_SEED=N begins elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "breaker_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S  NS_PER_S
#define MS NS_PER_MS
#define T0 (1000 * S)

enum { SEQUENCE = 2000, TICKETS = 24, LAST_OPS = 40, DEFAULT_STEPS = 200000 };

enum op { ADMIT, REPORT, CANCEL, TIME, FORCE, UNFORCE, RESET, CONFIGURE, TICK, NOPS };
static const char *const op_names[NOPS] = {"admit",   "report", "cancel",    "time", "force",
                                           "unforce", "reset",  "configure", "tick"};

struct run {
    uint64_t seed, step, now_ns;
    struct rng choice, jitter;
    struct breaker *b;
    struct model m;
    struct breaker_ticket tickets[TICKETS];
    unsigned ntickets;
    unsigned info_percent, fail_percent;
    unsigned ntold;
    struct breaker_change told;
    struct {
        enum op op;
        uint64_t now_ns, a, b;
    } ops[LAST_OPS];
    uint64_t visited[BREAKER_STATES][BREAKER_STATES]; /* over all sequences */
};

static uint64_t steps_wanted(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void note(struct run *r, enum op op, uint64_t a, uint64_t b)
{
    uint64_t at = r->step % LAST_OPS;

    r->ops[at].op = op;
    r->ops[at].now_ns = r->now_ns;
    r->ops[at].a = a;
    r->ops[at].b = b;
}

static void diverged(const struct run *r, const char *what)
{
    uint64_t from = r->step + 1 > LAST_OPS ? r->step + 1 - LAST_OPS : 0;

    for (uint64_t i = from; i <= r->step; i++)
        fprintf(stderr, "%" PRIu64 ": at %" PRIu64 " %s %" PRIu64 " %" PRIu64 "\n", i,
                r->ops[i % LAST_OPS].now_ns, op_names[r->ops[i % LAST_OPS].op],
                r->ops[i % LAST_OPS].a, r->ops[i % LAST_OPS].b);
    fprintf(stderr, "model: %s, machine %s, forced %d, generation %u, probes out %u\n",
            breaker_state_name(r->m.state), breaker_state_name(r->m.machine), r->m.forced,
            r->m.generation, r->m.out);
    fail_msg("seed %" PRIu64 ", step %" PRIu64 ": %s", r->seed, r->step, what);
}

static void same(const struct run *r, const char *what, uint64_t is, uint64_t should)
{
    char text[120];

    if (is == should)
        return;
    snprintf(text, sizeof text, "%s is %" PRIu64 ", should be %" PRIu64, what, is, should);
    diverged(r, text);
}
#define SAME(field) same(r, #field, (uint64_t)is.field, (uint64_t)should.field)

static void compare_ticket(const struct run *r, struct breaker_ticket is,
                           struct breaker_ticket should)
{
    SAME(admitted);
    SAME(probe);
    SAME(generation);
    SAME(retry_after_ns);
}

static void compare_info(struct run *r)
{
    struct breaker_info is, should = model_info(&r->m, r->now_ns);

    breaker_info(r->b, r->now_ns, &is);
    SAME(state);
    SAME(machine);
    SAME(forced);
    SAME(forced_until_ns);
    SAME(would_reject);
    SAME(since_ns);
    SAME(reopens_at_ns);
    SAME(trips_in_a_row);
    SAME(trips);
    SAME(rejected);
    SAME(probes_in_flight);
    SAME(probes_succeeded);
    SAME(now_total);
    SAME(now_failed);
    SAME(now_slow);
    SAME(trip.cause);
    SAME(trip.at_ns);
    SAME(trip.total);
    SAME(trip.failed);
    SAME(trip.slow);
    SAME(trip.window_ns);
}

static void compare_told(struct run *r)
{
    struct breaker_change is = r->told, should = r->m.told;

    same(r, "number of transitions told", r->ntold, r->m.ntold);
    if (r->ntold == 0)
        return;
    SAME(from);
    SAME(to);
    SAME(cause);
    SAME(shadow);
    SAME(at_ns);
    SAME(until_ns);
    SAME(generation);
    SAME(total);
    SAME(failed);
    SAME(slow);
    SAME(window_ns);
}

static void on_change(void *arg, const struct breaker_change *c)
{
    struct run *r = arg;

    r->ntold++;
    r->told = *c;
    r->visited[c->from][c->to]++;
}

static const struct breaker_options variants[] = {
    {true, false, 50, 80, S, 4, 10 * S, 5 * S, 30 * S, 3},
    {true, false, 50, 0, 0, 10, S, 100 * MS, S, 1},
    {true, false, 0, 50, MS, 2, 2 * S, S, 500 * MS, 2},
    {true, false, 1, 1, 1, 0, 100 * MS, MS, 10 * MS, 0},
    {true, false, 100, 100, 10 * MS, 5, 5, 7, 1000, 5},
    {true, true, 50, 80, S, 4, 10 * S, 5 * S, 30 * S, 3},
    {true, true, 30, 0, 0, 1, S, 50 * MS, S, 1},
    {false, false, 50, 80, S, 4, 10 * S, 5 * S, 30 * S, 3},
    {false, true, 50, 0, 0, 1, S, S, S, 2},
};

static void pass_time(struct run *r)
{
    static const uint64_t spans[] = {0, 1, 1000, MS, 30 * MS, 300 * MS, S, 3 * S, 40 * S};
    uint64_t target = 0;

    switch (rng_below(&r->choice, 5)) {
    case 0: /* around a moment that means something */
        target = rng_below(&r->choice, 2) ? r->m.reopens_at_ns : r->m.until_ns;
        target += rng_below(&r->choice, 3);
        target -= 1;
        break;
    case 1:
        target = r->m.lost_at_ns + rng_below(&r->choice, 3) - 1;
        break;
    default:
        break;
    }
    if (target > r->now_ns && target < r->now_ns + 100 * S)
        r->now_ns = target;
    else
        r->now_ns +=
            spans[rng_below(&r->choice, ARRAY_LEN(spans))] * (1 + rng_below(&r->choice, 3));
    note(r, TIME, 0, 0);
}

static void do_admit(struct run *r)
{
    struct breaker_ticket t = breaker_admit(r->b, r->now_ns);

    note(r, ADMIT, t.admitted, t.probe);
    compare_ticket(r, t, model_admit(&r->m, r->now_ns));
    if (r->ntickets < TICKETS) {
        r->tickets[r->ntickets++] = t; /* one that was rejected is reported too: it says nothing */
    } else {
        breaker_cancel(r->b, t, r->now_ns);
        model_cancel(&r->m, t);
    }
}

static struct breaker_ticket take_ticket(struct run *r)
{
    unsigned at = rng_below(&r->choice, r->ntickets);
    struct breaker_ticket t = r->tickets[at];

    r->tickets[at] = r->tickets[--r->ntickets];
    return t;
}

static void do_report(struct run *r)
{
    static const uint64_t took[] = {0, 1, MS, 10 * MS, S - 1, S, 5 * S};
    struct breaker_ticket t = take_ticket(r);
    bool failed = rng_below(&r->choice, 100) < r->fail_percent;
    uint64_t took_ns = took[rng_below(&r->choice, rng_below(&r->choice, 2) ? 2 : ARRAY_LEN(took))];
    struct rng jitter = r->jitter;

    note(r, REPORT, failed, took_ns);
    breaker_report(r->b, t, r->now_ns, &r->jitter, failed, took_ns);
    model_report(&r->m, t, r->now_ns, &jitter, failed, took_ns);
    same(r, "jitter drawn", r->jitter.state, jitter.state);
}

static void do_force(struct run *r)
{
    static const uint64_t spans[] = {0, 1, 10 * MS, 400 * MS, 2 * S, 20 * S};
    enum breaker_state to = BREAKER_FORCED_OPEN + rng_below(&r->choice, 4);
    uint64_t until_ns = r->now_ns + spans[rng_below(&r->choice, ARRAY_LEN(spans))];

    if (rng_below(&r->choice, 10) == 0)
        until_ns = UINT64_MAX;
    note(r, FORCE, to, until_ns);
    breaker_force(r->b, to, until_ns, r->now_ns);
    model_force(&r->m, to, until_ns, r->now_ns);
}

static void do_configure(struct run *r)
{
    unsigned at = rng_below(&r->choice, ARRAY_LEN(variants));

    note(r, CONFIGURE, at, 0);
    breaker_configure(r->b, &variants[at]);
    model_configure(&r->m, &variants[at]);
}

static void operate(struct run *r)
{
    switch (rng_below(&r->choice, 8)) {
    case 0:
    case 1:
    case 2:
        do_force(r);
        break;
    case 3:
        note(r, UNFORCE, 0, 0);
        breaker_unforce(r->b, r->now_ns);
        model_unforce(&r->m, r->now_ns);
        break;
    case 4:
        note(r, RESET, 0, 0);
        breaker_reset(r->b, r->now_ns);
        model_reset(&r->m, r->now_ns);
        break;
    case 5:
        do_configure(r);
        break;
    default:
        note(r, TICK, 0, 0);
        breaker_tick(r->b, r->now_ns);
        model_tick(&r->m, r->now_ns);
        break;
    }
}

static void one_step(struct run *r)
{
    unsigned choice = rng_below(&r->choice, 100);

    r->ntold = r->m.ntold = 0;
    if (choice < 40) {
        do_admit(r);
    } else if (choice < 70 && r->ntickets > 0) {
        do_report(r);
    } else if (choice < 75 && r->ntickets > 0) {
        struct breaker_ticket t = take_ticket(r);
        note(r, CANCEL, t.probe, t.generation);
        breaker_cancel(r->b, t, r->now_ns);
        model_cancel(&r->m, t);
    } else if (choice < 94) {
        pass_time(r);
    } else {
        operate(r);
    }
    compare_told(r);
    if (rng_below(&r->choice, 100) < r->info_percent) {
        r->ntold = r->m.ntold = 0;
        compare_info(r);
        compare_told(r);
    }
    if (rng_below(&r->choice, 100) == 0) /* good and bad times */
        r->fail_percent = rng_below(&r->choice, 5) * 25;
}

static uint64_t one_sequence(struct run *r, uint64_t seed, uint64_t steps)
{
    static const unsigned info_percents[] = {100, 30, 3};
    const struct breaker_options *o;

    r->seed = seed;
    r->choice = (struct rng){seed};
    r->jitter = (struct rng){~seed};
    r->now_ns = T0;
    r->ntickets = 0;
    r->info_percent = info_percents[seed % ARRAY_LEN(info_percents)];
    r->fail_percent = 50;
    o = &variants[rng_below(&r->choice, ARRAY_LEN(variants))];
    r->m = (struct model){.since_ns = T0};
    take_options(&r->m, o);
    r->m.state = at_rest(&r->m);
    r->b = breaker_new(o, T0);
    assert_non_null(r->b);
    breaker_watch(r->b, on_change, r);
    for (r->step = 0; r->step < steps; r->step++)
        one_step(r);
    breaker_free(r->b);
    return steps;
}

/* A run that never sees half of the ways between the states would prove nothing. */
static void all_ways_were_gone(const struct run *r)
{
    for (unsigned from = 0; from < BREAKER_STATES; from++)
        for (unsigned to = 0; to < BREAKER_STATES; to++) {
            bool by_machine = to == BREAKER_OPEN || to == BREAKER_HALF_OPEN;
            bool possible = to != BREAKER_OPEN && to != BREAKER_HALF_OPEN;

            if (by_machine)
                possible = (from == BREAKER_CLOSED && to == BREAKER_OPEN) ||
                           (from == BREAKER_HALF_OPEN && to == BREAKER_OPEN) ||
                           (from == BREAKER_OPEN && to == BREAKER_HALF_OPEN) ||
                           (from == BREAKER_FORCED_OPEN && to == BREAKER_HALF_OPEN);
            if (possible != (r->visited[from][to] > 0))
                fail_msg("%s -> %s: %" PRIu64 " times", breaker_state_name(from),
                         breaker_state_name(to), r->visited[from][to]);
        }
}

static void follows_the_model(void **state)
{
    static struct run r;
    uint64_t wanted = steps_wanted("FRONTDESK_MODEL_STEPS", DEFAULT_STEPS), done = 0;
    uint64_t seed = steps_wanted("FRONTDESK_MODEL_SEED", 1);

    (void)state;
    while (done < wanted)
        done += one_sequence(&r, seed++, SEQUENCE);
    if (wanted >= DEFAULT_STEPS)
        all_ways_were_gone(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_model)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
