/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "service_model.h"
#include "threads.h"

static const struct adaptive_options usual = {true, 4, 1000, 20, 150, 0};
static struct model m;

/* The mean limit over so many seconds, all gateways together. */
static double mean_limit(double seconds)
{
    double sum = 0;

    for (int i = 0; i < 100; i++) {
        model_run(&m, seconds / 100);
        for (unsigned g = 0; g < m.ngateways; g++)
            sum += m.gateways[g].limit.max_active;
    }
    return sum / 100;
}

static void assert_within(double x, double low, double high, const char *what)
{
    if (x < low || x > high)
        fail_msg("%s: %g is not in [%g, %g]", what, x, low, high);
}

static const struct {
    const char *name;
    unsigned servers;
    double service_ms;
    bool fixed;
    unsigned clients;
    double most_latency; /* times the service time */
} services[] = {
    {"4 servers", 4, 20, false, 40, 2.4},    {"10 servers", 10, 20, false, 100, 2},
    {"40 servers", 40, 20, false, 400, 2},   {"100 servers", 100, 20, false, 400, 2},
    {"quick answers", 10, 2, false, 100, 2}, {"slow answers", 40, 300, false, 400, 2},
    {"fixed time", 40, 20, true, 400, 2},
};

static void settles_around_the_capacity(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(services); i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            double limit;

            model_init(&m, seed, 1, services[i].servers, services[i].service_ms, &usual);
            m.fixed = services[i].fixed;
            model_add_clients(&m, 0, services[i].clients);
            model_run(&m, 40);
            model_count_anew(&m);
            limit = mean_limit(30);
            assert_within(limit / services[i].servers, 0.8, 3, services[i].name);
            assert_within(model_latency_ms(&m) / services[i].service_ms, 0.9,
                          services[i].most_latency, services[i].name);
            /* 90 % of what the servers can do is done. */
            assert_within((double)m.gateways[0].answered * services[i].service_ms / 1000 / 30 /
                              services[i].servers,
                          0.9, 1.1, services[i].name);
            assert_true(m.gateways[0].lowest >= 4);
        }
}

/* With fewer requests than servers nothing is refused once it has grown, and nothing is probed. */
static void leaves_a_service_with_room_alone(void **state)
{
    uint64_t probes;
    struct adaptive_info info;

    (void)state;
    model_init(&m, 7, 1, 40, 20, &usual);
    model_add_arrivals(&m, 0, 1200);
    model_run(&m, 20);
    adaptive_info(&m.gateways[0].adaptive, &info);
    probes = info.probes;
    model_count_anew(&m);
    model_run(&m, 60);
    adaptive_info(&m.gateways[0].adaptive, &info);
    assert_int_equal(m.gateways[0].refused, 0);
    assert_int_equal(info.probes, probes);
    assert_within((double)info.baseline_ns / 1e6, 15, 23, "baseline");
}

static void follows_steps(void **state)
{
    static const struct {
        const char *name;
        unsigned servers;
        double service_ms, seconds;
    } steps[] = {
        {"begin", 40, 20, 30},
        {"capacity halves", 20, 20, 30},
        {"capacity doubles", 40, 20, 20},
        {"latency doubles", 40, 40, 30},
        {"latency back", 40, 20, 20},
        {"ten times slower", 40, 200, 60},
        {"ten times quicker", 40, 20, 20},
        {"a tenth left", 4, 20, 60},
        {"all back", 40, 20, 20},
    };

    (void)state;
    model_init(&m, 1, 1, 40, 20, &usual);
    model_add_clients(&m, 0, 300);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        m.servers = steps[i].servers;
        m.service_ns = steps[i].service_ms * 1e6;
        model_run(&m, steps[i].seconds);
        model_count_anew(&m);
        assert_within(mean_limit(20) / steps[i].servers, 0.8, 3, steps[i].name);
        assert_within(model_latency_ms(&m) / steps[i].service_ms, 0.9, 2.3, steps[i].name);
    }
}

