/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* breaker_model.h - a circuit breaker that is too simple to be wrong: one thread, no atomics, no
 * short cuts. It says what circuit/breaker.h says; test_breaker_model.c holds one against the
 * other. */
#include "circuit/breaker.h"

#include <string.h>

enum { EPOCHS = 64 };

struct counts {
    uint32_t total, failed, slow;
};

struct model {
    struct breaker_options o;
    enum breaker_state state;
    enum breaker_state machine; /* closed, open or half-open; for CLOSED, OPEN, HALF_OPEN, SHADOW */
    bool forced;
    bool reconfigured; /* the options want another state than this one */
    uint64_t until_ns; /* of a forced state */
    uint32_t generation;
    uint64_t since_ns, reopens_at_ns, lost_at_ns;
    uint32_t in_a_row, out, passed, passed_slow;
    uint64_t trips, rejected, would_reject;
    struct breaker_info last; /* its trip */
    struct {
        uint64_t epoch;
        struct counts n;
    } epochs[EPOCHS]; /* outcomes by tenth of the window in which they came */
    unsigned ntold;
    struct breaker_change told;
};

static uint64_t slice_of(const struct model *m)
{
    return m->o.window_ns < 10 ? 1 : m->o.window_ns / 10;
}

static void window_forget(struct model *m)
{
    memset(m->epochs, 0, sizeof m->epochs);
}

static void window_count(struct model *m, uint64_t now_ns, bool failed, bool slow)
{
    uint64_t epoch = now_ns / slice_of(m);
    unsigned at = epoch % EPOCHS;

    if (m->epochs[at].epoch != epoch) {
        m->epochs[at].epoch = epoch;
        m->epochs[at].n = (struct counts){0, 0, 0};
    }
    m->epochs[at].n.total++;
    m->epochs[at].n.failed += failed;
    m->epochs[at].n.slow += slow;
}

/* The tenth of now, the nine before it, and one ahead. */
static struct counts window_now(const struct model *m, uint64_t now_ns)
{
    uint64_t now = now_ns / slice_of(m);
    struct counts sum = {0, 0, 0};

    for (uint64_t epoch = now - 9; epoch <= now + 1; epoch++) {
        if (m->epochs[epoch % EPOCHS].epoch != epoch)
            continue;
        sum.total += m->epochs[epoch % EPOCHS].n.total;
        sum.failed += m->epochs[epoch % EPOCHS].n.failed;
        sum.slow += m->epochs[epoch % EPOCHS].n.slow;
    }
    return sum;
}

static void take_options(struct model *m, const struct breaker_options *o)
{
    m->o = *o;
    if (m->o.half_open_requests == 0)
        m->o.half_open_requests = 1;
    if (m->o.max_open_ns < m->o.open_ns)
        m->o.max_open_ns = m->o.open_ns;
}

static enum breaker_state at_rest(const struct model *m)
{
    return !m->o.enabled ? BREAKER_DISABLED : m->o.shadow ? BREAKER_SHADOW : BREAKER_CLOSED;
}

static bool has_machine(enum breaker_state s)
{
    return s == BREAKER_CLOSED || s == BREAKER_OPEN || s == BREAKER_HALF_OPEN ||
           s == BREAKER_SHADOW;
}

static void new_generation(struct model *m, uint64_t now_ns)
{
    m->generation++;
    m->since_ns = now_ns;
    m->out = m->passed = m->passed_slow = 0;
}

static void tell(struct model *m, enum breaker_state from, enum breaker_state to,
                 enum breaker_cause cause, bool shadow, struct counts n, uint64_t window_ns,
                 uint64_t now_ns)
{
    bool told_until = m->forced && to >= BREAKER_FORCED_OPEN;

    m->ntold++;
    m->told = (struct breaker_change){
        .from = from,
        .to = to,
        .cause = cause,
        .shadow = shadow,
        .at_ns = now_ns,
        .until_ns = to == BREAKER_OPEN ? m->reopens_at_ns
                    : told_until       ? m->until_ns
                                       : 0,
        .generation = m->generation,
        .total = n.total,
        .failed = n.failed,
        .slow = n.slow,
        .window_ns = window_ns,
    };
}

