/* SPDX-License-Identifier: Apache-2.0 */
#include "belief.h"
#include "base/macros.h"
#include "belief_traces.h"
#include "instances.h"

#include <stdlib.h>
#include <string.h>

enum {
    ASKING_AGAIN_MS = 1000,     /* read again, when the rights were confirmed only just now */
    NO_RIGHTS_AGAIN_MS = 20000, /* all that is held does so; the rights are looked into again */
};

/* One judgement in progress: what was believed and what is said, walked side by side. */
struct judgement {
    struct belief *b;
    const struct instance_set *told; /* NULL = nothing */
    uint64_t now_ns;
    bool in_full;         /* take the answer as it is */
    bool doubt;           /* the loss is too large */
    bool undamped;        /* flapping instances are all there are */
    bool differs;         /* the result is not simply what Consul says */
    unsigned usable;      /* of told */
    unsigned listed;      /* usable in said */
    unsigned absent;      /* usable in told, missing in said, unconfirmed */
    unsigned confirmed;   /* the same, confirmed */
    unsigned well;        /* usable in the result */
    struct instance *out; /* owned; the result, strings borrowed from both; NULL while counting */
    unsigned nout;
};

const char *belief_why_text(enum belief_why why)
{
    static const char *const texts[] = {
        "",
        "Consul's answer may be old or partial",
        "the agent was restarted, its services are still being filled in",
        "much is missing at once: read again before it is believed",
        "much is missing at once: the token's rights are looked into",
        "much is missing at once, and the token's rights could not be confirmed",
    };

    return texts[why];
}

void belief_init(struct belief *b, struct belief_world *w)
{
    memset(b, 0, sizeof *b);
    b->world = w;
    guard_init(&b->guard, &w->all);
}

void belief_release(struct belief *b)
{
    guard_release(&b->guard);
    instance_set_unref(&b->said);
    traces_free(b);
}

static bool is_restarted(const struct belief *b, const struct instance *i, uint64_t now_ns)
{
    const struct belief_world *w = b->world;

    return now_ns < w->agent_until_ns && (!w->agent_node[0] || strcmp(w->agent_node, i->node) == 0);
}

void belief_hear(struct belief *b, struct instance_set *said, bool complete, uint64_t asked_ns,
                 uint64_t now_ns)
{
    if (complete)
        traces_compare(b, b->said, said, now_ns);
    instance_set_unref(&b->said);
    b->said = said;
    b->complete = complete;
    b->asked_ns = asked_ns;
}

void belief_resolved(struct belief *b, struct instance_set *said)
{
    instance_set_unref(&b->said);
    b->said = said;
}

void belief_accept(struct belief *b)
{
    b->accepted = true;
}

void belief_set_rights(struct belief *b, enum belief_rights r, uint64_t now_ns)
{
    b->rights = r;
    b->rights_ns = now_ns;
}

uint64_t belief_missing_since(const struct belief *b, const struct instance *i)
{
    const struct trace *t = trace_find(b, i);

    return t ? t->missing_ns : 0;
}

void belief_tidy(struct belief *b, uint64_t now_ns)
{
    struct trace *t;

    for (t = b->traces; t; t = t->hh.next) {
        bool held = b->held > 0 && t->missing_ns != 0;

        if (!held)
            t->missing_ns = 0;
    }
    traces_tidy(b, now_ns);
}

static void earliest(uint64_t *at, uint64_t ns)
{
    if (ns != 0 && (*at == 0 || ns < *at))
        *at = ns;
}

static void hold(struct belief *b, enum belief_why why, uint64_t since_ns)
{
    b->held++;
    if (why > b->why)
        b->why = why;
    earliest(&b->held_since_ns, since_ns);
}

static struct instance *put(struct judgement *j, const struct instance *i)
{
    struct instance *to = &j->out[j->nout++];

    *to = *i;
    to->doubt = DOUBT_NONE;
    return to;
}

static uint64_t confirm_ns(const struct judgement *j)
{
    return j->b->world->options.guard.confirm_ms * NS_PER_MS;
}