/* A service that becomes slower for good is not held down for longer than one probe takes. */
static void recovers_from_a_slower_service_soon(void **state)
{
    (void)state;
    model_init(&m, 5, 1, 40, 20, &usual);
    model_add_clients(&m, 0, 300);
    model_run(&m, 30);
    m.service_ns *= 2;
    model_count_anew(&m);
    model_run(&m, 7);
    assert_true(m.gateways[0].lowest >= 12);
    model_count_anew(&m);
    assert_within(mean_limit(5) / 40, 0.9, 3, "limit");
    assert_within((double)m.gateways[0].answered / 5, 850, 1100, "answers a second");
}

static void stands_bursts(void **state)
{
    struct model_gateway *g = &m.gateways[0];

    (void)state;
    model_init(&m, 3, 1, 40, 20, &usual);
    model_add_arrivals(&m, 0, 400);
    for (int i = 0; i < 30; i++) {
        g->rate = 400;
        model_run(&m, 2);
        g->rate = 4000;
        model_run(&m, 0.5);
    }
    g->rate = 400;
    model_run(&m, 1);
    model_count_anew(&m);
    model_run(&m, 20);
    assert_int_equal(g->refused, 0);
    assert_within(model_latency_ms(&m), 15, 30, "latency between bursts");
    assert_within(g->limit.max_active, 16, 160, "limit");
}

static void two_gateways_share(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        double first, second;

        model_init(&m, seed, 2, 40, 20, &usual);
        model_add_clients(&m, 0, 300);
        model_run(&m, 30);
        model_add_clients(&m, 1, 300);
        model_run(&m, 120);
        model_count_anew(&m);
        assert_within(mean_limit(120) / 40, 0.8, 3, "both limits");
        first = (double)m.gateways[0].answered;
        second = (double)m.gateways[1].answered;
        assert_within(first / second, 1 / 3.0, 3, "share");
        assert_within(model_latency_ms(&m) / 20, 0.9, 2.2, "latency");
    }
}

/* More requests than the limit for ten minutes: the queue never becomes the baseline. */
static void baseline_does_not_creep(void **state)
{
    struct adaptive_info info;

    (void)state;
    model_init(&m, 11, 1, 20, 20, &usual);
    model_add_clients(&m, 0, 300);
    for (int i = 0; i < 60; i++) {
        model_run(&m, 10);
        adaptive_info(&m.gateways[0].adaptive, &info);
        if (i >= 2)
            assert_within((double)info.baseline_ns / 1e6, 14, 30, "baseline");
    }
}

static void keeps_its_bounds(void **state)
{
    static const struct adaptive_options narrow = {true, 10, 30, 20, 150, 0};

    (void)state;
    model_init(&m, 1, 1, 200, 20, &narrow);
    model_add_clients(&m, 0, 400);
    model_run(&m, 23); /* between two probes */
    assert_int_equal(m.gateways[0].limit.max_active, 30);
    assert_true(m.gateways[0].highest <= 30);
    m.servers = 1;
    model_run(&m, 60);
    assert_true(m.gateways[0].lowest >= 10);
}

struct bench {
    struct limit limit;
    struct adaptive adaptive;
    uint64_t now_ns;
};

static void bench_init(struct bench *b, const struct adaptive_options *o)
{
    limit_init(&b->limit, 0, 0);
    adaptive_init(&b->adaptive, &b->limit);
    b->now_ns = 1002 * NS_PER_S;
    adaptive_configure(&b->adaptive, o, b->now_ns);
}

/* So many samples, a millisecond apart, with so many in flight; every nth dropped. */
static void feed_late(struct bench *b, unsigned n, uint32_t in_flight, unsigned drop_every,
                      unsigned latency_ms)
{
    for (unsigned i = 1; i <= n; i++) {
        b->now_ns += NS_PER_MS;
        b->limit.active = in_flight;
        adaptive_sample(&b->adaptive, b->now_ns, latency_ms * NS_PER_MS,
                        drop_every && i % drop_every == 0);
    }
}

