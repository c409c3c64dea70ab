/* SPDX-License-Identifier: Apache-2.0 */
/* breaker_force.c - transitions that no request causes: by an operator, by options, by time. */
#include "circuit/breaker_internal.h"

enum breaker_state breaker_rest_state(const struct breaker_options *o)
{
    if (!o->enabled)
        return BREAKER_DISABLED;
    return o->shadow ? BREAKER_SHADOW : BREAKER_CLOSED;
}

static void end_forced(struct breaker *b)
{
    b->forced = false;
    SET(&b->shared.due_ns, NEVER);
}

/* Where the machine goes on when the operator's word is gone. */
static struct told leave_forced(struct breaker *b, enum breaker_cause cause, uint64_t now_ns)
{
    enum breaker_state to = breaker_rest_state(&b->options);

    if (to == BREAKER_CLOSED && word_state(GET(&b->shared.word)) == BREAKER_FORCED_OPEN)
        to = BREAKER_HALF_OPEN;
    end_forced(b);
    return breaker_enter(b, to, cause, now_ns);
}

struct told breaker_settle(struct breaker *b, uint64_t now_ns)
{
    if (now_ns < GET(&b->shared.due_ns))
        return (struct told){0};
    if (b->forced)
        return leave_forced(b, BREAKER_BY_EXPIRY, now_ns);
    SET(&b->shared.due_ns, NEVER);
    return breaker_enter(b, breaker_rest_state(&b->options), BREAKER_BY_CONFIGURATION, now_ns);
}

/* Is the state one that the options allow? */
static bool at_rest(const struct breaker *b)
{
    enum breaker_state state = word_state(GET(&b->shared.word));
    enum breaker_state rest = breaker_rest_state(&b->options);

    return rest == BREAKER_CLOSED ? state <= BREAKER_HALF_OPEN : state == rest;
}

void breaker_configure(struct breaker *b, const struct breaker_options *o)
{
    pthread_mutex_lock(&b->lock);
    bool resized = o->window_ns != b->options.window_ns;
    breaker_use_options(b, o);
    if (resized)
        window_resize(&b->shared.window, o->window_ns);
    breaker_count_free_probes(b);
    if (!b->forced)
        SET(&b->shared.due_ns, at_rest(b) ? NEVER : 0);
    pthread_mutex_unlock(&b->lock);
}

void breaker_force(struct breaker *b, enum breaker_state to, uint64_t until_ns, uint64_t now_ns)
{
    struct told t;

    if (to < BREAKER_FORCED_OPEN || to >= BREAKER_STATES)
        return;
    pthread_mutex_lock(&b->lock);
    b->forced = true;
    SET(&b->shared.due_ns, until_ns);
    if (to == BREAKER_FORCED_OPEN)
        SET(&b->shared.reopens_at_ns, until_ns);
    t = breaker_enter(b, to, BREAKER_BY_OPERATOR, now_ns);
    pthread_mutex_unlock(&b->lock);
    breaker_tell(b, &t);
}

void breaker_unforce(struct breaker *b, uint64_t now_ns)
{
    struct told t = {0};

    pthread_mutex_lock(&b->lock);
    if (b->forced)
        t = leave_forced(b, BREAKER_BY_OPERATOR, now_ns);
    pthread_mutex_unlock(&b->lock);
    breaker_tell(b, &t);
}

void breaker_reset(struct breaker *b, uint64_t now_ns)
{
    struct told t;

    pthread_mutex_lock(&b->lock);
    end_forced(b);
    t = breaker_enter(b, breaker_rest_state(&b->options), BREAKER_BY_OPERATOR, now_ns);
    window_clear(&b->shared.window);
    pthread_mutex_unlock(&b->lock);
    breaker_tell(b, &t);
}

void breaker_tick(struct breaker *b, uint64_t now_ns)
{
    struct told t;

    if (now_ns < GET(&b->shared.due_ns))
        return;
    pthread_mutex_lock(&b->lock);
    t = breaker_settle(b, now_ns);
    pthread_mutex_unlock(&b->lock);
    breaker_tell(b, &t);
}

bool breaker_forced_open(const struct breaker *b)
{
    return word_state(GET(&b->shared.word)) == BREAKER_FORCED_OPEN;
}
