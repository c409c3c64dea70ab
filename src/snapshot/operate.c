/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/operate.h"
#include "base/clock.h"
#include "snapshot/tell.h"

#include <string.h>

static const struct {
    const char *word;
    enum breaker_state state; /* of the first four */
} operations[OPERATION_COUNT] = {
    [OPERATE_OPEN] = {"forced_open", BREAKER_FORCED_OPEN},
    [OPERATE_CLOSE] = {"forced_closed", BREAKER_FORCED_CLOSED},
    [OPERATE_DISABLE] = {"disabled", BREAKER_DISABLED},
    [OPERATE_SHADOW] = {"shadow", BREAKER_SHADOW},
    [OPERATE_AUTO] = {"auto", BREAKER_STATES},
    [OPERATE_RESET] = {"reset", BREAKER_STATES},
};

const char *operation_word(enum operation o)
{
    return operations[o].word;
}

enum operation operation_parse(const char *word)
{
    unsigned o = 0;

    while (o < OPERATION_COUNT && strcmp(operations[o].word, word) != 0)
        o++;
    return (enum operation)o;
}

static bool forces(const struct operate_request *q)
{
    return operations[q->what].state != BREAKER_STATES;
}

static uint64_t ttl_ms(const struct operate_request *q)
{
    return q->ttl_ms ? q->ttl_ms : OPERATE_TTL_MS;
}

/* Who and why goes there before the deed, so that whoever tells of it finds it. */
static void note(struct history *h, struct forced *f, const struct operate_request *q,
                 uint64_t until_ns)
{
    pthread_mutex_lock(&h->lock);
    f->active = forces(q);
    f->fleet = q->fleet;
    f->at_wall_ms = clock_wall_ms();
    f->until_wall_ms = f->active ? f->at_wall_ms + (int64_t)ttl_ms(q) : 0;
    f->until_ns = until_ns;
    tell_copy(f->author, sizeof f->author, q->author ? q->author : "");
    tell_copy(f->why, sizeof f->why, q->why ? q->why : "");
    pthread_mutex_unlock(&h->lock);
}

static bool is_held(const struct outlier_info *o)
{
    return o->state == OUTLIER_HELD_OUT || o->state == OUTLIER_HELD_IN;
}

/* What changes nothing is told only when asked so. */
static enum operate_result force_instance(struct instance_state *i, const struct operate_request *q,
                                          bool always_tell, uint64_t now_ns)
{
    static const enum outlier_force words[OPERATION_COUNT] = {
        [OPERATE_OPEN] = OUTLIER_OUT, [OPERATE_CLOSE] = OUTLIER_IN};
    uint64_t until_ns = forces(q) ? now_ns + ttl_ms(q) * NS_PER_MS : 0;
    /* One that Consul calls unusable is not in rotation: it cannot be the last. */
    bool even_last =
        q->even_last || !i->usable || !atomic_load_explicit(&i->present, memory_order_relaxed);
    struct outlier_info before, after;

    outlier_info(&i->outlier, now_ns, &before);
    if (!outlier_force(&i->outlier, words[q->what], until_ns, even_last, now_ns))
        return OPERATE_LAST_INSTANCE;
    note(&i->history, &i->forced, q, until_ns);
    outlier_info(&i->outlier, now_ns, &after);
    if (is_held(&after))
        registry_watch_instance(i);
    if (always_tell || before.state != after.state) {
        struct instance_change c = {
            .from = before.state,
            .to = after.state,
            .cause = outlier_cause_name(OUTLIER_OPERATOR),
            .by_operator = true,
            .until_ns = after.until_ns,
            .last = REASON_NONE,
        };
        tell_instance(i, &c, now_ns);
    }
    return OPERATE_DONE;
}

enum operate_result operate_instance(struct instance_state *i, const struct operate_request *q,
                                     uint64_t now_ns)
{
    if (q->what == OPERATE_DISABLE || q->what == OPERATE_SHADOW)
        return OPERATE_NOT_FOR_INSTANCES;
    if (forces(q) && q->ttl_ms > OPERATE_TTL_MAX_MS)
        return OPERATE_TTL_TOO_LONG;
    return force_instance(i, q, q->what != OPERATE_AUTO, now_ns);
}

static void reset_instance(struct instance_state *i, const void *arg, uint64_t now_ns)
{
    const struct operate_request *q = arg;

    (void)force_instance(i, q, false, now_ns);
}

enum operate_result operate_service(struct service_state *s, const struct operate_request *q,
                                    uint64_t now_ns)
{
    uint64_t until_ns = forces(q) ? now_ns + ttl_ms(q) * NS_PER_MS : 0;

    if (forces(q) && q->ttl_ms > OPERATE_TTL_MAX_MS)
        return OPERATE_TTL_TOO_LONG;
    note(&s->history, &s->forced, q, until_ns);
    if (forces(q)) {
        breaker_force(s->breaker, operations[q->what].state, until_ns, now_ns);
        registry_watch_service(s);
    } else if (q->what == OPERATE_AUTO) {
        breaker_unforce(s->breaker, now_ns);
    } else {
        breaker_reset(s->breaker, now_ns);
        registry_each_instance(s, reset_instance, q, now_ns);
    }
    return OPERATE_DONE;
}