/* Missing for long enough, in an answer that is fresh. */
static bool is_ripe(const struct judgement *j, uint64_t missing_ns)
{
    return j->b->asked_ns != 0 && j->b->asked_ns >= missing_ns + confirm_ns(j);
}

/* The token had its rights when the answer was given. */
static bool had_rights(const struct belief *b)
{
    return !b->world->options.ask_rights ||
           (b->rights == RIGHTS_GIVEN && b->asked_ns >= b->rights_ns);
}

static void count_absent(struct judgement *j, const struct instance *i)
{
    struct belief *b = j->b;
    struct trace *t;

    if (!b->complete || !instance_usable(i))
        return;
    t = trace_get(b, i);
    if (t->missing_ns == 0)
        t->missing_ns = j->now_ns;
    if (is_restarted(b, i, j->now_ns))
        return;
    if (is_ripe(j, t->missing_ns) && had_rights(b))
        j->confirmed++;
    else
        j->absent++;
}

/* Keeps an instance because too much is missing, and says when to read again. */
static void doubt(struct judgement *j, uint64_t missing_ns, bool ripe)
{
    struct belief *b = j->b;
    enum belief_why why = BELIEF_CONFIRMING;
    uint64_t again = missing_ns + confirm_ns(j);

    if (ripe) {
        why = b->rights == RIGHTS_MISSING ? BELIEF_NO_RIGHTS : BELIEF_ASKING;
        again =
            j->now_ns + (why == BELIEF_ASKING ? ASKING_AGAIN_MS : NO_RIGHTS_AGAIN_MS) * NS_PER_MS;
    }
    hold(b, why, missing_ns);
    earliest(&b->read_again_ns, again);
}

/* What is kept of an instance that Consul does not list. */
static bool keep_absent(struct judgement *j, const struct instance *i)
{
    struct belief *b = j->b;
    uint64_t since = belief_missing_since(b, i);
    bool ripe = is_ripe(j, since);

    if (j->in_full)
        return false;
    if (!b->complete) {
        hold(b, BELIEF_STALE, since ? since : j->now_ns);
        return true;
    }
    if (!instance_usable(i))
        return false;
    if (is_restarted(b, i, j->now_ns)) {
        hold(b, BELIEF_RESTARTED, since);
        earliest(&b->read_again_ns, b->world->agent_until_ns);
        return true;
    }
    if (!j->doubt || (ripe && had_rights(b)))
        return false;
    doubt(j, since, ripe);
    return true;
}

static void take_absent(struct judgement *j, const struct instance *i)
{
    if (!j->out) {
        j->usable += instance_usable(i);
        count_absent(j, i);
    } else if (keep_absent(j, i)) {
        put(j, i)->doubt = DOUBT_HELD;
        j->differs = true;
        j->well += instance_usable(i);
    }
}

static void damp(struct judgement *j, struct instance *to, uint64_t until_ns)
{
    to->health = HEALTH_CRITICAL;
    to->check = "its checks come and go";
    to->doubt = DOUBT_DAMPED;
    j->b->damped++;
    earliest(&j->b->judge_again_ns, until_ns);
    j->differs = true;
}

/* `was`: as it is believed, or NULL. */
static void put_listed(struct judgement *j, const struct instance *was, const struct instance *is)
{
    struct belief *b = j->b;
    const struct trace *t = trace_find(b, is);
    bool was_usable = was && instance_usable(was);
    struct instance *to;
    uint64_t until = 0;

    if (was && !b->complete && !j->in_full) {
        put(j, was)->doubt = was->doubt == DOUBT_DAMPED ? DOUBT_DAMPED : DOUBT_NONE;
        j->differs = true;
        j->well += was_usable;
        return;
    }
    to = put(j, is);
    if (t && was && !was_usable && instance_usable(is) && !j->undamped)
        until = flap_until(&t->flap, b->world->options.damping_ms, j->now_ns);
    if (until) {
        damp(j, to, until);
    } else if (was_usable && is->health == HEALTH_CRITICAL && !j->in_full &&
               is_restarted(b, is, j->now_ns)) {
        to->health = was->health;
        to->weight = was->weight;
        to->check = was->check;
        to->doubt = DOUBT_HELD;
        hold(b, BELIEF_RESTARTED, j->now_ns);
        earliest(&b->judge_again_ns, b->world->agent_until_ns);
        j->differs = true;
    }
    j->well += instance_usable(to);
}

