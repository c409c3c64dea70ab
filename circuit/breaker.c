/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit/breaker.h"

#include "circuit/relaxed.h"
#include "circuit/window.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What a client may be told when only the outcome of probes decides how long it takes. */
#define HALF_OPEN_RETRY_NS NS_PER_S

struct breaker {
    /* Read without the mutex, written under it. `word` is published with release order after the
     * fields that belong to the new state. */
    struct {
        _Atomic uint64_t word; /* generation << 2 | state */
        _Atomic uint64_t slow_ns;
        _Atomic uint64_t reopens_at_ns;
        _Atomic uint64_t probes_lost_at_ns; /* HALF_OPEN: when probes that are out count as lost */
        _Atomic uint32_t probes_free;       /* half-open slots left */
        _Atomic bool enabled;
        _Atomic uint64_t rejected;
        struct window window;
    } shared;

    pthread_mutex_t lock; /* guards the rest */
    struct breaker_options options;
    uint64_t since_ns;
    uint32_t trips_in_a_row;
    uint64_t trips;
    uint32_t probes_in_flight, probes_succeeded, probes_slow;
    struct breaker_info last; /* only `trip` of it is used */

    breaker_watch_fn *watch; /* set before the breaker is shared */
    void *watch_arg;
};

/* A transition that has happened under the mutex and is told after it. */
struct change {
    bool happened;
    enum breaker_state from, to;
    enum breaker_cause cause;
};

const char *breaker_state_name(enum breaker_state s)
{
    static const char *const names[] = {"closed", "open", "half_open"};

    return names[s];
}

const char *breaker_cause_name(enum breaker_cause c)
{
    static const char *const names[] = {"", "failure_rate", "slow_call_rate", "probe_failed"};

    return names[c];
}

static enum breaker_state word_state(uint64_t word)
{
    return (enum breaker_state)(word & 3);
}

static uint32_t word_generation(uint64_t word)
{
    return (uint32_t)(word >> 2);
}

static uint64_t word_load(const struct breaker *b)
{
    return atomic_load_explicit(&b->shared.word, memory_order_acquire);
}

static void use_options(struct breaker *b, const struct breaker_options *o)
{
    b->options = *o;
    if (b->options.half_open_requests == 0)
        b->options.half_open_requests = 1;
    if (b->options.max_open_ns < b->options.open_ns)
        b->options.max_open_ns = b->options.open_ns;
    SET(&b->shared.slow_ns, o->slow_ns);
    SET(&b->shared.enabled, o->enabled);
}

struct breaker *breaker_new(const struct breaker_options *o, uint64_t now_ns)
{
    struct breaker *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    if (pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return NULL;
    }
    use_options(b, o);
    window_init(&b->shared.window, o->window_ns);
    b->since_ns = now_ns;
    return b;
}

