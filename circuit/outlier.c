/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit/outlier.h"

#include "circuit/relaxed.h"

#include <stdlib.h>

/* In rotation for so many base ejection times: its past ejections are forgotten. */
enum { FORGIVEN_AFTER = 10 };

const char *outlier_cause_name(enum outlier_cause c)
{
    static const char *const names[] = {"", "consecutive_failures", "failure_rate",
                                        "probation_failed"};

    return names[c];
}

static void use_options(struct outlier_group *g, const struct outlier_options *o)
{
    g->options = *o;
    if (g->options.max_ejection_ns < g->options.base_ejection_ns)
        g->options.max_ejection_ns = g->options.base_ejection_ns;
    SET(&g->enabled, o->enabled);
}

void outlier_group_init(struct outlier_group *g, const struct outlier_options *o)
{
    if (pthread_mutex_init(&g->lock, NULL) != 0)
        abort();
    SET(&g->instances, 0);
    g->ejected = 0;
    g->members = NULL;
    use_options(g, o);
}

void outlier_group_release(struct outlier_group *g)
{
    pthread_mutex_destroy(&g->lock);
}

/* Frees the slot last, with release order: who takes it next sees what was decided. */
static void free_slot(struct instance_load *l)
{
    atomic_store_explicit(&l->probing, false, memory_order_release);
}

static void restore(struct outlier *o, uint64_t now_ns)
{
    o->restored_at_ns = now_ns;
    SET(&o->streak, 0);
    window_clear(&o->window);
    SET(&o->load->on_probation, false);
    SET(&o->load->ejected_until_ns, 0);
    free_slot(o->load);
}

void outlier_group_configure(struct outlier_group *g, const struct outlier_options *options)
{
    pthread_mutex_lock(&g->lock);
    bool resized = options->window_ns != g->options.window_ns;
    use_options(g, options);
    for (struct outlier *o = g->members; o; o = o->next) {
        if (resized)
            window_resize(&o->window, options->window_ns);
        if (options->enabled)
            continue;
        restore(o, 0);
        o->ejections_in_a_row = 0;
    }
    if (!options->enabled)
        g->ejected = 0;
    pthread_mutex_unlock(&g->lock);
}

void outlier_init(struct outlier *o, struct outlier_group *g, struct instance_load *load)
{
    *o = (struct outlier){.group = g, .load = load};
    pthread_mutex_lock(&g->lock);
    window_init(&o->window, g->options.window_ns);
    o->next = g->members;
    g->members = o;
    pthread_mutex_unlock(&g->lock);
}

void outlier_release(struct outlier *o)
{
    struct outlier_group *g = o->group;

    pthread_mutex_lock(&g->lock);
    for (struct outlier **p = &g->members; *p; p = &(*p)->next) {
        if (*p == o) {
            *p = o->next;
            break;
        }
    }
    pthread_mutex_unlock(&g->lock);
}

/* From here to outlier_group_resize(): the mutex is held. */

/* Ejected, or on probation for no longer than the base time. */
static bool is_out(const struct outlier *o, uint64_t now_ns)
{
    if (!GET(&o->load->on_probation))
        return false;
    uint64_t over_ns = GET(&o->load->ejected_until_ns);
    return now_ns < over_ns || now_ns - over_ns < o->group->options.base_ejection_ns;
}

static uint32_t count_out(struct outlier_group *g, const struct outlier *except, uint64_t now_ns)
{
    uint32_t n = 0;

    for (const struct outlier *o = g->members; o; o = o->next)
        n += o != except && is_out(o, now_ns);
    return n;
}

static uint32_t max_out(const struct outlier_group *g)
{
    uint32_t instances = GET(&g->instances);
    /* Rounded up: of three instances two may be out at 50 %, or the second one that died would go
     * on getting half of the requests, and all retries. */
    uint64_t cap = ((uint64_t)instances * g->options.max_ejected_percent + 99) / 100;

    if (instances < 2)
        return 0;
    if (cap == 0)
        return 1;
    return cap < instances ? (uint32_t)cap : instances - 1;
}

static uint64_t ejection_time(const struct outlier *o, struct rng *rng)
{
    uint64_t ns = o->group->options.base_ejection_ns, max = o->group->options.max_ejection_ns;

    for (uint32_t i = 1; i < o->ejections_in_a_row && ns < max; i++)
        ns = ns > max / 2 ? max : ns * 2;
    return ns + (uint64_t)((double)ns * 0.1 * rng_double(rng));
}

