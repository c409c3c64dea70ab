/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/pool.h"

/* An average that no new sample has confirmed fades, so that a target which was slow once gets
 * another chance: time constant 10 s, that is a half-life of 6.93 s. */
#define HALF_LIFE_NS 6931471806ull

/* Where no sample is yet but a request is under way: dearer than any real latency. */
#define UNKNOWN_NS 1e15

/* latency x 2^-(age / half-life); the power of two is exact at whole half-lives and linear between
 * them. */
static double fade(double latency_ns, uint64_t age_ns)
{
    uint64_t halvings = age_ns / HALF_LIFE_NS;
    double rest = (double)(age_ns % HALF_LIFE_NS) / (double)HALF_LIFE_NS;

    if (halvings >= 63)
        return 0;
    return latency_ns / (double)(1ull << halvings) * (1 - rest / 2);
}

static double latency_cost(const struct balance_target *t, uint64_t now_ns)
{
    uint32_t in_flight = GET(&t->load->in_flight);
    uint64_t ewma_ns = GET(&t->load->ewma_ns), at_ns = GET(&t->load->ewma_at_ns);

    if (ewma_ns == 0)
        return UNKNOWN_NS * in_flight / t->weight;
    /* Requests under way will tell soon: the more there are, the less the age counts. Otherwise
     * everything would run to a target whose average has faded, until its first answer. */
    uint64_t age_ns = now_ns > at_ns ? (now_ns - at_ns) / (in_flight + 1ull) : 0;
    return fade((double)ewma_ns, age_ns) * (in_flight + 1.0) / t->weight;
}

int peak_ewma_pick(const struct pool *p, const struct view *v)
{
    return two_choices_pick(p, v, latency_cost);
}