static void feed(struct bench *b, unsigned n, uint32_t in_flight, unsigned drop_every)
{
    feed_late(b, n, in_flight, drop_every, 10);
}

static struct adaptive_info look(struct bench *b)
{
    struct adaptive_info info;

    adaptive_info(&b->adaptive, &info);
    return info;
}

static void off_touches_nothing(void **state)
{
    struct adaptive_options off = usual;
    struct bench b;

    (void)state;
    off.enabled = false;
    bench_init(&b, &off);
    limit_configure(&b.limit, 7, 0);
    feed(&b, 1000, 7, 2);
    assert_int_equal(b.limit.max_active, 7);
    assert_false(look(&b).enabled);
}

static void does_not_grow_unused(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, &usual);
    feed(&b, 3000, 5, 0);
    assert_int_equal(b.limit.max_active, 20);
    feed(&b, 500, 12, 0);
    assert_true(b.limit.max_active > 20);
    assert_int_equal(look(&b).cause, ADAPTIVE_BY_ROOM);
    assert_string_equal(adaptive_cause_name(look(&b).cause), "room");
}

static void drops_lower_it_once_a_window(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, &usual);
    feed(&b, 90, 12, 1);
    assert_int_equal(b.limit.max_active, 20);
    feed(&b, 100, 12, 1);
    assert_int_equal(b.limit.max_active, 16);
    assert_int_equal(look(&b).cause, ADAPTIVE_BY_DROPS);
    assert_int_equal(look(&b).changed_from, 20);
    feed(&b, 100, 12, 1);
    assert_in_range(b.limit.max_active, 12, 13);
    feed(&b, 5000, 12, 1);
    assert_int_equal(b.limit.max_active, 4);
}

static void few_drops_are_no_congestion(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, &usual);
    feed(&b, 1000, 5, 50);
    assert_int_equal(b.limit.max_active, 20);
}

static void learnt_limit_survives_a_reload(void **state)
{
    struct adaptive_options o = usual;
    struct bench b;

    (void)state;
    bench_init(&b, &usual);
    feed(&b, 450, 16, 0);
    assert_true(b.limit.max_active > 30);
    adaptive_configure(&b.adaptive, &usual, b.now_ns);
    assert_true(b.limit.max_active > 30);
    o.maximum = 25;
    adaptive_configure(&b.adaptive, &o, b.now_ns);
    assert_int_equal(b.limit.max_active, 25);
    o.enabled = false;
    adaptive_configure(&b.adaptive, &o, b.now_ns);
    limit_configure(&b.limit, 0, 0);
    feed(&b, 500, 20, 1);
    assert_int_equal(b.limit.max_active, 0);
    adaptive_configure(&b.adaptive, &usual, b.now_ns);
    assert_int_equal(b.limit.max_active, 20);
}

/* No growth on a baseline that may be a queue: the first time that the limit holds requests back it
 * is lowered for a moment, and its whole window forgotten. */
static void probes_before_it_grows(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, &usual);
    feed(&b, 150, 20, 0);
    assert_true(look(&b).probing);
    assert_int_equal(b.limit.max_active, 10);
    feed(&b, 400, 10, 0);
    assert_false(look(&b).probing);
    assert_int_equal(look(&b).probes, 1);
    assert_int_equal(look(&b).baseline_ns, 10 * NS_PER_MS);
}

static void silence_in_a_probe_ends_it_with_the_next_request(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, &usual);
    feed(&b, 150, 20, 0);
    assert_true(look(&b).probing);
    b.now_ns += 3600 * NS_PER_S;
    feed(&b, 100, 1, 0);
    assert_false(look(&b).probing);
    assert_true(b.limit.max_active >= 20);
}

/* A first baseline of 20 ms that its probe finds to be 10: the next probe is at the next second. */
static void bench_probed(struct bench *b)
{
    bench_init(b, &usual);
    feed_late(b, 150, 20, 0, 20);
    assert_true(look(b).probing);
    feed(b, 400, 10, 0);
    assert_int_equal(look(b).baseline_ns, 10 * NS_PER_MS);
    assert_int_equal(look(b).probes, 1);
}

