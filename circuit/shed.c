/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit/shed.h"

enum { RISE = SHED_STEPS / 2, FALL = 1, ROOM_PERCENT = 2 };

static unsigned levels_of_connections(unsigned percent)
{
    return (percent >= 95) + (percent >= 97) + (percent >= 99);
}

/* The degree up to which this interval asks to rise. */
static unsigned wanted(const struct shed_conf *c, const struct shed_sample *least)
{
    if (least->late_ns > c->target_ns)
        return SHED_FULL;
    return levels_of_connections(least->connections) * SHED_STEPS;
}

/* The degree down to which this interval allows to fall. */
static unsigned kept(const struct shed_conf *c, const struct shed_sample *least)
{
    if (least->late_ns >= c->target_ns / 2)
        return SHED_FULL;
    return levels_of_connections(least->connections + ROOM_PERCENT) * SHED_STEPS;
}

static unsigned judged(const struct shed *s, const struct shed_conf *c)
{
    unsigned up = wanted(c, &s->least), down = kept(c, &s->least);

    if (s->degree < up)
        return s->degree + RISE < up ? s->degree + RISE : up;
    return s->degree > down ? s->degree - FALL : s->degree;
}

static bool set_degree(struct shed *s, uint64_t now_ns, unsigned degree)
{
    unsigned before = shed_level(s);

    s->degree = degree;
    if (shed_level(s) == before)
        return false;
    s->since_ns = now_ns;
    return true;
}

bool shed_feed(struct shed *s, const struct shed_conf *c, uint64_t now_ns,
               struct shed_sample sample)
{
    if (s->samples == 0) {
        s->begin_ns = now_ns;
        s->least = sample;
    }
    s->samples++;
    if (sample.late_ns < s->least.late_ns)
        s->least.late_ns = sample.late_ns;
    if (sample.connections < s->least.connections)
        s->least.connections = sample.connections;
    if (s->samples < SHED_SAMPLES || now_ns - s->begin_ns < c->interval_ns)
        return false;
    s->samples = 0;
    return set_degree(s, now_ns, judged(s, c));
}

bool shed_reset(struct shed *s, uint64_t now_ns)
{
    s->samples = 0;
    return set_degree(s, now_ns, 0);
}
