/* SPDX-License-Identifier: Apache-2.0 */
/* consul_lead.c - the list of services: finds those to expose, and is the first to see that the
 * agent is back. */
#include "base/log.h"
#include "consul_source_parts.h"

#include <stdlib.h>

static int lead_read(struct query *q, struct str body, struct err *e)
{
    struct lead *l = CONTAINER_OF(q, struct lead, query);

    arena_free(l->read_arena);
    l->read_arena = arena_new();
    return consul_json_services(body, l->read_arena, &l->read, e);
}

/* Adds the services of an answer that may lack some to those known. */
static void join_lists(struct lead *l, const struct consul_services *before)
{
    struct consul_services both = consul_services_join(l->arena, before, &l->read);

    l->list = consul_services_copy(l->arena, &both);
}

static void poll_retagged(struct consul_source *s, const struct consul_services *before)
{
    for (unsigned i = 0; i < s->lead.list.n; i++) {
        const struct consul_listed *now = &s->lead.list.items[i];
        const struct consul_listed *old = consul_services_find(before, now->name);

        if (old && !consul_listed_same_tags(old, now))
            source_poll_service(s, now->name);
    }
}

static bool lead_apply(struct query *q, bool complete, bool empty_ok)
{
    struct consul_source *s = q->owner;
    struct lead *l = &s->lead;
    struct consul_services before = l->list;
    struct arena *before_arena = l->arena;
    bool whole, first_doubt = !l->heard && !l->doubted && !complete;

    if (s->pool.heard) /* else it is recalled */
        agent_answered(s);
    l->arena = l->read_arena;
    l->read_arena = NULL;
    l->list = l->read;
    if ((l->heard || l->doubted) && (!complete || (l->read.n == 0 && !empty_ok)))
        join_lists(l, &before);
    /* An agent that has just started shows a catalog that is still being filled: its first doubtful
     * answer is used, but asked for again before it counts as having heard. */
    whole = !first_doubt && consul_services_same(&l->list, &l->read);
    l->doubted |= first_doubt;
    l->heard |= !first_doubt;
    consul_source_review(s);
    poll_retagged(s, &before);
    arena_free(before_arena);
    return whole;
}

static void lead_after(struct query *q, const struct query_outcome *o)
{
    struct consul_source *s = q->owner;

    if (o->answer->renewed)
        return;
    source_note(s, o, true);
    if (o->result != WATCH_GOOD) {
        if (!s->lead_logged)
            log_warn("discovery", "consul %s: %s; what is known stays in use", source_agent(s),
                     o->error);
        s->lead_logged = true;
        source_tell_recalled(s, o->result == WATCH_DENIED ? "Consul refuses the token"
                                                          : "Consul does not answer");
        return;
    }
    if (s->lead_logged)
        log_info("discovery", "consul %s: answers again", source_agent(s));
    s->lead_logged = false;
    source_tell_recalled(s, NULL);
    if (o->was_failing)
        source_kick_failing(s);
    if (o->woke || o->was_failing)
        source_sweep(s);
    source_touch(s);
}

static void lead_ended(struct query *q)
{
    (void)q;
    abort();
}

static const struct query_ops lead_ops = {
    .read = lead_read, .apply = lead_apply, .after = lead_after, .ended = lead_ended};

void lead_start(struct consul_source *s, uint64_t wait_ms)
{
    query_init(&s->lead.query, &lead_ops, &s->pool, s, "/v1/catalog/services");
    consul_get_leads(s->lead.query.get);
    s->lead.query.options = (struct watch_options){.wait_ms = wait_ms, .lead = true};
    query_keep(&s->lead.query);
    query_kick(&s->lead.query);
}

void lead_release(struct lead *l)
{
    query_release(&l->query);
    arena_free(l->arena);
    arena_free(l->read_arena);
}