/* The whole breaker goes somewhere. */
static void go(struct model *m, enum breaker_state to, enum breaker_cause cause, uint64_t now_ns)
{
    enum breaker_state from = m->state;

    m->state = to;
    m->machine = to == BREAKER_HALF_OPEN ? BREAKER_HALF_OPEN : BREAKER_CLOSED;
    m->reconfigured = false;
    new_generation(m, now_ns);
    if (to != BREAKER_HALF_OPEN && to != BREAKER_FORCED_OPEN)
        m->in_a_row = 0;
    tell(m, from, to, cause, false, window_now(m, now_ns), m->o.window_ns, now_ns);
}

/* The machine does; in SHADOW it only would. */
static void step_machine(struct model *m, enum breaker_state to, enum breaker_cause cause,
                         struct counts n, uint64_t window_ns, uint64_t now_ns)
{
    enum breaker_state from = m->machine;

    m->machine = to;
    if (m->state != BREAKER_SHADOW)
        m->state = to;
    new_generation(m, now_ns);
    if (to == BREAKER_CLOSED)
        m->in_a_row = 0;
    tell(m, from, to, cause, m->state == BREAKER_SHADOW, n, window_ns, now_ns);
}

static void end_force(struct model *m, enum breaker_cause cause, uint64_t now_ns)
{
    enum breaker_state to = at_rest(m);

    m->forced = false;
    if (m->state == BREAKER_FORCED_OPEN && to == BREAKER_CLOSED)
        to = BREAKER_HALF_OPEN;
    go(m, to, cause, now_ns);
}

static void model_tick(struct model *m, uint64_t now_ns)
{
    if (m->forced && now_ns >= m->until_ns)
        end_force(m, BREAKER_BY_EXPIRY, now_ns);
    else if (!m->forced && m->reconfigured)
        go(m, at_rest(m), BREAKER_BY_CONFIGURATION, now_ns);
}

static struct breaker_ticket yes(const struct model *m, bool probe)
{
    return (struct breaker_ticket){.admitted = true, .probe = probe, .generation = m->generation};
}

static struct breaker_ticket no(struct model *m, uint64_t retry_after_ns)
{
    if (m->state == BREAKER_SHADOW) {
        m->would_reject++;
        return yes(m, false);
    }
    m->rejected++;
    return (struct breaker_ticket){.retry_after_ns = retry_after_ns};
}

static struct breaker_ticket model_admit(struct model *m, uint64_t now_ns)
{
    if (m->state != BREAKER_CLOSED) /* closed admits whatever else is due */
        model_tick(m, now_ns);
    if (m->state == BREAKER_FORCED_OPEN)
        return no(m, m->until_ns - now_ns < NS_PER_S ? NS_PER_S : m->until_ns - now_ns);
    if (!has_machine(m->state) || m->machine == BREAKER_CLOSED)
        return yes(m, false);
    if (m->machine == BREAKER_OPEN) {
        struct counts n = window_now(m, now_ns);

        if (now_ns < m->reopens_at_ns)
            return no(m, m->reopens_at_ns - now_ns);
        step_machine(m, BREAKER_HALF_OPEN, BREAKER_BY_TIME, n, m->o.window_ns, now_ns);
    }
    if (m->out >= m->o.half_open_requests) {
        if (now_ns < m->lost_at_ns)
            return no(m, NS_PER_S);
        new_generation(m, now_ns);
    }
    m->out++;
    m->lost_at_ns = now_ns + m->o.max_open_ns;
    return yes(m, true);
}

static void model_trip(struct model *m, enum breaker_cause cause, struct counts n,
                       uint64_t window_ns, uint64_t now_ns, struct rng *rng)
{
    uint64_t ns = m->o.open_ns;

    m->trips++;
    m->in_a_row++;
    for (uint32_t i = 1; i < m->in_a_row; i++)
        ns = ns * 2 > m->o.max_open_ns ? m->o.max_open_ns : ns * 2;
    m->reopens_at_ns = now_ns + ns + (uint64_t)((double)ns * 0.1 * rng_double(rng));
    m->last.trip.cause = cause;
    m->last.trip.at_ns = now_ns;
    m->last.trip.total = n.total;
    m->last.trip.failed = n.failed;
    m->last.trip.slow = n.slow;
    m->last.trip.window_ns = window_ns;
    step_machine(m, BREAKER_OPEN, cause, n, window_ns, now_ns);
}