static void lone_probe_only_lowers(void **state)
{
    struct bench b;

    (void)state;
    bench_probed(&b);
    while (!look(&b).probing)
        feed(&b, 1, b.limit.max_active, 0);
    assert_in_range(b.now_ns, 1003 * NS_PER_S, 1003 * NS_PER_S + 10 * NS_PER_MS);
    feed_late(&b, 500, 5, 0, 30);
    assert_false(look(&b).probing);
    assert_int_equal(look(&b).baseline_ns, 10 * NS_PER_MS);
}

static void probe_of_all_raises(void **state)
{
    struct bench b;

    (void)state;
    bench_probed(&b);
    feed(&b, 2000, 5, 0);
    while (!look(&b).probing || look(&b).probes < 3)
        feed_late(&b, 1, b.limit.max_active, 0, 30);
    assert_in_range(b.now_ns, 1005 * NS_PER_S, 1005 * NS_PER_S + 10 * NS_PER_MS);
    feed_late(&b, 400, 5, 0, 30);
    assert_int_equal(look(&b).baseline_ns, 30 * NS_PER_MS);
}

static void drift_ends_at_what_was_probed(void **state)
{
    struct bench b;

    (void)state;
    bench_probed(&b);
    feed_late(&b, 20000, 3, 0, 8);
    assert_in_range(look(&b).baseline_ns, 8 * NS_PER_MS, 9 * NS_PER_MS);
    feed_late(&b, 20000, 3, 0, 14);
    assert_int_equal(look(&b).baseline_ns, 10 * NS_PER_MS);
}

static void latency_takes_half_between_probes(void **state)
{
    uint32_t before;
    struct bench b;

    (void)state;
    bench_probed(&b);
    while (look(&b).probes < 2 || look(&b).probing)
        feed(&b, 1, b.limit.max_active, 0);
    feed(&b, 500, 12, 0);
    before = b.limit.max_active;
    b.now_ns = 1005 * NS_PER_S + 10 * NS_PER_MS;
    feed(&b, 300, 3, 0);
    for (int i = 0; i < 4000 && !look(&b).probing; i++)
        feed_late(&b, 1, b.limit.max_active, 0, 100);
    assert_int_equal(look(&b).cause, ADAPTIVE_BY_LATENCY);
    assert_int_equal(look(&b).changed_to, before / 2);
}

static void one_request_after_an_hour_is_no_window(void **state)
{
    uint32_t before;
    struct bench b;

    (void)state;
    bench_probed(&b);
    adaptive_configure(&b.adaptive, &usual, b.now_ns); /* begins a window */
    before = b.limit.max_active;
    b.now_ns += 3600 * NS_PER_S;
    feed(&b, 5, 1, 1);
    assert_int_equal(b.limit.max_active, before);
}

/* The gateway starts while the service times out at full load: nothing is known yet, and a probe
 * would find nothing. When it answers again it is limited as ever. */
static void learns_from_a_service_that_was_down_at_first(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, &usual);
    for (int i = 0; i < 30000; i++)
        feed(&b, 1, b.limit.max_active, 1);
    assert_int_equal(b.limit.max_active, 4);
    assert_int_equal(look(&b).probes, 0);
    for (int i = 0; i < 10000; i++) {
        feed(&b, 1, b.limit.max_active, 0);
        assert_in_range(b.limit.max_active, 4, 1000);
    }
    assert_int_equal(look(&b).baseline_ns, 10 * NS_PER_MS);
    assert_true(look(&b).probes > 0);
    assert_true(b.limit.max_active > 8);
}

