/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/service_view.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "snapshot/service_tls.h"
#include "tls/client.h"

#include <stdlib.h>
#include <string.h>

static void mark_failures(struct service_view *v)
{
    for (size_t i = 0; i < ARRAY_LEN(v->conf->breaker.failure_statuses); i++) {
        unsigned status = v->conf->breaker.failure_statuses[i];

        if (status == 0)
            break;
        if (status < 600)
            v->failure_statuses[status / 64] |= 1ull << (status % 64);
    }
}

/* An instance that becomes usable begins its slow start, but not those that were there when the
 * gateway started: then all are equally cold, and holding each back only loses time. */
static void note_usable(struct instance_state *state, bool usable, bool first_view, uint64_t now_ns)
{
    if (usable && !state->usable && !first_view)
        atomic_store_explicit(&state->load.usable_since_ns, now_ns, memory_order_relaxed);
    state->usable = usable;
}

uint64_t service_view_weights_hash(const struct instance_weights *weights)
{
    uint64_t h = 0;

    for (size_t i = 0; weights && i < weights->n; i++)
        h = hash_mix(h ^ weights->items[i].instance ^ hash_mix(weights->items[i].weight + 1));
    return h;
}

static uint32_t weight_of(const struct instance *i, const struct instance_weights *weights)
{
    uint64_t key = weights && weights->n > 0 ? instance_key(i) : 0;

    for (size_t k = 0; weights && k < weights->n; k++)
        if (weights->items[k].instance == key)
            return weights->items[k].weight;
    return i->weight;
}

static void note_doubt(struct instance_state *state, const struct instance *i)
{
    bool doubted = i->doubt == DOUBT_HELD;

    atomic_store_explicit(&state->load.doubted, doubted, memory_order_relaxed);
    if (!doubted)
        atomic_store_explicit(&state->load.refused_until_ns, 0, memory_order_relaxed);
}

static struct balance_target target_of(const struct service_view *v, unsigned at,
                                       struct instance_state *state)
{
    const struct instance *i = &v->set->items[at];
    uint32_t weight = v->weights[at];
    const struct balance_conf *c = &v->conf->balance;
    bool elsewhere = c->prefer_meta && strcmp(i->zone, c->prefer_value) != 0;

    return (struct balance_target){
        .weight = weight ? weight : 1,
        .tier = elsewhere ? 1 : 0,
        .usable = instance_usable(i) && weight > 0,
        .fallback = i->health == HEALTH_CRITICAL && i->sockaddr_len > 0 && weight > 0,
        .id_hash = hash_str(str_of(state->key), 0),
        .load = &state->load,
    };
}

static struct balancer *make_balancer(const struct service_view *v,
                                      const struct balance_target *targets)
{
    const struct balance_conf *c = &v->conf->balance;
    int policy = balance_policy_parse(c->policy);
    struct balance_options options = {
        .policy = policy < 0 ? BALANCE_ROUND_ROBIN : (enum balance_policy)policy,
        .slow_start_ns = c->slow_start_ms * NS_PER_MS,
        .panic_percent = c->panic_percent,
        .tier_min_percent = c->prefer_min_percent,
    };
    struct balancer *b = balancer_new(&options, targets, v->n);

    if (!b)
        abort();
    return b;
}

static void find_fallbacks(struct registry *r, struct service_view *v)
{
    const struct fallback_list *list = v->conf->fallback;

    for (size_t i = 0; list && i < list->n; i++)
        if (list->items[i].kind == FALLBACK_SERVICE)
            v->fallback_slots[i] = registry_service(r, list->items[i].service)->slot;
}

static uint32_t slot_of(void *arg, const char *service)
{
    return registry_service(arg, service)->slot;
}

static void take_rules(struct registry *r, struct service_view *v,
                       const struct service_rules *rules)
{
    if (!rules)
        return;
    if (rules->chain)
        v->rules = traffic_rules_new(rules->chain, slot_of, r);
    if (!rules->settings)
        return;
    v->settings_owner = chain_ref(rules->owner);
    v->settings = rules->settings;
    v->own = service_rules_settings(v->conf, v->settings);
    if (v->own)
        v->conf = v->own;
}

bool service_view_has_rules(const struct service_view *v, const struct service_rules *rules)
{
    return (v->rules ? v->rules->chain : NULL) == rules->chain && v->settings == rules->settings;
}

struct service_view *service_view_new(struct registry *r, struct service_state *state,
                                      struct config *config, struct instance_set *set,
                                      const struct instance_weights *weights,
                                      const struct service_rules *rules, uint64_t now_ns)
{
    struct service_view *v = alloc_or_abort(sizeof *v);
    struct balance_target *targets;
    uint32_t usable = 0;
    bool first_view = atomic_load_explicit(&state->outliers.instances, memory_order_relaxed) == 0;

    v->refs = 1;
    v->state = state;
    v->config = config_ref(config);
    v->conf = config_service(config, state->name);
    take_rules(r, v, rules);
    v->set = set ? instance_set_ref(set) : NULL;
    v->n = set ? set->n : 0;
    v->weights_hash = service_view_weights_hash(weights);
    v->states = alloc_or_abort(v->n * sizeof(struct instance_state *));
    v->weights = alloc_or_abort(v->n * sizeof *v->weights);
    targets = alloc_or_abort(v->n * sizeof *targets);
    for (unsigned i = 0; i < v->n; i++) {
        struct instance_state *s = registry_instance(r, state, &set->items[i]);

        v->states[i] = instance_state_ref(s);
        atomic_store_explicit(&s->load.max_in_flight, v->conf->max_requests_per_instance,
                              memory_order_relaxed);
        note_doubt(s, &set->items[i]);
        v->weights[i] = weight_of(&set->items[i], weights);
        targets[i] = target_of(v, i, s);
        note_usable(s, targets[i].usable, first_view, now_ns);
        usable += targets[i].usable;
    }
    outlier_group_resize(&state->outliers, usable, now_ns);
    v->balancer = make_balancer(v, targets);
    mark_failures(v);
    find_fallbacks(r, v);
    service_tls_fill(r, v);
    free(targets);
    return v;
}

struct service_view *service_view_ref(struct service_view *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void service_view_unref(struct service_view **vp)
{
    struct service_view *v = *vp;

    *vp = NULL;
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < v->n; i++)
        instance_state_unref(&v->states[i]);
    balancer_free(v->balancer);
    instance_set_unref(&v->set);
    config_unref(&v->config);
    traffic_rules_free(&v->rules);
    chain_unref(&v->settings_owner);
    free(v->own);
    tls_client_unref(&v->tls);
    free(v->transports);
    free(v->weights);
    free(v->states);
    free(v);
}