static void model_probe(struct model *m, uint64_t now_ns, struct rng *rng, bool failed, bool slow)
{
    struct counts n = {m->passed + 1, failed, m->passed_slow + slow};

    if (failed || (slow && m->o.slow_percent)) {
        model_trip(m, BREAKER_BY_PROBE, n, 0, now_ns, rng);
        return;
    }
    m->out--;
    m->passed++;
    m->passed_slow += slow;
    if (m->passed < m->o.half_open_requests)
        return;
    window_forget(m);
    step_machine(m, BREAKER_CLOSED, BREAKER_BY_PROBES_PASSED, n, 0, now_ns);
}

static void model_report(struct model *m, struct breaker_ticket t, uint64_t now_ns, struct rng *rng,
                         bool failed, uint64_t took_ns)
{
    bool slow = m->o.slow_ns && took_ns >= m->o.slow_ns;
    struct counts n;

    if (!t.admitted)
        return;
    model_tick(m, now_ns);
    if (t.generation != m->generation)
        return;
    window_count(m, now_ns, failed, slow);
    if (t.probe) {
        model_probe(m, now_ns, rng, failed, slow);
        return;
    }
    /* Only a failure or a slow call gives reason to look. */
    if (!has_machine(m->state) || m->machine != BREAKER_CLOSED || !(failed || slow))
        return;
    n = window_now(m, now_ns);
    if (n.total < m->o.minimum_requests)
        return;
    if (m->o.failure_percent && n.failed * 100 >= m->o.failure_percent * n.total)
        model_trip(m, BREAKER_BY_FAILURES, n, m->o.window_ns, now_ns, rng);
    else if (m->o.slow_percent && n.slow * 100 >= m->o.slow_percent * n.total)
        model_trip(m, BREAKER_BY_SLOW_CALLS, n, m->o.window_ns, now_ns, rng);
}

static void model_cancel(struct model *m, struct breaker_ticket t)
{
    if (t.probe && t.generation == m->generation)
        m->out--;
}

static void model_force(struct model *m, enum breaker_state to, uint64_t until_ns, uint64_t now_ns)
{
    m->forced = true;
    m->until_ns = until_ns;
    go(m, to, BREAKER_BY_OPERATOR, now_ns);
}

static void model_unforce(struct model *m, uint64_t now_ns)
{
    if (m->forced)
        end_force(m, BREAKER_BY_OPERATOR, now_ns);
}

static void model_reset(struct model *m, uint64_t now_ns)
{
    m->forced = false;
    go(m, at_rest(m), BREAKER_BY_OPERATOR, now_ns);
    window_forget(m);
}

static void model_configure(struct model *m, const struct breaker_options *o)
{
    bool resized = m->o.window_ns != o->window_ns;

    take_options(m, o);
    if (resized)
        window_forget(m);
    if (at_rest(m) == BREAKER_CLOSED)
        m->reconfigured = m->state == BREAKER_DISABLED || m->state == BREAKER_SHADOW;
    else
        m->reconfigured = m->state != at_rest(m);
}

static struct breaker_info model_info(struct model *m, uint64_t now_ns)
{
    struct breaker_info i;
    struct counts n;

    model_tick(m, now_ns);
    n = window_now(m, now_ns);
    i = (struct breaker_info){
        .state = m->state,
        .machine = m->state == BREAKER_SHADOW ? m->machine : m->state,
        .forced = m->forced,
        .forced_until_ns = m->forced ? m->until_ns : 0,
        .would_reject = m->would_reject,
        .since_ns = m->since_ns,
        .reopens_at_ns = has_machine(m->state) && m->machine == BREAKER_OPEN ? m->reopens_at_ns : 0,
        .trips_in_a_row = m->in_a_row,
        .trips = m->trips,
        .rejected = m->rejected,
        .probes_in_flight = m->out,
        .probes_succeeded = m->passed,
        .now_total = n.total,
        .now_failed = n.failed,
        .now_slow = n.slow,
    };
    i.trip = m->last.trip;
    return i;
}