/* Nothing that a service can do, in whatever order, takes the limit out of its bounds. */
static void random_life(uint64_t seed)
{
    struct adaptive_options o = usual;
    struct rng rng = {seed};
    struct bench b;

    bench_init(&b, &o);
    for (int phase = 0; phase < 60; phase++) {
        uint32_t step_ns = 1u << rng_below(&rng, 31), most_us = 1u << rng_below(&rng, 28);
        uint32_t drop_percent = rng_below(&rng, 4) * 33 + rng_below(&rng, 2);
        uint32_t load_percent = rng_below(&rng, 4) * 40;

        if (rng_below(&rng, 6) == 0) {
            o.minimum = 1 + rng_below(&rng, 8);
            o.initial = o.minimum + rng_below(&rng, 30);
            o.maximum = o.initial + rng_below(&rng, 500);
            o.tolerance_percent = 110 + rng_below(&rng, 391);
            o.enabled = rng_below(&rng, 4) > 0;
            adaptive_configure(&b.adaptive, &o, b.now_ns);
            o.enabled = true;
            adaptive_configure(&b.adaptive, &o, b.now_ns);
        }
        for (int i = 0; i < 400; i++) {
            b.now_ns += rng_below(&rng, step_ns);
            b.limit.active = 1 + b.limit.max_active * load_percent / 100;
            /* Another worker's clock may be a little behind. */
            adaptive_sample(&b.adaptive, b.now_ns - rng_below(&rng, 2) * NS_PER_MS,
                            1 + rng_below(&rng, most_us) * 1000ull,
                            rng_below(&rng, 100) < drop_percent);
            if (b.limit.max_active < o.minimum || b.limit.max_active > o.maximum)
                fail_msg("seed %u, phase %d: the limit is %u, not %u to %u", (unsigned)seed, phase,
                         b.limit.max_active, o.minimum, o.maximum);
        }
    }
}

static void stays_within_its_bounds_whatever_comes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        random_life(seed);
}

static void *sample_much(void *arg)
{
    struct bench *b = arg;
    struct adaptive_info info;

    for (uint64_t i = 1; i <= 20000; i++) {
        bool in = limit_acquire(&b->limit);

        adaptive_sample(&b->adaptive, b->now_ns + i * NS_PER_MS, (5 + i % 9) * NS_PER_MS,
                        i % 97 == 0);
        if (in)
            limit_release(&b->limit);
        if (i % 1000 == 0) {
            adaptive_info(&b->adaptive, &info);
            adaptive_configure(&b->adaptive, &usual, b->now_ns + i * NS_PER_MS);
            assert_in_range(info.limit, 4, 1000);
        }
    }
    return NULL;
}

static void holds_between_threads(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, &usual);
    in_threads(sample_much, &b);
    assert_in_range(b.limit.max_active, 4, 1000);
    assert_int_equal(b.limit.active, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settles_around_the_capacity),
        cmocka_unit_test(leaves_a_service_with_room_alone),
        cmocka_unit_test(follows_steps),
        cmocka_unit_test(recovers_from_a_slower_service_soon),
        cmocka_unit_test(stands_bursts),
        cmocka_unit_test(two_gateways_share),
        cmocka_unit_test(baseline_does_not_creep),
        cmocka_unit_test(keeps_its_bounds),
        cmocka_unit_test(off_touches_nothing),
        cmocka_unit_test(does_not_grow_unused),
        cmocka_unit_test(drops_lower_it_once_a_window),
        cmocka_unit_test(few_drops_are_no_congestion),
        cmocka_unit_test(learnt_limit_survives_a_reload),
        cmocka_unit_test(probes_before_it_grows),
        cmocka_unit_test(silence_in_a_probe_ends_it_with_the_next_request),
        cmocka_unit_test(lone_probe_only_lowers),
        cmocka_unit_test(probe_of_all_raises),
        cmocka_unit_test(drift_ends_at_what_was_probed),
        cmocka_unit_test(latency_takes_half_between_probes),
        cmocka_unit_test(one_request_after_an_hour_is_no_window),
        cmocka_unit_test(learns_from_a_service_that_was_down_at_first),
        cmocka_unit_test(stays_within_its_bounds_whatever_comes),
        cmocka_unit_test(holds_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
