/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_agents.h"
#include "base/macros.h"

void consul_agents_init(struct consul_agents *a, unsigned n, uint64_t now_ns)
{
    *a = (struct consul_agents){.n = n, .since_ns = now_ns};
}

static bool take(struct consul_agents *a, unsigned at, uint64_t now_ns)
{
    a->at = a->looked_at = at;
    a->errors = a->silent = a->leaderless = 0;
    a->since_ns = now_ns;
    a->calm_since_ns = 0;
    a->switches++;
    return true;
}

static bool take_next(struct consul_agents *a, uint64_t now_ns)
{
    unsigned i = 0;

    if (a->n == 1)
        return false;
    a->failed |= 1u << a->at;
    if (a->failed == (1u << a->n) - 1)
        a->failed = 1u << a->at;
    while (a->failed & 1u << i)
        i++;
    return take(a, i, now_ns);
}

bool consul_agents_report(struct consul_agents *a, enum consul_outcome outcome, uint64_t now_ns)
{
    if (outcome == CONSUL_ANSWERED) {
        a->errors = 0;
        a->failed = 0;
        return false;
    }
    if (a->errors++ == 0)
        a->error_ns = now_ns;
    if (outcome == CONSUL_FAILED && (a->errors < CONSUL_AGENT_ERRORS ||
                                     now_ns - a->error_ns < CONSUL_AGENT_ERRORS_MS * NS_PER_MS))
        return false;
    return take_next(a, now_ns);
}

unsigned consul_agents_look(struct consul_agents *a, uint64_t fail_back_ms)
{
    if (a->leaderless < CONSUL_AGENT_ERRORS)
        return fail_back_ms > 0 ? 0 : a->at;
    do
        a->looked_at = (a->looked_at + 1) % a->n;
    while (a->looked_at == a->at && a->n > 1);
    return a->looked_at;
}

static bool pulse_in_use(struct consul_agents *a, enum consul_pulse pulse, uint64_t now_ns)
{
    a->silent = pulse == CONSUL_SILENT ? a->silent + 1 : 0;
    a->leaderless = pulse == CONSUL_LEADERLESS ? a->leaderless + 1 : 0;
    return a->silent >= CONSUL_AGENT_ERRORS && take_next(a, now_ns);
}

bool consul_agents_pulse(struct consul_agents *a, unsigned i, enum consul_pulse pulse,
                         uint64_t fail_back_ms, uint64_t now_ns)
{
    if (i == a->at)
        return pulse_in_use(a, pulse, now_ns);
    if (pulse == CONSUL_WELL && a->leaderless >= CONSUL_AGENT_ERRORS)
        return take(a, i, now_ns);
    if (i != 0 || pulse != CONSUL_WELL) {
        a->calm_since_ns = i != 0 ? a->calm_since_ns : 0;
        return false;
    }
    if (a->calm_since_ns == 0)
        a->calm_since_ns = now_ns;
    return fail_back_ms > 0 && now_ns - a->calm_since_ns >= fail_back_ms * NS_PER_MS &&
           take(a, 0, now_ns);
}
