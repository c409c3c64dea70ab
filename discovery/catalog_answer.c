/* SPDX-License-Identifier: Apache-2.0 */
/* catalog_answer.c - what Consul says about a service, what of it is believed, and who leaves. */
#include "base/arena.h"
#include "base/log.h"
#include "catalog_parts.h"
#include "instances.h"

#include <stdio.h>
#include <strings.h>

static const struct instance *find_instance(const struct instance_set *s, const struct instance *i)
{
    unsigned low = 0, high = s->n;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        int order = instance_compare(&s->items[mid], i);

        if (order == 0)
            return &s->items[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* False: it is as much in rotation as before. */
static bool left_rotation(const struct instance *was, const struct instance *is,
                          enum removal_why *ret_why)
{
    if (!is) {
        *ret_why = REMOVAL_DEREGISTERED;
        return true;
    }
    if (!instance_usable(was) || instance_usable(is) || is->sockaddr_len == 0)
        return false;
    *ret_why = is->health == HEALTH_CRITICAL      ? REMOVAL_CRITICAL
               : is->health == HEALTH_MAINTENANCE ? REMOVAL_MAINTENANCE
                                                  : REMOVAL_DRAINED;
    return true;
}

static const char *label_of(const struct entry *en)
{
    return en->label ? en->label : en->name;
}

static void note_removals(struct catalog *c, struct entry *en, const struct instance_set *after,
                          bool accepted, uint64_t now_ns)
{
    for (unsigned i = 0; i < en->told->n; i++) {
        const struct instance *was = &en->told->items[i], *is = find_instance(after, was);
        uint64_t since = is ? 0 : belief_missing_since(&en->belief, was);
        struct removal_facts f = {.held_ms = since ? (now_ns - since) / NS_PER_MS : 0,
                                  .accepted = accepted};

        if (left_rotation(was, is, &f.why))
            removals_add(&c->removals, &en->removed, label_of(en), is ? is : was, &f, now_ns);
    }
}

static void note_hold(struct catalog *c, const struct entry *en, uint64_t now_ns)
{
    const struct belief *b = &en->belief;

    c->holds++;
    if (removals_may_log(&c->removals, now_ns))
        log_write(b->why < BELIEF_CONFIRMING ? LOG_INFO : LOG_WARN, "discovery",
                  "service=%s: Consul lists %u instance%s; %u %s kept as %s: %s", label_of(en),
                  b->said->n, b->said->n == 1 ? "" : "s", b->held, b->held == 1 ? "is" : "are",
                  b->held == 1 ? "it was" : "they were", belief_why_text(b->why));
}

void entry_judge(struct catalog *c, struct entry *en, uint64_t now_ns)
{
    struct belief *b = &en->belief;
    bool had = en->told && !en->gone, accepted = b->accepted;
    unsigned held = b->held;
    struct instance_set *s = belief_judge(b, had ? en->told : NULL, now_ns);

    if (had)
        note_removals(c, en, s, accepted, now_ns);
    if (held == 0 && b->held > 0)
        note_hold(c, en, now_ns);
    belief_tidy(b, now_ns);
    earliest(&c->due_ns, b->judge_again_ns);
    if (s->n > 0 || c->keep_ms == 0) {
        entry_tell(c, en, s, false, now_ns);
        return;
    }
    entry_begin_gone(c, en, now_ns);
    if (en->gone)
        instance_set_unref(&s);
    else
        entry_tell(c, en, s, false, now_ns);
}

bool catalog_put(struct catalog *c, const char *service, const struct catalog_answer *a,
                 uint64_t now_ns)
{
    struct entry *en = catalog_entry(c, service);

    if (!en || !en->watched) {
        arena_free(a->arena);
        return true;
    }
    en->answered_ns = now_ns;
    en->skipped = a->skipped;
    catalog_resolve_items(c, a->items, a->n);
    belief_hear(&en->belief, instance_set_new(a->arena, en->name, a->items, a->n), a->complete,
                a->asked_ns, now_ns);
    entry_judge(c, en, now_ns);
    return !en->belief.unheeded;
}

unsigned catalog_accept(struct catalog *c, const char *service, uint64_t now_ns)
{
    unsigned n = 0;

    for (size_t i = 0; i < c->n; i++) {
        struct entry *en = c->entries[i];

        if (en->belief.held == 0 || (service && strcasecmp(en->name, service) != 0))
            continue;
        n += en->belief.held;
        belief_accept(&en->belief);
        entry_judge(c, en, now_ns);
    }
    return n;
}

void catalog_set_rights(struct catalog *c, const char *service, bool given, uint64_t now_ns)
{
    struct entry *en = catalog_entry(c, service);

    if (!en || en->belief.held == 0)
        return;
    belief_set_rights(&en->belief, given ? RIGHTS_GIVEN : RIGHTS_MISSING, now_ns);
    entry_judge(c, en, now_ns);
}

void catalog_agent_back(struct catalog *c, const char *node, uint64_t until_ns)
{
    snprintf(c->world.agent_node, sizeof c->world.agent_node, "%s", node);
    c->world.agent_until_ns = until_ns;
}

bool catalog_asks_rights(const struct catalog *c, const char *service)
{
    const struct entry *en = catalog_entry(c, service);

    return en && en->belief.why >= BELIEF_RESTARTED && en->belief.rights != RIGHTS_GIVEN;
}
