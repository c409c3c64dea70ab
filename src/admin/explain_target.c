/* SPDX-License-Identifier: Apache-2.0 */
/* One service of the route: would its breaker and its limit let the request in now? */
#include "admin/documents.h"
#include "admin/explain.h"

#define GET(x) atomic_load_explicit(&(x), memory_order_relaxed)

/* What breaker_admit() would say, without asking it: a probe must not be taken here. */
static bool would_reject(const struct look *l, const struct service_view *v,
                         const struct breaker_info *b)
{
    switch (b->state) {
    case BREAKER_FORCED_OPEN:
        return true;
    case BREAKER_OPEN:
        return b->reopens_at_ns > l->now_ns;
    case BREAKER_HALF_OPEN:
        return b->probes_in_flight >= v->conf->breaker.half_open_requests;
    default:
        return false;
    }
}

static json_t *breaker_part(const struct look *l, const struct service_row *row, bool rejects)
{
    json_t *doc = breaker_summary(l, row);

    json_object_set_new(doc, "would_reject_now", json_boolean(rejects));
    return doc;
}

enum room { ROOM_FREE, ROOM_QUEUE, ROOM_NONE };

static enum room room_of(const struct service_view *v)
{
    struct limit *limit = &v->state->limit;

    if (limit_has_room(limit) && !limit_has_waiters(limit))
        return ROOM_FREE;
    return GET(limit->waiting) < GET(limit->max_waiting) ? ROOM_QUEUE : ROOM_NONE;
}

static json_t *limit_part(const struct service_view *v, enum room room)
{
    static const char *const words[] = {"pass", "queue", "reject"};
    struct limit *limit = &v->state->limit;

    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:s}", "in_flight", (json_int_t)GET(limit->active),
                     "max_requests", (json_int_t)GET(limit->max_active), "waiting",
                     (json_int_t)GET(limit->waiting), "queue", (json_int_t)GET(limit->max_waiting),
                     "queue_timeout_ms", (json_int_t)v->conf->queue_timeout_ms, "would",
                     words[room]);
}

/* In the order of the request's way: breaker, limit, instance. */
static void decide(const struct service_view *v, bool rejects, enum room room, enum reason none,
                   struct explain_outcome *ret)
{
    if (rejects || room == ROOM_NONE || none != REASON_NONE) {
        ret->kind = "refuse";
        ret->reason = rejects ? REASON_BREAKER_OPEN : room == ROOM_NONE ? REASON_OVERLOADED : none;
    } else if (room == ROOM_QUEUE) {
        ret->kind = "wait";
    }
    if (none == REASON_NO_HEALTHY_INSTANCE && ret->reason == none)
        ret->detail = v->n == 0 ? "no instance is registered" : "every instance is out";
}

static double share_of(const struct explained *x, size_t target)
{
    const struct route *r = x->match.route;

    return r->weight_sum ? (double)r->conf->targets[target].weight / r->weight_sum : 0;
}

/* The service that takes the place of one with traffic rules; NULL = none does. */
static const struct service_view *follow_rules(const struct explained *x,
                                               const struct service_view *v, json_t *doc,
                                               struct explain_outcome *ret)
{
    const struct snapshot *s = x->look->snapshot;
    struct traffic_walk walk;
    bool found;

    if (!v->rules || breaker_forced_open(v->state->breaker))
        return v;
    found = explain_walk(x, v, &walk);
    json_object_set_new(doc, "rules", explain_rules(v, &walk));
    ret->rule = walk.route;
    ret->certain = ret->certain && explain_walk_certain(&walk);
    if (!found) {
        ret->kind = "refuse";
        ret->reason = REASON_NO_ROUTE;
        ret->detail = "no route of Consul's router matches";
        return NULL;
    }
    if (explain_rewrite_refused(x, walk.route)) {
        ret->kind = "refuse";
        ret->reason = REASON_BAD_REQUEST;
        ret->detail = "the path cannot be rewritten as Consul's router says";
        return NULL;
    }
    ret->service = walk.target->key;
    json_object_set_new(doc, "target", json_text(ret->service));
    return walk.slot < s->nslots ? s->services[walk.slot] : NULL;
}

json_t *explain_target(const struct explained *x, size_t target, bool chosen,
                       struct explain_outcome *ret)
{
    const struct look *l = x->look;
    const struct target_conf *t = &x->match.route->conf->targets[target];
    uint32_t slot = x->match.route->slots[target];
    const struct service_view *v = slot < l->snapshot->nslots ? l->snapshot->services[slot] : NULL;
    json_t *doc = json_pack("{s:o,s:o,s:i,s:f,s:b,s:n}", "name", json_text(t->service), "target",
                            json_text(t->service), "weight", (int)t->weight, "share",
                            share_of(x, target), "chosen", chosen, "rules");
    enum reason none = REASON_NO_HEALTHY_INSTANCE;
    struct service_row row;
    int pick = -1;

    ret->rule = NULL;
    ret->service = t->service;
    if (v)
        v = follow_rules(x, v, doc, ret);
    if (!v)
        return doc;
    service_row_fill(&row, v, l->now_ns);
    bool rejects = would_reject(l, v, &row.breaker);
    enum room room = room_of(v);
    json_t *instances = explain_instances(x, v, &pick, &ret->certain, &none);

    ret->instance = pick < 0 ? NULL : v->set->items[pick].id;
    decide(v, rejects, room, none, ret);
    ret->fallback = ret->reason ? explain_fallback(x, v, ret->reason) : NULL;
    json_object_set_new(doc, "breaker", json_string(breaker_state_name(row.breaker.state)));
    json_object_set_new(doc, "circuit", breaker_part(l, &row, rejects));
    json_object_set_new(doc, "limit", limit_part(v, room));
    json_object_set_new(doc, "policy", explain_policy(x, v, ret->rule));
    json_object_set_new(doc, "available", json_integer(row.available));
    json_object_set_new(doc, "panic", json_boolean(row.panic));
    json_object_set_new(doc, "forwarded_host", explain_host(x, v, pick));
    json_object_set_new(doc, "pick", ret->instance ? json_text(ret->instance) : json_null());
    json_object_set_new(doc, "instances", instances);
    return doc;
}
