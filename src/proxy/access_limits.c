/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_limits.h"
#include "base/clock.h"
#include "policy/identity.h"
#include "proxy/access.h"
#include "proxy/limit_key.h"

#include <inttypes.h>
#include <stdio.h>

static struct limit_clock clock_of(const struct exchange *x)
{
    return (struct limit_clock){.now_ns = x->w->now_ns, .wall_s = clock_wall_ms() / 1000};
}

static const struct limit_set *set_of(const struct exchange *x)
{
    return x->held->snapshot->limits;
}

static bool is_shared(const struct limit_use *u)
{
    return u->entry->conf->shared;
}

static void count_refusal(const struct limit_use *u)
{
    struct limiter *l = u->entry->limiter;

    atomic_fetch_add_explicit(u->entry->conf->shadow ? &l->would_refuse : &l->refused, 1,
                              memory_order_relaxed);
}

/* Takes back what this check has counted. */
static void undo(struct access_limits *l)
{
    for (struct limit_use *u = l->uses + l->begin; u < l->uses + l->n; u++) {
        if (!u->taken)
            continue;
        limit_table_give_back(u->entry->limiter->table, u->key, &u->entry->rule);
        u->value = limit_rule_give_back(&u->entry->rule, u->value);
        u->taken = false;
    }
}

static enum verdict refuse(struct exchange *x, struct access_limits *l, const struct limit_use *u)
{
    const struct rate_limit_conf *c = u->entry->conf;
    struct limit_clock clock = clock_of(x);
    struct limit_state s;

    undo(l);
    l->refusal = u;
    limit_rule_state(&u->entry->rule, &clock, u->value, &s);
    /* Who is told nothing of the limit is not told its name either. */
    snprintf(l->detail, sizeof l->detail, "%s%s%sagain in %" PRIu64 " s",
             c->fields == FIELDS_NONE ? "" : "limit ", c->fields == FIELDS_NONE ? "" : c->name,
             c->fields == FIELDS_NONE ? "" : ": ",
             (uint64_t)((s.retry_ns + NS_PER_S - 1) / NS_PER_S));
    x->detail = l->detail;
    return exchange_refuse(x, REASON_RATE_LIMITED);
}

/* Notes what one limit says; the use that ends the request, or NULL. */
static struct limit_use *note(struct limit_use *u, bool passes)
{
    u->known = true;
    u->taken = passes;
    u->refused = !passes;
    if (passes)
        return NULL;
    count_refusal(u);
    return u->entry->conf->shadow ? NULL : u;
}

/* Asks the tables of this gateway. */
static struct limit_use *take_here(struct exchange *x, struct access_limits *l, bool shared)
{
    struct limit_clock clock = {.now_ns = x->w->now_ns};

    for (struct limit_use *u = l->uses + l->begin; u < l->uses + l->n; u++) {
        struct limit_use *refusal;

        if (is_shared(u) != shared)
            continue;
        if (u->entry->rule.kind == LIMIT_QUOTA)
            clock = clock_of(x);
        refusal = note(u, limit_table_take(u->entry->limiter->table, u->key, &u->entry->rule,
                                           &clock, &u->value));
        if (refusal)
            return refusal;
    }
    return NULL;
}

static enum verdict decide_here(struct exchange *x, struct access_limits *l)
{
    struct limit_use *refusal = take_here(x, l, true);

    atomic_fetch_add_explicit(&set_of(x)->redis->local, 1, memory_order_relaxed);
    return refusal ? refuse(x, l, refusal) : V_NEXT;
}

/* Redis has counted, or refused: its numbers are kept here too, for when it is away. */
static enum verdict take_answer(struct exchange *x, struct access_limits *l)
{
    const struct limit_redis_answer *a = &l->answer;
    struct limit_clock clock = clock_of(x);
    struct limit_use *refusal = NULL;
    unsigned at = 0;

    for (struct limit_use *u = l->uses + l->begin; u < l->uses + l->n; u++) {
        struct limit_use *no;

        if (!is_shared(u))
            continue;
        u->value = a->values[at];
        limit_table_raise(u->entry->limiter->table, u->key, &u->entry->rule, &clock, u->value);
        no = note(u, a->each[at++]);
        u->taken = false; /* it is Redis that has it: nothing to give back here */
        refusal = refusal ? refusal : no;
    }
    return a->passes || !refusal ? V_NEXT : refuse(x, l, refusal);
}

static void on_answer(void *arg, const struct limit_redis_answer *a)
{
    struct exchange *x = arg;
    struct access_limits *l = &x->access->limits;

    l->call = NULL;
    l->answered = true;
    l->answer = *a;
    worker_touch(x->w);
    conn_run(x->conn);
}

/* The answer has come, or it is too late for it. */
static enum verdict after_redis(struct exchange *x, struct access_limits *l)
{
    bool late = x->access->timed_out, answered = l->answered;

    if (!answered && !late)
        return V_WAIT;
    x->access->timed_out = false;
    l->answered = false;
    limit_redis_give_up(&l->call, late);
    x->step_deadline_ns = 0;
    return answered && l->answer.decided ? take_answer(x, l) : decide_here(x, l);
}

/* What was last heard of Redis and what has been counted here since suffices for a refusal: one who
 * is over his limit costs Redis nothing. */
static struct limit_use *refused_before(struct exchange *x, struct access_limits *l)
{
    struct limit_clock clock = clock_of(x);
    uint64_t ignored;

    for (struct limit_use *u = l->uses + l->begin; u < l->uses + l->n; u++) {
        if (!is_shared(u) || u->entry->conf->shadow)
            continue;
        u->value = limit_table_look(u->entry->limiter->table, u->key);
        if (!limit_rule_take(&u->entry->rule, &clock, u->value, &ignored))
            return note(u, false);
    }
    return NULL;
}