void breaker_free(struct breaker *b)
{
    if (!b)
        return;
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void breaker_watch(struct breaker *b, breaker_watch_fn *fn, void *arg)
{
    b->watch = fn;
    b->watch_arg = arg;
}

static void tell(const struct breaker *b, const struct change *c)
{
    if (c->happened && b->watch)
        b->watch(b->watch_arg, c->from, c->to, c->cause);
}

static void count_free_probes(struct breaker *b)
{
    uint32_t slots = b->options.half_open_requests, out = b->probes_in_flight;

    SET(&b->shared.probes_free, slots > out ? slots - out : 0);
}

/* From here to close_if_disabled(): transitions. The mutex is held. */

static struct change enter(struct breaker *b, enum breaker_state to, enum breaker_cause cause,
                           uint64_t now_ns)
{
    uint64_t word = GET(&b->shared.word);
    struct change c = {true, word_state(word), to, cause};

    b->since_ns = now_ns;
    b->probes_in_flight = b->probes_succeeded = b->probes_slow = 0;
    count_free_probes(b);
    atomic_store_explicit(&b->shared.word, ((word >> 2) + 1) << 2 | to, memory_order_release);
    return c;
}

static uint64_t open_time(const struct breaker *b, struct rng *rng)
{
    uint64_t ns = b->options.open_ns, max = b->options.max_open_ns;

    for (uint32_t i = 1; i < b->trips_in_a_row && ns < max; i++)
        ns = ns > max / 2 ? max : ns * 2;
    return ns + (uint64_t)((double)ns * 0.1 * rng_double(rng));
}

static struct change trip(struct breaker *b, enum breaker_cause cause, struct window_counts counts,
                          uint64_t window_ns, uint64_t now_ns, struct rng *rng)
{
    b->trips++;
    b->trips_in_a_row++;
    b->last.trip.cause = cause;
    b->last.trip.at_ns = now_ns;
    b->last.trip.total = counts.total;
    b->last.trip.failed = counts.failed;
    b->last.trip.slow = counts.slow;
    b->last.trip.window_ns = window_ns;
    SET(&b->shared.reopens_at_ns, now_ns + open_time(b, rng));
    return enter(b, BREAKER_OPEN, cause, now_ns);
}

static struct change close_now(struct breaker *b, uint64_t now_ns)
{
    b->trips_in_a_row = 0;
    window_clear(&b->shared.window);
    return enter(b, BREAKER_CLOSED, BREAKER_BY_NOTHING, now_ns);
}

/* A breaker that was disabled in another state closes as soon as it knows the time. */
static struct change close_if_disabled(struct breaker *b, uint64_t now_ns)
{
    if (b->options.enabled || word_state(GET(&b->shared.word)) == BREAKER_CLOSED)
        return (struct change){0};
    return close_now(b, now_ns);
}

void breaker_configure(struct breaker *b, const struct breaker_options *o)
{
    pthread_mutex_lock(&b->lock);
    bool resized = o->window_ns != b->options.window_ns;
    use_options(b, o);
    if (resized)
        window_resize(&b->shared.window, o->window_ns);
    count_free_probes(b);
    pthread_mutex_unlock(&b->lock);
}

static struct breaker_ticket reject(struct breaker *b, uint64_t retry_after_ns)
{
    INC(&b->shared.rejected);
    return (struct breaker_ticket){.retry_after_ns = retry_after_ns};
}

/* The storm of requests that an outage brings is turned away here, without the mutex. */
static bool turned_away(const struct breaker *b, uint64_t word, uint64_t now_ns,
                        uint64_t *ret_retry_after_ns)
{
    if (!GET(&b->shared.enabled))
        return false;
    if (word_state(word) == BREAKER_OPEN) {
        uint64_t at = GET(&b->shared.reopens_at_ns);
        *ret_retry_after_ns = at - now_ns;
        return now_ns < at;
    }
    *ret_retry_after_ns = HALF_OPEN_RETRY_NS;
    return GET(&b->shared.probes_free) == 0 && now_ns < GET(&b->shared.probes_lost_at_ns);
}

static struct breaker_ticket take_probe(struct breaker *b, uint64_t now_ns)
{
    if (b->probes_in_flight >= b->options.half_open_requests) {
        if (now_ns < GET(&b->shared.probes_lost_at_ns))
            return reject(b, HALF_OPEN_RETRY_NS);
        enter(b, BREAKER_HALF_OPEN, BREAKER_BY_NOTHING, now_ns);
    }
    b->probes_in_flight++;
    count_free_probes(b);
    SET(&b->shared.probes_lost_at_ns, now_ns + b->options.max_open_ns);
    return (struct breaker_ticket){
        .admitted = true, .probe = true, .generation = word_generation(GET(&b->shared.word))};
}

static struct breaker_ticket admit_locked(struct breaker *b, uint64_t now_ns, struct change *c)
{
    *c = close_if_disabled(b, now_ns);
    uint64_t word = GET(&b->shared.word), reopens_at_ns = GET(&b->shared.reopens_at_ns);

    switch (word_state(word)) {
    case BREAKER_CLOSED:
        break;
    case BREAKER_OPEN:
        if (now_ns < reopens_at_ns)
            return reject(b, reopens_at_ns - now_ns);
        *c = enter(b, BREAKER_HALF_OPEN, BREAKER_BY_NOTHING, now_ns);
        return take_probe(b, now_ns);
    case BREAKER_HALF_OPEN:
        return take_probe(b, now_ns);
    }
    return (struct breaker_ticket){.admitted = true, .generation = word_generation(word)};
}

struct breaker_ticket breaker_admit(struct breaker *b, uint64_t now_ns)
{
    uint64_t word = word_load(b), retry_after_ns;
    struct breaker_ticket t;
    struct change c;

    if (word_state(word) == BREAKER_CLOSED)
        return (struct breaker_ticket){.admitted = true, .generation = word_generation(word)};
    if (turned_away(b, word, now_ns, &retry_after_ns))
        return reject(b, retry_after_ns);

    pthread_mutex_lock(&b->lock);
    t = admit_locked(b, now_ns, &c);
    pthread_mutex_unlock(&b->lock);
    tell(b, &c);
    return t;
}

/* A failure or a slow call has just been counted: is it one too many? */
static struct change judge_window(struct breaker *b, uint64_t now_ns, struct rng *rng)
{
    const struct breaker_options *o = &b->options;
    struct window_counts n = window_sum(&b->shared.window, now_ns);
    enum breaker_cause cause = BREAKER_BY_NOTHING;

    if (!o->enabled || n.total == 0 || n.total < o->minimum_requests)
        return (struct change){0};
    if (o->failure_percent && n.failed * 100ull >= (uint64_t)o->failure_percent * n.total)
        cause = BREAKER_BY_FAILURES;
    else if (o->slow_percent && n.slow * 100ull >= (uint64_t)o->slow_percent * n.total)
        cause = BREAKER_BY_SLOW_CALLS;
    else
        return (struct change){0};
    return trip(b, cause, n, o->window_ns, now_ns, rng);
}

static struct change judge_probe(struct breaker *b, uint64_t now_ns, struct rng *rng, bool failed,
                                 bool slow)
{
    struct window_counts n = {b->probes_succeeded + 1, failed, b->probes_slow + slow};

    if (!b->options.enabled)
        return close_now(b, now_ns);
    if (failed || (slow && b->options.slow_percent > 0))
        return trip(b, BREAKER_BY_PROBE, n, 0, now_ns, rng);
    b->probes_in_flight--;
    b->probes_succeeded++;
    b->probes_slow += slow;
    count_free_probes(b);
    if (b->probes_succeeded < b->options.half_open_requests)
        return (struct change){0};
    return close_now(b, now_ns);
}

void breaker_report(struct breaker *b, struct breaker_ticket t, uint64_t now_ns, struct rng *rng,
                    bool failed, uint64_t took_ns)
{
    uint64_t slow_ns = GET(&b->shared.slow_ns);
    bool slow = slow_ns > 0 && took_ns >= slow_ns;
    struct change c = {0};

    if (!t.admitted || t.generation != word_generation(word_load(b)))
        return;
    window_add(&b->shared.window, now_ns, failed, slow);
    if (!t.probe && !failed && !slow)
        return;

    pthread_mutex_lock(&b->lock);
    if (t.generation == word_generation(GET(&b->shared.word)))
        c = t.probe ? judge_probe(b, now_ns, rng, failed, slow) : judge_window(b, now_ns, rng);
    pthread_mutex_unlock(&b->lock);
    tell(b, &c);
}

void breaker_cancel(struct breaker *b, struct breaker_ticket t, uint64_t now_ns)
{
    (void)now_ns;
    if (!t.admitted || !t.probe)
        return;
    pthread_mutex_lock(&b->lock);
    if (t.generation == word_generation(GET(&b->shared.word))) {
        b->probes_in_flight--;
        count_free_probes(b);
    }
    pthread_mutex_unlock(&b->lock);
}

void breaker_info(struct breaker *b, uint64_t now_ns, struct breaker_info *ret_info)
{
    struct window_counts n;
    struct change c;

    pthread_mutex_lock(&b->lock);
    c = close_if_disabled(b, now_ns);
    n = window_sum(&b->shared.window, now_ns);
    *ret_info = (struct breaker_info){
        .state = word_state(GET(&b->shared.word)),
        .since_ns = b->since_ns,
        .trips_in_a_row = b->trips_in_a_row,
        .trips = b->trips,
        .rejected = GET(&b->shared.rejected),
        .probes_in_flight = b->probes_in_flight,
        .probes_succeeded = b->probes_succeeded,
        .now_total = n.total,
        .now_failed = n.failed,
        .now_slow = n.slow,
    };
    ret_info->trip = b->last.trip;
    if (ret_info->state == BREAKER_OPEN)
        ret_info->reopens_at_ns = GET(&b->shared.reopens_at_ns);
    pthread_mutex_unlock(&b->lock);
    tell(b, &c);
}
