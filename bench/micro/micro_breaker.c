/* SPDX-License-Identifier: Apache-2.0 */
/* micro_breaker.c - what a breaker costs a request that it lets pass. */
#include "base/clock.h"
#include "circuit/breaker.h"
#include "micro.h"

static struct breaker *breaker;
static struct rng rng;

static void prepare(long unused)
{
    static const struct breaker_options o = {.enabled = true,
                                             .failure_percent = 50,
                                             .slow_percent = 100,
                                             .slow_ns = 10 * NS_PER_S,
                                             .minimum_requests = 20,
                                             .window_ns = 10 * NS_PER_S,
                                             .open_ns = 5 * NS_PER_S,
                                             .max_open_ns = 60 * NS_PER_S,
                                             .half_open_requests = 3};

    (void)unused;
    rng.state = 1;
    breaker = breaker_new(&o, NS_PER_S);
    micro_check(breaker != NULL);
}

/* 10,000 requests a second: the window moves on as it would. */
static void pass(unsigned n)
{
    uint64_t now_ns = 100 * NS_PER_S;

    while (n--) {
        struct breaker_ticket t = breaker_admit(breaker, now_ns);

        micro_check(t.admitted);
        now_ns += 100 * 1000;
        breaker_report(breaker, t, now_ns, &rng, false, NS_PER_MS);
    }
}

static void release(void)
{
    breaker_free(breaker);
    breaker = NULL;
}

static const struct micro_case cases[] = {
    {"breaker, closed: admit and report", 1000, prepare, pass, release, 0},
};

const struct micro_group micro_breaker = MICRO_GROUP(cases);
