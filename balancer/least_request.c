/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/pool.h"

static double load_cost(const struct balance_target *t, uint64_t now_ns)
{
    (void)now_ns;
    return (double)GET(&t->load->in_flight) / t->weight;
}

int least_request_pick(const struct pool *p, const struct view *v)
{
    return two_choices_pick(p, v, load_cost);
}