static void take_listed(struct judgement *j, const struct instance *was, const struct instance *is)
{
    struct trace *t;

    if (j->out) {
        put_listed(j, was, is);
        return;
    }
    t = trace_find(j->b, is);
    if (t)
        t->missing_ns = 0;
    j->usable += was && instance_usable(was);
    j->listed += instance_usable(is);
}

static void walk(struct judgement *j)
{
    const struct instance_set *said = j->b->said;
    unsigned ntold = j->told ? j->told->n : 0, i = 0, k = 0;

    while (i < ntold || k < said->n) {
        int order = i == ntold     ? 1
                    : k == said->n ? -1
                                   : instance_compare(&j->told->items[i], &said->items[k]);

        if (order < 0)
            take_absent(j, &j->told->items[i]);
        else
            take_listed(j, order == 0 ? &j->told->items[i] : NULL, &said->items[k]);
        i += order <= 0;
        k += order >= 0;
    }
}

static void begin(struct belief *b)
{
    b->held = b->damped = 0;
    b->why = BELIEF_SURE;
    b->unheeded = false;
    b->read_again_ns = b->judge_again_ns = 0;
}

static void build(struct judgement *j)
{
    unsigned room = j->b->said->n + (j->told ? j->told->n : 0);

    begin(j->b);
    free(j->out);
    j->out = calloc(room + 1, sizeof *j->out);
    if (!j->out)
        abort();
    j->nout = j->well = 0;
    j->differs = false;
    walk(j);
}

static void weigh(struct judgement *j)
{
    struct belief *b = j->b;
    const struct guard_options *o = &b->world->options.guard;
    bool doubted = b->held > 0 && b->why >= BELIEF_CONFIRMING;
    struct guard_loss loss;

    walk(j);
    if (j->confirmed > 0)
        guard_confirmed(&b->guard, j->usable - j->confirmed, j->now_ns);
    loss = (struct guard_loss){j->usable - j->confirmed, j->absent, j->listed};
    /* While a large loss is doubted no other one is small: what comes back bit by bit does not make
     * the rest of it true. */
    j->doubt = !j->in_full && (guard_doubts(&b->guard, o, &loss, j->now_ns) || doubted);
}

static struct instance_set *copy_out(const struct judgement *j)
{
    struct arena *a = arena_new();
    struct instance *items = ARENA_ARRAY(a, struct instance, j->nout);

    for (unsigned i = 0; i < j->nout; i++)
        instance_copy(a, &items[i], &j->out[i]);
    return instance_set_new(a, j->b->said->service, items, j->nout);
}

static struct instance_set *conclude(struct judgement *j)
{
    struct belief *b = j->b;
    struct instance_set *s;

    if (!j->differs) {
        s = instance_set_ref(b->said);
    } else {
        s = copy_out(j);
        b->unheeded = b->complete ? b->read_again_ns != 0 || b->why >= BELIEF_CONFIRMING
                                  : !instance_set_same(s, b->said);
    }
    if (b->held == 0) {
        b->held_since_ns = 0;
        b->rights = RIGHTS_UNKNOWN;
    }
    guard_note(&b->guard, j->well, j->now_ns);
    free(j->out);
    return s;
}

struct instance_set *belief_judge(struct belief *b, const struct instance_set *told,
                                  uint64_t now_ns)
{
    struct judgement j = {.b = b, .told = told, .now_ns = now_ns, .in_full = b->accepted};

    b->accepted = false;
    weigh(&j);
    build(&j);
    if (b->damped > 0 && j.well == 0) {
        j.undamped = true;
        build(&j);
    }
    return conclude(&j);
}
