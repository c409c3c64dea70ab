/* SPDX-License-Identifier: Apache-2.0 */
#include "registration_plan.h"
#include "base/clock.h"
#include "base/hash.h"

#include <string.h>

enum { FIRST_RETRY_MS = 500, AWAY_MAX_MS = 2000, REFUSED_MAX_MS = 60000 };

void registration_plan_init(struct registration_plan *p)
{
    memset(p, 0, sizeof *p);
}

void registration_plan_changed(struct registration_plan *p)
{
    p->changed = true;
}

void registration_plan_drain(struct registration_plan *p)
{
    p->draining = true;
    p->retry_at_ns = 0;
}

void registration_plan_leave(struct registration_plan *p)
{
    p->leaving = true;
    p->retry_at_ns = 0;
}

bool registration_plan_gone(const struct registration_plan *p)
{
    return p->leaving && !p->registered;
}

enum registration_call registration_plan_next(const struct registration_plan *p, uint64_t now_ns)
{
    if (now_ns < p->retry_at_ns)
        return REGISTRATION_NONE;
    if (p->leaving)
        return p->registered ? REGISTRATION_DEREGISTER : REGISTRATION_NONE;
    if (!p->registered)
        return p->draining ? REGISTRATION_NONE : REGISTRATION_REGISTER;
    if (p->draining && !p->in_maintenance)
        return REGISTRATION_MAINTENANCE;
    if (p->changed || now_ns >= p->report_at_ns)
        return REGISTRATION_REPORT;
    return now_ns >= p->read_at_ns ? REGISTRATION_READ : REGISTRATION_NONE;
}

static void back_off(struct registration_plan *p, uint64_t max_ms, uint64_t now_ns, struct rng *rng)
{
    uint64_t ms = FIRST_RETRY_MS;

    for (unsigned i = 0; i < p->failures && ms < max_ms; i++)
        ms *= 2;
    if (ms > max_ms)
        ms = max_ms;
    if (p->failures < UINT32_MAX)
        p->failures++;
    p->retry_at_ns = now_ns + (ms / 2 + rng_below(rng, (uint32_t)(ms / 2 + 1))) * NS_PER_MS;
}

/* Someone else may have registered another service under our ID, or have changed ours. */
static const char *took_read(struct registration_plan *p, struct str body, uint64_t now_ns)
{
    uint64_t hash = hash_str(body, 0);
    bool same = !p->has_read || p->read_hash == hash;

    p->has_read = true;
    p->lost = 0;
    p->read_hash = hash;
    p->read_at_ns = now_ns + REGISTRATION_READ_MS * NS_PER_MS;
    if (same)
        return NULL;
    p->registered = false;
    return "the registration was changed by someone else; registering again";
}

static const char *succeeded(struct registration_plan *p, enum registration_call call,
                             struct str body, uint64_t now_ns)
{
    switch (call) {
    case REGISTRATION_REGISTER:
        p->registered = true;
        p->in_maintenance = p->has_read = false;
        p->registrations++;
        p->report_at_ns = p->read_at_ns = now_ns;
        break;
    case REGISTRATION_REPORT:
        p->changed = false;
        p->lost = p->has_read ? 0 : p->lost;
        p->report_at_ns = now_ns + REGISTRATION_REPORT_MS * NS_PER_MS;
        break;
    case REGISTRATION_READ:
        return took_read(p, body, now_ns);
    case REGISTRATION_MAINTENANCE:
        p->in_maintenance = true;
        break;
    case REGISTRATION_DEREGISTER:
        p->registered = false;
        break;
    case REGISTRATION_NONE:
        break;
    }
    return NULL;
}

/* The first time it is made again at once, whatever came before. */
static const char *forgotten(struct registration_plan *p, uint64_t now_ns, struct rng *rng)
{
    p->registered = false;
    p->retry_at_ns = 0;
    p->failures = p->lost;
    if (p->lost++ > 0)
        back_off(p, REFUSED_MAX_MS, now_ns, rng);
    return "Consul does not know this gateway any more; registering again";
}

const char *registration_plan_done(struct registration_plan *p, enum registration_call call,
                                   int status, struct str body, uint64_t now_ns, struct rng *rng)
{
    if (status == 200) {
        p->failures = 0;
        return succeeded(p, call, body, now_ns);
    }
    /* There is one try to leave: after it the check's time runs out by itself. */
    if (call == REGISTRATION_DEREGISTER)
        p->registered = false;
    if (call == REGISTRATION_MAINTENANCE && status != 0)
        p->in_maintenance = true;
    if (status == 0) {
        back_off(p, AWAY_MAX_MS, now_ns, rng);
        return "the Consul agent does not answer";
    }
    if (status != 403 && ((call == REGISTRATION_REPORT && status != 429) ||
                          (call == REGISTRATION_READ && status == 404)))
        return forgotten(p, now_ns, rng);
    back_off(p, REFUSED_MAX_MS, now_ns, rng);
    if (status == 403)
        return "the token may not register the gateway: it needs service write for its name";
    return "the Consul agent refuses a call of the registration";
}
