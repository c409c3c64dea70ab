/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet_say.h"
#include "base/clock.h"

struct saying {
    struct fleet_gateway *to;
    struct fleet_entry *entries;
    uint64_t now_ns;
    int64_t wall_ms;
};

static int64_t wall(const struct saying *s, uint64_t at_ns)
{
    if (at_ns == 0 || at_ns == UINT64_MAX)
        return 0;
    return s->wall_ms + (int64_t)(at_ns - s->now_ns) / (int64_t)NS_PER_MS;
}

static void add(struct saying *s, const struct fleet_entry *e)
{
    if (s->to->n < FLEET_ENTRIES_MAX)
        s->entries[s->to->n++] = *e;
    else
        s->to->more++;
}

/* A breaker that the configuration switches off is as it should be. */
static bool worth_saying(const struct breaker_info *b)
{
    if (b->state == BREAKER_SHADOW && !b->forced)
        return b->machine != BREAKER_CLOSED;
    return b->forced || (b->state != BREAKER_CLOSED && b->state != BREAKER_DISABLED);
}

static void say_breaker(struct saying *s, const struct service_view *v)
{
    struct breaker_info b;

    breaker_info(v->state->breaker, s->now_ns, &b);
    if (!worth_saying(&b))
        return;
    add(s, &(struct fleet_entry){
               .service = v->state->name,
               .state = breaker_state_name(b.state),
               .cause = breaker_cause_name(b.forced ? BREAKER_BY_OPERATOR : b.trip.cause),
               .since_ms = wall(s, b.since_ns),
               .until_ms = wall(s, b.forced ? b.forced_until_ns : b.reopens_at_ns),
           });
}

static void say_instances(struct saying *s, const struct service_view *v)
{
    struct outlier_info o;

    for (unsigned i = 0; i < v->n; i++) {
        outlier_info(&v->states[i]->outlier, s->now_ns, &o);
        if (o.state == OUTLIER_IN_ROTATION)
            continue;
        add(s, &(struct fleet_entry){
                   .service = v->state->name,
                   .instance = v->set->items[i].id,
                   .state = outlier_state_name(o.state),
                   .cause = outlier_cause_name(o.cause),
                   .since_ms = wall(s, o.since_ns),
                   .until_ms = wall(s, o.until_ns),
               });
    }
}

void fleet_say(const struct snapshot *s, uint64_t now_ns, int64_t wall_ms, struct arena *a,
               struct fleet_gateway *ret)
{
    struct saying it = {ret, ARENA_ARRAY(a, struct fleet_entry, FLEET_ENTRIES_MAX), now_ns,
                        wall_ms};

    ret->entries = it.entries;
    ret->n = 0;
    ret->more = 0;
    for (uint32_t i = 0; s && i < s->nslots; i++)
        if (s->services[i])
            say_breaker(&it, s->services[i]);
    for (uint32_t i = 0; s && i < s->nslots; i++)
        if (s->services[i])
            say_instances(&it, s->services[i]);
}