/* False when the cap forbids it. */
static bool eject(struct outlier *o, enum outlier_cause cause, struct window_counts n,
                  uint64_t now_ns, struct rng *rng)
{
    struct outlier_group *g = o->group;
    uint32_t others = count_out(g, o, now_ns);

    if (others >= max_out(g))
        return false;
    if (cause != OUTLIER_PROBATION &&
        now_ns - o->restored_at_ns >= FORGIVEN_AFTER * g->options.base_ejection_ns)
        o->ejections_in_a_row = 0;
    o->ejections_in_a_row++;
    g->ejected = others + 1;
    SET(&o->streak, 0);
    window_clear(&o->window);
    INC(&o->ejections);
    SET(&o->last_ejected_at_ns, now_ns);
    SET(&o->last_cause, (int)cause);
    SET(&o->cause_failed, n.failed);
    SET(&o->cause_total, n.total);
    SET(&o->load->ejected_until_ns, now_ns + ejection_time(o, rng));
    /* Release: who sees the probation also sees that its time has not come. */
    atomic_store_explicit(&o->load->on_probation, true, memory_order_release);
    return true;
}

static bool ejected_by_streak(struct outlier *o, uint64_t now_ns, struct rng *rng)
{
    uint32_t limit = o->group->options.consecutive_failures;
    uint32_t streak = INC(&o->streak) + 1;

    return limit > 0 && streak >= limit &&
           eject(o, OUTLIER_STREAK, (struct window_counts){streak, streak, 0}, now_ns, rng);
}

static bool ejected_by_rate(struct outlier *o, uint64_t now_ns, struct rng *rng)
{
    const struct outlier_options *p = &o->group->options;
    struct window_counts n = window_sum(&o->window, now_ns);

    return p->failure_percent > 0 && n.total > 0 && n.total >= p->minimum_requests &&
           n.failed * 100ull >= (uint64_t)p->failure_percent * n.total &&
           eject(o, OUTLIER_RATE, n, now_ns, rng);
}

void outlier_group_resize(struct outlier_group *g, uint32_t instances, uint64_t now_ns)
{
    pthread_mutex_lock(&g->lock);
    SET(&g->instances, instances);
    uint32_t max = max_out(g);
    for (g->ejected = count_out(g, NULL, now_ns); g->ejected > max; g->ejected--) {
        struct outlier *soonest = NULL;
        for (struct outlier *o = g->members; o; o = o->next) {
            uint64_t until = GET(&o->load->ejected_until_ns);
            if (until > now_ns && (!soonest || until < GET(&soonest->load->ejected_until_ns)))
                soonest = o;
        }
        if (!soonest)
            break;
        SET(&soonest->load->ejected_until_ns, now_ns);
    }
    pthread_mutex_unlock(&g->lock);
}

bool outlier_begin(struct outlier *o, uint64_t now_ns, bool *ret_lost)
{
    struct instance_load *l = o->load;
    bool was_probing = false;

    *ret_lost = false;
    if (!atomic_load_explicit(&l->on_probation, memory_order_acquire) ||
        GET(&l->ejected_until_ns) > now_ns)
        return false;
    if (!atomic_compare_exchange_strong_explicit(&l->probing, &was_probing, true,
                                                 memory_order_acq_rel, memory_order_relaxed)) {
        *ret_lost = true;
        return false;
    }
    /* The probe before this one may have ended between the look and the swap. */
    if (!GET(&l->on_probation)) {
        free_slot(l);
        return false;
    }
    if (GET(&l->ejected_until_ns) > now_ns) {
        free_slot(l);
        *ret_lost = true;
        return false;
    }
    return true;
}

static enum outlier_event judge_probe(struct outlier *o, uint64_t now_ns, struct rng *rng,
                                      bool failed)
{
    if (!GET(&o->load->on_probation)) { /* everyone was restored since */
        free_slot(o->load);
        return OUTLIER_NOTHING;
    }
    if (failed && eject(o, OUTLIER_PROBATION, (struct window_counts){1, 1, 0}, now_ns, rng)) {
        free_slot(o->load);
        return OUTLIER_EJECTED;
    }
    restore(o, now_ns);
    return OUTLIER_RESTORED;
}

enum outlier_event outlier_report(struct outlier *o, uint64_t now_ns, struct rng *rng,
                                  bool probation, bool failed)
{
    struct outlier_group *g = o->group;
    enum outlier_event event = OUTLIER_NOTHING;

    if (!probation && !GET(&g->enabled))
        return OUTLIER_NOTHING;
    if (!probation && !failed) {
        window_add(&o->window, now_ns, 0, 0);
        if (GET(&o->streak) != 0)
            SET(&o->streak, 0);
        return OUTLIER_NOTHING;
    }

    pthread_mutex_lock(&g->lock);
    if (probation) {
        event = judge_probe(o, now_ns, rng, failed);
    } else if (g->options.enabled && !GET(&o->load->on_probation)) {
        /* Otherwise it was sent before the ejection, or in panic: that is judged already. */
        window_add(&o->window, now_ns, 1, 0);
        if (ejected_by_streak(o, now_ns, rng) || ejected_by_rate(o, now_ns, rng))
            event = OUTLIER_EJECTED;
    }
    pthread_mutex_unlock(&g->lock);
    return event;
}

void outlier_cancel(struct outlier *o, bool probation)
{
    if (probation)
        free_slot(o->load);
}
