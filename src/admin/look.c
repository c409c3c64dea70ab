/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/look.h"
#include "base/clock.h"

struct look look_now(const struct admin_sources *s)
{
    struct look l = {
        .sources = s,
        .snapshot = s->snapshot(s->arg),
        .now_ns = clock_now_ns(),
        .wall_ms = clock_wall_ms(),
    };

    s->workers(s->arg, &l.workers);
    return l;
}

const char *look_unready(const struct look *l)
{
    if (l->workers.draining)
        return "draining: the gateway is shutting down";
    if (!l->snapshot)
        return "no snapshot: the configuration is not in force yet";
    if (l->sources->awaited && l->sources->awaited(l->sources->arg))
        return l->sources->awaited(l->sources->arg);
    if (!discovery_ready(l->sources->discovery))
        return "catalog unknown: not every service was heard of yet";
    return NULL;
}

json_t *look_time(const struct look *l, uint64_t monotonic_ns)
{
    int64_t ahead_ns = (int64_t)(monotonic_ns - l->now_ns);

    if (monotonic_ns == 0 || monotonic_ns == UINT64_MAX)
        return json_null();
    return json_wall_time(l->wall_ms + ahead_ns / (int64_t)NS_PER_MS);
}

json_t *look_age_ms(const struct look *l, uint64_t monotonic_ns)
{
    if (monotonic_ns == 0)
        return json_null();
    /* A worker may have stamped it after the look was taken. */
    if (monotonic_ns > l->now_ns)
        return json_integer(0);
    return json_integer((json_int_t)((l->now_ns - monotonic_ns) / NS_PER_MS));
}
