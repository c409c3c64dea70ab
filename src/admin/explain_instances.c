/* SPDX-License-Identifier: Apache-2.0 */
/* Which instance would get the request? The balancer picks, again and again, each time from a copy
 * of what moves in it: so nothing moves, and what is left to chance shows in the counts. */
#include "admin/documents.h"
#include "admin/explain.h"
#include "route/route_split.h"

#include <stdlib.h>
#include <string.h>

enum { PICKS = 200 };

#define GET(x) atomic_load_explicit(&(x), memory_order_relaxed)

struct picks {
    enum balance_verdict verdict; /* of the first */
    int first;                    /* -1 = none */
    unsigned *counts;             /* [v->n]; owned */
};

static void pick_many(const struct explained *x, const struct service_view *v, struct picks *ret)
{
    const struct balance_conf *c = &v->conf->balance;
    uint64_t position = GET(v->state->cursor);
    struct rng rng = {.state = x->look->now_ns};
    struct balance_query q = {.now_ns = x->look->now_ns, .rng = &rng};

    ret->first = -1;
    ret->verdict = BALANCE_NONE;
    ret->counts = calloc(v->n + 1, sizeof *ret->counts);
    if (!ret->counts)
        abort();
    q.has_hash = route_hash(c->hash_source, c->hash_name, &x->req, &x->match, &x->client, &q.hash);
    for (unsigned i = 0; i < PICKS; i++) {
        _Atomic uint64_t cursor = position;
        unsigned index;
        enum balance_verdict verdict;

        q.cursor = &cursor;
        verdict = balancer_pick(v->balancer, &q, &index);
        if (i == 0)
            ret->verdict = verdict;
        if (verdict != BALANCE_OK)
            break;
        if (i == 0)
            ret->first = (int)index;
        ret->counts[index]++;
    }
}

/* Why the instance gets no request now: a word; NULL = it may get one. */
static const char *why_not(const struct explained *x, const struct service_view *v, unsigned i,
                           bool panic)
{
    const struct instance *in = &v->set->items[i];
    struct instance_state *state = v->states[i];
    uint32_t max = GET(state->load.max_in_flight);
    struct outlier_info o;

    outlier_info(&state->outlier, x->look->now_ns, &o);
    if (in->sockaddr_len == 0)
        return "unresolved";
    if (o.state == OUTLIER_HELD_OUT)
        return "forced_open";
    if (in->health == HEALTH_MAINTENANCE)
        return "maintenance";
    if (!panic && in->health == HEALTH_CRITICAL)
        return "critical";
    if (v->weights[i] == 0 && (!panic || in->weight > 0))
        return "weight_0";
    if (!panic && instance_ejected(&state->load, x->look->now_ns))
        return "ejected";
    if (GET(state->load.on_probation) && GET(state->load.probing))
        return "probe_under_way";
    return max > 0 && GET(state->load.in_flight) >= max ? "at_its_limit" : NULL;
}

static json_t *instance_part(const struct explained *x, const struct service_view *v, unsigned i,
                             bool panic, const struct picks *p)
{
    const struct balance_conf *c = &v->conf->balance;
    const struct instance *in = &v->set->items[i];
    struct instance_state *state = v->states[i];
    json_t *doc = instance_breaker_part(x->look, v, i);
    const char *why = why_not(x, v, i, panic);
    uint64_t ewma = GET(state->load.ewma_ns);

    json_object_set_new(doc, "health", json_string(health_name(in->health)));
    json_object_set_new(doc, "available",
                        json_boolean(instance_available(in, &state->load, x->look->now_ns)));
    json_object_set_new(doc, "weight", json_integer(v->weights[i]));
    json_object_set_new(doc, "zone", json_text(in->zone));
    json_object_set_new(doc, "preferred",
                        c->prefer_meta ? json_boolean(strcmp(in->zone, c->prefer_value) == 0)
                                       : json_null());
    json_object_set_new(doc, "in_flight", json_integer(GET(state->load.in_flight)));
    json_object_set_new(doc, "ewma_ms", ewma ? json_real((double)ewma / 1e6) : json_null());
    json_object_set_new(doc, "could_be_chosen", json_boolean(!why));
    json_object_set_new(doc, "why_not", json_text(why));
    json_object_set_new(doc, "chance", json_real((double)p->counts[i] / PICKS));
    json_object_set_new(doc, "pick", json_boolean(p->first == (int)i));
    return doc;
}

json_t *explain_instances(const struct explained *x, const struct service_view *v, int *ret_pick,
                          bool *ret_certain, enum reason *ret_reason)
{
    bool panic = balancer_in_panic(v->balancer, x->look->now_ns);
    json_t *list = json_array();
    struct picks p;

    pick_many(x, v, &p);
    for (unsigned i = 0; i < v->n; i++)
        json_array_append_new(list, instance_part(x, v, i, panic, &p));
    *ret_pick = p.first;
    *ret_certain = p.first < 0 || p.counts[p.first] == PICKS;
    *ret_reason = p.verdict == BALANCE_OK     ? REASON_NONE
                  : p.verdict == BALANCE_FULL ? REASON_OVERLOADED
                                              : REASON_NO_HEALTHY_INSTANCE;
    free(p.counts);
    return list;
}
