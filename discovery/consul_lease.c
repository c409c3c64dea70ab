/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_lease.h"
#include "base/macros.h"

enum {
    RETRY_MS = 1000,
    RETRY_MAX_MS = 60000,
    DOUBTED_MS = 10000,
    LIFE_MIN_MS = 1000, /* a shorter one is not renewed more often */
    RENEW_PERCENT = 65,
    RENEW_SPREAD = 10,
};

void consul_lease_init(struct consul_lease *l, uint64_t now_ns)
{
    *l = (struct consul_lease){.due_ns = now_ns};
}

bool consul_lease_due(const struct consul_lease *l, uint64_t now_ns)
{
    return now_ns >= l->due_ns;
}

void consul_lease_begun(struct consul_lease *l, uint64_t now_ns)
{
    l->begun_ns = now_ns;
    l->due_ns = UINT64_MAX;
}

void consul_lease_granted(struct consul_lease *l, uint64_t life_ns, uint64_t now_ns,
                          struct rng *rng)
{
    uint64_t renew_ns = life_ns / 100 * (RENEW_PERCENT + rng_below(rng, RENEW_SPREAD + 1));

    if (life_ns > 0 && renew_ns < LIFE_MIN_MS * NS_PER_MS)
        renew_ns = LIFE_MIN_MS * NS_PER_MS;
    l->has = true;
    l->got_ns = now_ns;
    l->life_ns = life_ns;
    l->failures = 0;
    l->due_ns = life_ns > 0 ? now_ns + renew_ns : UINT64_MAX;
}

void consul_lease_refused(struct consul_lease *l, uint64_t now_ns, struct rng *rng)
{
    uint64_t delay_ms = RETRY_MS;

    for (unsigned i = 0; i < l->failures && delay_ms < RETRY_MAX_MS; i++)
        delay_ms *= 2;
    if (delay_ms > RETRY_MAX_MS)
        delay_ms = RETRY_MAX_MS;
    l->failures++;
    l->due_ns = now_ns + (delay_ms / 2 + rng_below(rng, (uint32_t)(delay_ms / 2 + 1))) * NS_PER_MS;
}

bool consul_lease_doubted(struct consul_lease *l, uint64_t now_ns)
{
    if (!l->has || l->failures > 0 || now_ns - l->begun_ns < DOUBTED_MS * NS_PER_MS)
        return false;
    l->due_ns = now_ns;
    return true;
}

void consul_lease_hurry(struct consul_lease *l, uint64_t now_ns)
{
    l->due_ns = now_ns;
}
