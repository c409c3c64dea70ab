/* SPDX-License-Identifier: Apache-2.0 */
/* micro_balancer.c - the choice of an instance, by each policy, among few and many. */
#include "balancer/balancer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "micro.h"

#include <string.h>

enum { MOST = 1000 };

static struct balance_target targets[MOST];
static struct instance_load loads[MOST];
static struct balancer *balancer;
static struct rng rng;
static _Atomic uint64_t cursor;
static unsigned count;

/* policy * 10,000 + instances */
static void prepare(long arg)
{
    struct balance_options o = {.policy = (enum balance_policy)(arg / 10000)};

    count = (unsigned)(arg % 10000);
    memset(loads, 0, sizeof loads);
    rng.state = 1;
    cursor = 0;
    for (unsigned i = 0; i < count; i++) {
        loads[i].in_flight = i % 3;
        loads[i].ewma_ns = (i % 7 + 1) * NS_PER_MS;
        loads[i].ewma_at_ns = 1000 * NS_PER_S;
        targets[i] = (struct balance_target){
            .weight = 1, .usable = true, .id_hash = hash_mix(i + 100), .load = &loads[i]};
    }
    balancer = balancer_new(&o, targets, count);
    micro_check(balancer != NULL);
}

static void pick(unsigned n)
{
    struct balance_query q = {
        .now_ns = 1000 * NS_PER_S, .rng = &rng, .cursor = &cursor, .has_hash = true};

    while (n--) {
        unsigned i;

        q.hash = n * 0x9e3779b97f4a7c15ull;
        micro_check(balancer_pick(balancer, &q, &i) == BALANCE_OK);
        micro_check(i < count);
    }
}

static void release(void)
{
    balancer_free(balancer);
    balancer = NULL;
}

#define PICK(word, policy, instances)                                                              \
    {                                                                                              \
        "pick " word " of " #instances, 1000, prepare, pick, release, (policy)*10000 + (instances) \
    }
#define PICKS(word, policy) PICK(word, policy, 3), PICK(word, policy, 50), PICK(word, policy, 1000)

static const struct micro_case cases[] = {
    PICKS("round_robin", BALANCE_ROUND_ROBIN),
    PICKS("least_request", BALANCE_LEAST_REQUEST),
    PICKS("peak_ewma", BALANCE_PEAK_EWMA),
    PICKS("random", BALANCE_RANDOM),
    PICKS("consistent_hash", BALANCE_CONSISTENT_HASH),
};

const struct micro_group micro_balancer = MICRO_GROUP(cases);