static enum verdict ask_redis(struct exchange *x, struct access_limits *l,
                              const struct limit_redis_ask *asks, unsigned n)
{
    struct limit_clock clock = clock_of(x);
    struct limit_use *refusal = refused_before(x, l);

    if (refusal)
        return refuse(x, l, refusal);
    if (x->w->limit_redis)
        l->call = limit_redis_ask(x->w->limit_redis, asks, n, &clock, on_answer, x);
    if (!l->call)
        return decide_here(x, l);
    exchange_wait(x, limit_redis_timeout_ms(x->w->limit_redis), REASON_INTERNAL);
    return V_WAIT;
}

/* The limits of this check that are for this request; returns how many of them are shared. */
static unsigned gather(struct exchange *x, struct access_limits *l,
                       const struct rate_limit_conf *const *limits, unsigned n,
                       struct limit_redis_ask *asks)
{
    const struct limit_set *set = set_of(x);
    unsigned shared = 0;
    struct limit_key k;

    l->begin = l->n;
    for (unsigned i = 0; i < n && l->n < MAX_REQUEST_LIMITS; i++) {
        const struct limit_entry *e = &set->at[limits[i]->index];

        if (!limit_key_of(x, x->access->identity, limits[i], &k))
            continue;
        l->uses[l->n++] = (struct limit_use){.entry = e, .key = siphash(&set->key, k.text, k.n)};
        if (!limits[i]->shared)
            continue;
        asks[shared].entry = e;
        limit_redis_client(k.text, k.n, asks[shared++].client);
    }
    return shared;
}

static enum verdict check(struct exchange *x, const struct rate_limit_conf *const *limits,
                          unsigned n)
{
    struct limit_redis_ask asks[MAX_REQUEST_LIMITS];
    struct access *a = access_of(x);
    struct limit_use *refusal;
    unsigned shared;

    if (!a)
        return exchange_refuse(x, REASON_INTERNAL);
    if (a->limits.call || a->limits.answered)
        return after_redis(x, &a->limits);
    shared = gather(x, &a->limits, limits, n, asks);
    refusal = take_here(x, &a->limits, false);
    if (refusal)
        return refuse(x, &a->limits, refusal);
    return shared > 0 ? ask_redis(x, &a->limits, asks, shared) : V_NEXT;
}

enum verdict access_limits_before(struct exchange *x)
{
    const struct limit_plan *p = limit_plan_of(exchange_config(x), x->match.route->conf);

    return p->nbefore > 0 ? check(x, p->limits, p->nbefore) : V_NEXT;
}

/* The limits of the second check: those of the route, then those that the API key names. */
struct named {
    const struct config *config;
    const struct limit_plan *plan;
    const struct rate_limit_conf *limits[MAX_REQUEST_LIMITS];
    unsigned n;
};

static bool is_asked(const struct named *l, const struct rate_limit_conf *c)
{
    for (unsigned i = 0; i < l->plan->n; i++)
        if (l->plan->limits[i] == c)
            return true;
    for (unsigned i = 0; i < l->n; i++)
        if (l->limits[i] == c)
            return true;
    return false;
}

/* False when the name means nothing here. */
static bool add_named(struct named *l, const json_t *name)
{
    const char *text = json_string_value(name);
    const struct rate_limit_conf *found = text ? rate_limit_find(l->config, text) : NULL;

    if (found && !is_asked(l, found))
        l->limits[l->n++] = found;
    return found != NULL;
}

/* `rate_limits` of the key: a name, or a few. */
static bool add_those_of_key(struct named *l, const struct identity *key)
{
    const json_t *names = identity_claim(key, "rate_limits");
    size_t n = json_array_size(names);

    if (!names || !json_is_array(names))
        return !names || add_named(l, names);
    if (n > MAX_KEY_LIMITS)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!add_named(l, json_array_get(names, i)))
            return false;
    return true;
}

static enum verdict check_key(struct exchange *x, const struct limit_plan *p)
{
    struct named l = {.config = exchange_config(x), .plan = p, .n = p->n - p->nbefore};

    memcpy(l.limits, p->limits + p->nbefore, l.n * sizeof l.limits[0]);
    if (!add_those_of_key(&l, x->access->identity)) {
        x->detail = "the API key names a limit that this gateway does not have";
        return exchange_refuse(x, REASON_FORBIDDEN);
    }
    return l.n > 0 ? check(x, l.limits, l.n) : V_NEXT;
}

enum verdict access_limits_after(struct exchange *x)
{
    const struct limit_plan *p = limit_plan_of(exchange_config(x), x->match.route->conf);
    const struct identity *who = x->access ? x->access->identity : NULL;

    if (who && who->kind == IDENTITY_API_KEY)
        return check_key(x, p);
    return p->n > p->nbefore ? check(x, p->limits + p->nbefore, p->n - p->nbefore) : V_NEXT;
}

void access_limits_end(struct exchange *x)
{
    struct access_limits *l = &x->access->limits;

    limit_redis_give_up(&l->call, false);
    for (struct limit_use *u = l->uses; u < l->uses + l->n; u++) {
        if (!u->taken || u->entry->rule.kind != LIMIT_CONCURRENCY)
            continue;
        limit_table_give_back(u->entry->limiter->table, u->key, &u->entry->rule);
        u->taken = false;
    }
}

void access_limits_configure(struct worker *w)
{
    const struct snapshot *s = w->held->snapshot;
    const struct redis_conf *c = &s->config->limits.redis;

    if (!w->limit_redis && c->address)
        w->limit_redis = limit_redis_new(w->base);
    if (w->limit_redis)
        limit_redis_configure(w->limit_redis, c, s->limits->redis);
}
