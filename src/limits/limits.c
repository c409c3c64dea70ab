/* SPDX-License-Identifier: Apache-2.0 */
#include "limits/limits.h"
#include "base/alloc.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

struct limits {
    struct siphash_key key;
    struct limit_redis_status redis;
    struct limit_set *last; /* ref; NULL before the first */
};

struct limits *limits_new(void)
{
    struct limits *l = alloc_or_abort(sizeof *l);

    /* Without a secret key the table would still be right, only predictable. */
    if (getrandom(&l->key, sizeof l->key, 0) != sizeof l->key)
        l->key = (struct siphash_key){(uint64_t)(uintptr_t)l, (uint64_t)time(NULL)};
    return l;
}

void limits_free(struct limits **lp)
{
    struct limits *l = *lp;

    *lp = NULL;
    if (!l)
        return;
    limit_set_unref(&l->last);
    free(l);
}

static void limiter_unref(struct limiter **lp)
{
    struct limiter *l = *lp;

    *lp = NULL;
    if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    limit_table_free(&l->table);
    free(l->name);
    free(l);
}

static struct limiter *limiter_new(const struct rate_limit_conf *c)
{
    struct limiter *l = alloc_or_abort(sizeof *l);

    l->refs = 1;
    l->name = strdup(c->name);
    l->kind = c->kind;
    l->period = c->period;
    l->max_clients = c->max_clients;
    l->table = limit_table_new(c->max_clients);
    if (!l->name || !l->table)
        abort();
    return l;
}

static struct limiter *find(const struct limits *l, const struct rate_limit_conf *c)
{
    for (size_t i = 0; l->last && i < l->last->n; i++)
        if (strcmp(l->last->at[i].limiter->name, c->name) == 0)
            return l->last->at[i].limiter;
    return NULL;
}

static bool same_numbers(const struct limiter *l, const struct rate_limit_conf *c)
{
    return l->kind == c->kind && (l->kind != LIMIT_QUOTA || l->period == c->period);
}

/* The counts go on; what is under way ends in the table in which it began. */
static void inherit(struct limiter *to, struct limiter *from, const struct limit_rule *r,
                    const struct limit_clock *clock, bool counts)
{
    to->refused = atomic_load_explicit(&from->refused, memory_order_relaxed);
    to->would_refuse = atomic_load_explicit(&from->would_refuse, memory_order_relaxed);
    if (counts && to->kind != LIMIT_CONCURRENCY)
        limit_table_copy(to->table, from->table, r, clock);
}

static void place(const struct limits *l, struct limit_entry *e, const struct rate_limit_conf *c,
                  const struct limit_clock *clock)
{
    struct limiter *old = find(l, c);

    e->conf = c;
    limit_rule_of(c, &e->rule);
    if (old && same_numbers(old, c) && old->max_clients == c->max_clients) {
        atomic_fetch_add_explicit(&old->refs, 1, memory_order_relaxed);
        e->limiter = old;
        return;
    }
    e->limiter = limiter_new(c);
    if (old)
        inherit(e->limiter, old, &e->rule, clock, same_numbers(old, c));
}

struct limit_set *limits_apply(struct limits *l, const struct config *c,
                               const struct limit_clock *clock)
{
    struct limit_set *s = alloc_or_abort(sizeof *s + c->nrate_limits * sizeof s->at[0]);

    s->refs = 1;
    s->key = l->key;
    s->redis = &l->redis;
    s->n = c->nrate_limits;
    for (size_t i = 0; i < s->n; i++)
        place(l, &s->at[i], &c->rate_limits[i], clock);
    limit_set_unref(&l->last);
    l->last = limit_set_ref(s);
    return s;
}

struct limit_set *limit_set_ref(struct limit_set *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void limit_set_unref(struct limit_set **sp)
{
    struct limit_set *s = *sp;

    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        limiter_unref(&s->at[i].limiter);
    free(s);
}
