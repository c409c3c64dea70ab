/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/documents.h"

#include <stdio.h>

static json_int_t get(const _Atomic uint64_t *counter)
{
    return (json_int_t)atomic_load_explicit(counter, memory_order_relaxed);
}

/* "100/s", as it is written in the configuration; of concurrency the number alone. */
static const char *amount_text(const struct rate_limit_conf *c, char *buf, size_t cap)
{
    static const char *const periods[] = {"s", "m", "h", "d", "month"};

    snprintf(buf, cap, "%u%s%s", c->amount, c->kind == LIMIT_CONCURRENCY ? "" : "/",
             c->kind == LIMIT_CONCURRENCY ? "" : periods[c->period]);
    return buf;
}

/* Where a limit is counted now. Workers without a connection decide for themselves. */
static const char *counted_in(const struct limit_set *s, const struct rate_limit_conf *c)
{
    unsigned workers = atomic_load_explicit(&s->redis->workers, memory_order_relaxed);
    unsigned connected = atomic_load_explicit(&s->redis->connected, memory_order_relaxed);

    if (!c->shared || connected == 0)
        return "here";
    return connected < workers ? "both" : "redis";
}

static json_t *limit_row(const struct look *l, const struct limit_set *s,
                         const struct limit_entry *e)
{
    static const char *const kinds[] = {"rate", "quota", "concurrency"};
    struct limit_clock clock = {.now_ns = l->now_ns, .wall_s = l->wall_ms / 1000};
    struct limit_table_usage u;
    char amount[32];

    limit_table_usage(e->limiter->table, &e->rule, &clock, &u);
    return json_pack("{s:s,s:s,s:s,s:b,s:b,s:s,s:I,s:I,s:I,s:I,s:I}", "name", e->conf->name, "kind",
                     kinds[e->conf->kind], "limit", amount_text(e->conf, amount, sizeof amount),
                     "shadow", e->conf->shadow, "shared", e->conf->shared, "counted_in",
                     counted_in(s, e->conf), "clients", (json_int_t)u.live, "max_clients",
                     (json_int_t)u.places, "evicted", (json_int_t)u.evicted, "refused",
                     get(&e->limiter->refused), "would_refuse", get(&e->limiter->would_refuse));
}

json_t *limits_part(const struct look *l)
{
    const struct limit_set *s = l->snapshot ? l->snapshot->limits : NULL;
    json_t *part = json_array();

    for (size_t i = 0; s && i < s->n; i++)
        json_array_append_new(part, limit_row(l, s, &s->at[i]));
    return part;
}

json_t *limits_redis_part(const struct look *l)
{
    const struct limit_set *s = l->snapshot ? l->snapshot->limits : NULL;
    const char *address = l->snapshot ? l->snapshot->config->limits.redis.address : NULL;

    if (!s || !address)
        return json_null();
    return json_pack("{s:o,s:i,s:i,s:I,s:I,s:I,s:I}", "address", json_text(address), "workers",
                     (int)atomic_load_explicit(&s->redis->workers, memory_order_relaxed),
                     "connected",
                     (int)atomic_load_explicit(&s->redis->connected, memory_order_relaxed),
                     "decided", get(&s->redis->decided), "decided_here", get(&s->redis->local),
                     "late", get(&s->redis->late), "failures", get(&s->redis->failures));
}
