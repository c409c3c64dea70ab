/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_agents.h"
#include "base/macros.h"

void consul_agents_init(struct consul_agents *a, unsigned n, uint64_t now_ns)
{
    *a = (struct consul_agents){.n = n, .since_ns = now_ns};
}

static void take(struct consul_agents *a, unsigned at, uint64_t now_ns)
{
    a->at = at;
    a->errors = 0;
    a->since_ns = now_ns;
    a->calm_since_ns = 0;
    a->switches++;
}

static unsigned next(struct consul_agents *a)
{
    unsigned i = 0;

    a->failed |= 1u << a->at;
    if (a->failed == (1u << a->n) - 1)
        a->failed = 1u << a->at;
    while (a->failed & 1u << i)
        i++;
    return i;
}

bool consul_agents_report(struct consul_agents *a, enum consul_outcome outcome, uint64_t now_ns)
{
    if (outcome == CONSUL_ANSWERED) {
        a->errors = 0;
        a->failed = 0;
        return false;
    }
    a->errors++;
    if (a->n == 1 || (outcome == CONSUL_FAILED && a->errors < CONSUL_AGENT_ERRORS))
        return false;
    take(a, next(a), now_ns);
    return true;
}

bool consul_agents_away(const struct consul_agents *a)
{
    return a->at != 0;
}

bool consul_agents_probed(struct consul_agents *a, bool good, uint64_t fail_back_ms,
                          uint64_t now_ns)
{
    if (!consul_agents_away(a))
        return false;
    if (!good) {
        a->calm_since_ns = 0;
        return false;
    }
    if (a->calm_since_ns == 0)
        a->calm_since_ns = now_ns;
    if (fail_back_ms == 0 || now_ns - a->calm_since_ns < fail_back_ms * NS_PER_MS)
        return false;
    take(a, 0, now_ns);
    return true;
}
