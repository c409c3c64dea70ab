/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit/outlier.h"

#include "circuit/relaxed.h"

#include <stdlib.h>

/* In rotation for so many base ejection times: its past ejections are forgotten. */
enum { FORGIVEN_AFTER = 10 };

const char *outlier_cause_name(enum outlier_cause c)
{
    static const char *const names[] = {"", "consecutive_failures", "failure_rate",
                                        "probation_failed", "operator"};

    return names[c];
}

const char *outlier_state_name(enum outlier_state s)
{
    static const char *const names[] = {"closed", "open", "half_open", "forced_open",
                                        "forced_closed"};

    return names[s];
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

/* All static functions below are called with the group's mutex held. */

/* A probe that is out keeps the slot until its own report: there is never a second one. */
static void restore(struct outlier *o, uint64_t now_ns)
{
    o->restored_at_ns = o->since_ns = now_ns;
    SET(&o->streak, 0);
    window_clear(&o->window);
    SET(&o->load->on_probation, false);
    SET(&o->load->ejected_until_ns, 0);
}

static void release_hold(struct outlier *o)
{
    o->held = OUTLIER_AUTO;
    SET(&o->held_until_ns, UINT64_MAX);
    SET(&o->load->held_out, false);
}

/* The operator's word that is in force. */
static enum outlier_force word_at(const struct outlier *o, uint64_t now_ns)
{
    return now_ns < GET(&o->held_until_ns) ? o->held : OUTLIER_AUTO;
}

void outlier_group_configure(struct outlier_group *g, const struct outlier_options *options)
{
    pthread_mutex_lock(&g->lock);
    bool resized = options->window_ns != g->options.window_ns;
    use_options(g, options);
    for (struct outlier *o = g->members; o; o = o->next) {
        if (resized)
            window_resize(&o->window, options->window_ns);
        if (options->enabled || o->held != OUTLIER_AUTO)
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
    *o = (struct outlier){.group = g, .load = load, .held_until_ns = UINT64_MAX};
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

/* Ejected, or on probation for no longer than the base time. */
static bool is_out(const struct outlier *o, uint64_t now_ns)
{
    if (!GET(&o->load->on_probation))
        return false;
    uint64_t over_ns = GET(&o->load->ejected_until_ns);
    return now_ns < over_ns || now_ns - over_ns < o->group->options.base_ejection_ns;
}

struct out {
    uint32_t by_itself, by_hand;
};

static struct out count_out(struct outlier_group *g, const struct outlier *except, uint64_t now_ns)
{
    struct out n = {0, 0};

    for (const struct outlier *o = g->members; o; o = o->next) {
        if (o == except || !is_out(o, now_ns))
            continue;
        if (word_at(o, now_ns) == OUTLIER_OUT)
            n.by_hand++;
        else
            n.by_itself++;
    }
    return n;
}

/* By the options alone. */
static uint32_t cap_of(const struct outlier_group *g)
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

/* How many may be out automatically when so many are held out: one always stays. */
static uint32_t max_out(const struct outlier_group *g, uint32_t by_hand)
{
    uint32_t instances = GET(&g->instances), cap = cap_of(g);
    uint32_t left = instances > by_hand + 1 ? instances - by_hand - 1 : 0;

    return cap < left ? cap : left;
}

static uint64_t ejection_time(const struct outlier *o, struct rng *rng)
{
    uint64_t ns = o->group->options.base_ejection_ns, max = o->group->options.max_ejection_ns;

    for (uint32_t i = 1; i < o->ejections_in_a_row && ns < max; i++)
        ns = ns > max / 2 ? max : ns * 2;
    return ns + (uint64_t)((double)ns * 0.1 * rng_double(rng));
}

/* False when the cap or an operator forbids it. */
static bool eject(struct outlier *o, enum outlier_cause cause, struct window_counts n,
                  uint64_t now_ns, struct rng *rng)
{
    struct outlier_group *g = o->group;
    struct out others = count_out(g, o, now_ns);

    if (!g->options.enabled || word_at(o, now_ns) == OUTLIER_IN ||
        others.by_itself >= max_out(g, others.by_hand))
        return false;
    if (cause != OUTLIER_PROBATION &&
        now_ns - o->restored_at_ns >= FORGIVEN_AFTER * g->options.base_ejection_ns)
        o->ejections_in_a_row = 0;
    o->ejections_in_a_row++;
    g->ejected = others.by_itself + 1;
    o->since_ns = now_ns;
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

/* Of those that the detector has ejected. */
static struct outlier *soonest_back(const struct outlier_group *g, uint64_t now_ns)
{
    struct outlier *soonest = NULL;
    uint64_t at = UINT64_MAX;

    for (struct outlier *o = g->members; o; o = o->next) {
        uint64_t until = GET(&o->load->ejected_until_ns);
        if (until <= now_ns || until >= at || word_at(o, now_ns) == OUTLIER_OUT)
            continue;
        soonest = o;
        at = until;
    }
    return soonest;
}

void outlier_group_resize(struct outlier_group *g, uint32_t instances, uint64_t now_ns)
{
    pthread_mutex_lock(&g->lock);
    SET(&g->instances, instances);
    struct out n = count_out(g, NULL, now_ns);
    uint32_t max = max_out(g, n.by_hand);
    for (g->ejected = n.by_itself; g->ejected > max; g->ejected--) {
        struct outlier *o = soonest_back(g, now_ns);
        if (!o)
            break;
        SET(&o->load->ejected_until_ns, now_ns);
    }
    pthread_mutex_unlock(&g->lock);
}

bool outlier_begin(struct outlier *o, uint64_t now_ns, bool *ret_lost)
{
    struct instance_load *l = o->load;
    bool was_probing = false;

    *ret_lost = false;
    if (!atomic_load_explicit(&l->on_probation, memory_order_acquire))
        return false;
    if (GET(&l->ejected_until_ns) > now_ns) {
        *ret_lost = GET(&l->held_out); /* by hand, since the look */
        return false;
    }
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
    if (word_at(o, now_ns) == OUTLIER_OUT) { /* held out since */
        free_slot(o->load);
        return OUTLIER_NOTHING;
    }
    if (failed && eject(o, OUTLIER_PROBATION, (struct window_counts){1, 1, 0}, now_ns, rng)) {
        free_slot(o->load);
        return OUTLIER_EJECTED;
    }
    restore(o, now_ns);
    free_slot(o->load);
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

/* Would the group be without an instance in rotation if this one went out? */
static bool is_last(struct outlier *o, uint64_t now_ns)
{
    struct out others = count_out(o->group, o, now_ns);

    return !is_out(o, now_ns) && others.by_itself + others.by_hand + 1 >= GET(&o->group->instances);
}

static void hold_out(struct outlier *o, uint64_t until_ns, uint64_t now_ns)
{
    struct instance_load *l = o->load;

    if (word_at(o, now_ns) != OUTLIER_OUT)
        INC(&o->ejections);
    SET(&o->last_ejected_at_ns, now_ns);
    SET(&o->last_cause, OUTLIER_OPERATOR);
    SET(&o->cause_failed, 0);
    SET(&o->cause_total, 0);
    SET(&o->streak, 0);
    window_clear(&o->window);
    SET(&l->held_out, true);
    SET(&l->ejected_until_ns, until_ns);
    atomic_store_explicit(&l->on_probation, true, memory_order_release);
}

bool outlier_force(struct outlier *o, enum outlier_force word, uint64_t until_ns, bool even_last,
                   uint64_t now_ns)
{
    struct outlier_group *g = o->group;

    pthread_mutex_lock(&g->lock);
    if (word == OUTLIER_OUT && !even_last && is_last(o, now_ns)) {
        pthread_mutex_unlock(&g->lock);
        return false;
    }
    if (word == OUTLIER_OUT) {
        hold_out(o, until_ns, now_ns);
    } else {
        SET(&o->load->held_out, false);
        restore(o, now_ns);
    }
    if (word == OUTLIER_AUTO)
        o->ejections_in_a_row = 0;
    o->held = word;
    o->held_at_ns = now_ns;
    SET(&o->held_until_ns, word == OUTLIER_AUTO ? UINT64_MAX : until_ns);
    g->ejected = count_out(g, NULL, now_ns).by_itself;
    pthread_mutex_unlock(&g->lock);
    return true;
}

bool outlier_tick(struct outlier *o, uint64_t now_ns)
{
    struct outlier_group *g = o->group;
    uint64_t until_ns = GET(&o->held_until_ns);
    bool ended = false;

    if (now_ns < until_ns)
        return false;
    pthread_mutex_lock(&g->lock);
    if (o->held != OUTLIER_AUTO && now_ns >= GET(&o->held_until_ns)) {
        /* Out, and nobody is there who would judge a probation. */
        if (o->held == OUTLIER_OUT && !g->options.enabled)
            restore(o, now_ns);
        else if (o->held == OUTLIER_IN)
            o->since_ns = until_ns;
        release_hold(o);
        ended = true;
    }
    pthread_mutex_unlock(&g->lock);
    return ended;
}

static enum outlier_state state_at(const struct outlier *o, uint64_t now_ns)
{
    enum outlier_force word = word_at(o, now_ns);

    if (word != OUTLIER_AUTO)
        return word == OUTLIER_OUT ? OUTLIER_HELD_OUT : OUTLIER_HELD_IN;
    if (!GET(&o->load->on_probation))
        return OUTLIER_IN_ROTATION;
    return GET(&o->load->ejected_until_ns) > now_ns ? OUTLIER_IS_EJECTED : OUTLIER_ON_PROBATION;
}

void outlier_info(struct outlier *o, uint64_t now_ns, struct outlier_info *ret_info)
{
    struct instance_load *l = o->load;
    enum outlier_state state;

    pthread_mutex_lock(&o->group->lock);
    state = state_at(o, now_ns);
    *ret_info = (struct outlier_info){
        .state = state,
        .since_ns = o->since_ns,
        .probe_in_flight = state == OUTLIER_ON_PROBATION && GET(&l->probing),
        .ejections = GET(&o->ejections),
        .in_a_row = o->ejections_in_a_row,
        .cause = (enum outlier_cause)GET(&o->last_cause),
        .ejected_at_ns = GET(&o->last_ejected_at_ns),
        .cause_failed = GET(&o->cause_failed),
        .cause_total = GET(&o->cause_total),
    };
    if (state == OUTLIER_HELD_OUT || state == OUTLIER_HELD_IN) {
        ret_info->since_ns = o->held_at_ns;
        ret_info->until_ns = GET(&o->held_until_ns);
    } else if (state == OUTLIER_IS_EJECTED) {
        ret_info->until_ns = GET(&l->ejected_until_ns);
    } else if (state == OUTLIER_ON_PROBATION) {
        ret_info->since_ns = GET(&l->ejected_until_ns);
    }
    pthread_mutex_unlock(&o->group->lock);
}
