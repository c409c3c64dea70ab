/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog_parts.h"

bool catalog_status(const struct catalog *c, const char *service,
                    struct discovery_watch_status *ret)
{
    const struct entry *en = catalog_entry(c, service);
    const struct belief *b;

    if (!en)
        return false;
    b = &en->belief;
    ret->answered_ns = en->answered_ns;
    ret->changed_ns = en->changed_ns;
    ret->is_static = en->is_static;
    ret->gone = en->gone && !en->is_static;
    ret->skipped = en->skipped;
    ret->held = b->held;
    ret->held_why = belief_why_text(b->why);
    ret->held_since_ns = b->held_since_ns;
    ret->believed_ns = b->read_again_ns ? b->read_again_ns : b->judge_again_ns;
    ret->damped = b->damped;
    return true;
}

void catalog_totals(const struct catalog *c, struct discovery_status *ret)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct entry *en = c->entries[i];

        ret->skipped_instances += en->skipped;
        ret->held_instances += en->belief.held;
        ret->held_services += en->belief.held > 0;
        ret->damped_instances += en->belief.damped;
    }
    ret->holds += c->holds;
    for (int i = 0; i < REMOVAL_WHYS; i++)
        ret->removals[i] += c->removals.total[i];
}

unsigned catalog_removals(const struct catalog *c, const char *service,
                          struct discovery_removal *ret, unsigned max)
{
    const struct entry *en = catalog_entry(c, service);
    const struct removal *x;
    unsigned n = 0;

    while (en && n < max && (x = removal_ring_at(&en->removed, n)))
        ret[n++] =
            (struct discovery_removal){.at_ns = x->at_ns,
                                       .why = removal_why_word(removals_why(&c->removals, x)),
                                       .node = x->node,
                                       .id = x->id,
                                       .address = x->address,
                                       .port = x->port,
                                       .check = x->check,
                                       .held_ms = x->held_ms,
                                       .accepted = x->accepted};
    return n;
}
