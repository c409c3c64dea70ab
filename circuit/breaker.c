/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.c - requests: admission, outcomes, and the transitions that these cause. */
#include "circuit/breaker_internal.h"

#include <stdlib.h>
#include <string.h>

/* What a client may be told when only the outcome of probes decides how long it takes, and the
 * least it is told when an operator decides. */
#define HALF_OPEN_RETRY_NS NS_PER_S

static const char *const state_names[BREAKER_STATES] = {
    "closed", "open", "half_open", "forced_open", "forced_closed", "disabled", "shadow"};

const char *breaker_state_name(enum breaker_state s)
{
    return state_names[s];
}

enum breaker_state breaker_state_parse(const char *word)
{
    unsigned s = 0;

    while (s < BREAKER_STATES && strcmp(state_names[s], word) != 0)
        s++;
    return (enum breaker_state)s;
}

const char *breaker_cause_name(enum breaker_cause c)
{
    static const char *const names[] = {"",
                                        "failure_rate",
                                        "slow_call_rate",
                                        "probe_failed",
                                        "probes_passed",
                                        "open_time_over",
                                        "operator",
                                        "expired",
                                        "configuration"};

    return names[c];
}

static uint64_t word_load(const struct breaker *b)
{
    return atomic_load_explicit(&b->shared.word, memory_order_acquire);
}

void breaker_use_options(struct breaker *b, const struct breaker_options *o)
{
    b->options = *o;
    if (b->options.half_open_requests == 0)
        b->options.half_open_requests = 1;
    if (b->options.max_open_ns < b->options.open_ns)
        b->options.max_open_ns = b->options.open_ns;
    SET(&b->shared.slow_ns, o->slow_ns);
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
    breaker_use_options(b, o);
    window_init(&b->shared.window, o->window_ns);
    SET(&b->shared.due_ns, NEVER);
    SET(&b->shared.word, breaker_rest_state(o));
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

void breaker_tell(const struct breaker *b, const struct told *t)
{
    if (t->happened && b->watch)
        b->watch(b->watch_arg, &t->change);
}

void breaker_count_free_probes(struct breaker *b)
{
    uint32_t slots = b->options.half_open_requests, out = b->probes_in_flight;

    SET(&b->shared.probes_free, slots > out ? slots - out : 0);
}

/* From here to take_probe(): transitions. The mutex is held. */

/* Every transition ends here: nothing of the state before is left, and its tickets are void. */
static void publish(struct breaker *b, enum breaker_state state, enum breaker_state machine,
                    uint64_t now_ns)
{
    uint64_t generation = (GET(&b->shared.word) >> 5) + 1;

    b->since_ns = now_ns;
    b->probes_in_flight = b->probes_succeeded = b->probes_slow = 0;
    if (machine == BREAKER_CLOSED && state != BREAKER_FORCED_OPEN)
        b->trips_in_a_row = 0;
    breaker_count_free_probes(b);
    atomic_store_explicit(&b->shared.word, generation << 5 | (uint64_t)machine << 3 | state,
                          memory_order_release);
}

static struct told change_to(struct breaker *b, enum breaker_state from, enum breaker_state to,
                             enum breaker_cause cause, struct window_counts n, uint64_t window_ns,
                             uint64_t now_ns)
{
    uint64_t until_ns = 0, due_ns = GET(&b->shared.due_ns);

    if (to == BREAKER_OPEN)
        until_ns = GET(&b->shared.reopens_at_ns);
    else if (b->forced && to >= BREAKER_FORCED_OPEN)
        until_ns = due_ns;
    return (struct told){true,
                         {.from = from,
                          .to = to,
                          .cause = cause,
                          .at_ns = now_ns,
                          .until_ns = until_ns,
                          .generation = word_generation(GET(&b->shared.word)),
                          .total = n.total,
                          .failed = n.failed,
                          .slow = n.slow,
                          .window_ns = window_ns}};
}

struct told breaker_enter(struct breaker *b, enum breaker_state to, enum breaker_cause cause,
                          uint64_t now_ns)
{
    enum breaker_state from = word_state(GET(&b->shared.word));
    struct window_counts n = window_sum(&b->shared.window, now_ns);

    publish(b, to, to <= BREAKER_HALF_OPEN ? to : BREAKER_CLOSED, now_ns);
    return change_to(b, from, to, cause, n, b->options.window_ns, now_ns);
}

/* The machine moves. In SHADOW that is all: the state stays. */
static struct told move(struct breaker *b, enum breaker_state to, enum breaker_cause cause,
                        struct window_counts n, uint64_t window_ns, uint64_t now_ns)
{
    uint64_t word = GET(&b->shared.word);
    bool shadow = word_state(word) == BREAKER_SHADOW;
    struct told t;

    publish(b, shadow ? BREAKER_SHADOW : to, to, now_ns);
    t = change_to(b, word_machine(word), to, cause, n, window_ns, now_ns);
    t.change.shadow = shadow;
    return t;
}

static uint64_t open_time(const struct breaker *b, struct rng *rng)
{
    uint64_t ns = b->options.open_ns, max = b->options.max_open_ns;

    for (uint32_t i = 1; i < b->trips_in_a_row && ns < max; i++)
        ns = ns > max / 2 ? max : ns * 2;
    return ns + (uint64_t)((double)ns * 0.1 * rng_double(rng));
}

static struct told trip(struct breaker *b, enum breaker_cause cause, struct window_counts counts,
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
    return move(b, BREAKER_OPEN, cause, counts, window_ns, now_ns);
}

static struct breaker_ticket admitted(uint64_t word, bool probe)
{
    return (struct breaker_ticket){
        .admitted = true, .probe = probe, .generation = word_generation(word)};
}

/* The machine says no. Only in SHADOW that is without effect, and the outcome judges nothing. */
static struct breaker_ticket refuse(struct breaker *b, uint64_t word, uint64_t retry_after_ns)
{
    if (word_state(word) == BREAKER_SHADOW) {
        INC(&b->shared.would_reject);
        return admitted(word, false);
    }
    INC(&b->shared.rejected);
    return (struct breaker_ticket){.retry_after_ns = retry_after_ns};
}

static uint64_t forced_retry(uint64_t until_ns, uint64_t now_ns)
{
    uint64_t left_ns = until_ns - now_ns;

    return left_ns > HALF_OPEN_RETRY_NS ? left_ns : HALF_OPEN_RETRY_NS;
}

/* True when the answer is known without the mutex: all go, or the storm of requests that an outage
 * brings is turned away. Loads one word while closed. */
static bool answered(struct breaker *b, uint64_t now_ns, struct breaker_ticket *ret)
{
    uint64_t word = word_load(b), reopens_at_ns;
    enum breaker_state machine = word_machine(word);

    *ret = admitted(word, false);
    if (word_state(word) == BREAKER_CLOSED)
        return true;
    if (now_ns >= GET(&b->shared.due_ns))
        return false;
    reopens_at_ns = GET(&b->shared.reopens_at_ns);
    if (word_state(word) == BREAKER_FORCED_OPEN || machine == BREAKER_OPEN) {
        if (now_ns >= reopens_at_ns)
            return false;
        *ret = refuse(b, word,
                      machine == BREAKER_OPEN ? reopens_at_ns - now_ns
                                              : forced_retry(reopens_at_ns, now_ns));
        return true;
    }
    if (machine == BREAKER_CLOSED)
        return true;
    if (GET(&b->shared.probes_free) > 0 || now_ns >= GET(&b->shared.probes_lost_at_ns))
        return false;
    *ret = refuse(b, word, HALF_OPEN_RETRY_NS);
    return true;
}

static struct breaker_ticket take_probe(struct breaker *b, uint64_t now_ns)
{
    uint64_t word = GET(&b->shared.word);

    if (b->probes_in_flight >= b->options.half_open_requests) {
        if (now_ns < GET(&b->shared.probes_lost_at_ns))
            return refuse(b, word, HALF_OPEN_RETRY_NS);
        publish(b, word_state(word), BREAKER_HALF_OPEN, now_ns);
    }
    b->probes_in_flight++;
    breaker_count_free_probes(b);
    SET(&b->shared.probes_lost_at_ns, now_ns + b->options.max_open_ns);
    return admitted(GET(&b->shared.word), true);
}

static struct breaker_ticket admit_locked(struct breaker *b, uint64_t now_ns, struct told *t)
{
    *t = breaker_settle(b, now_ns);
    uint64_t word = GET(&b->shared.word), reopens_at_ns = GET(&b->shared.reopens_at_ns);

    if (word_state(word) == BREAKER_FORCED_OPEN)
        return refuse(b, word, forced_retry(reopens_at_ns, now_ns));
    if (word_machine(word) == BREAKER_CLOSED)
        return admitted(word, false);
    if (word_machine(word) == BREAKER_OPEN) {
        if (now_ns < reopens_at_ns)
            return refuse(b, word, reopens_at_ns - now_ns);
        *t = move(b, BREAKER_HALF_OPEN, BREAKER_BY_TIME, window_sum(&b->shared.window, now_ns),
                  b->options.window_ns, now_ns);
    }
    return take_probe(b, now_ns);
}

struct breaker_ticket breaker_admit(struct breaker *b, uint64_t now_ns)
{
    struct breaker_ticket ticket;
    struct told t;

    if (answered(b, now_ns, &ticket))
        return ticket;
    pthread_mutex_lock(&b->lock);
    ticket = admit_locked(b, now_ns, &t);
    pthread_mutex_unlock(&b->lock);
    breaker_tell(b, &t);
    return ticket;
}

/* A failure or a slow call has just been counted: is it one too many? */
static struct told judge_window(struct breaker *b, uint64_t now_ns, struct rng *rng)
{
    const struct breaker_options *o = &b->options;
    struct window_counts n = window_sum(&b->shared.window, now_ns);
    enum breaker_cause cause = BREAKER_BY_NOTHING;

    if (n.total == 0 || n.total < o->minimum_requests)
        return (struct told){0};
    if (o->failure_percent && n.failed * 100ull >= (uint64_t)o->failure_percent * n.total)
        cause = BREAKER_BY_FAILURES;
    else if (o->slow_percent && n.slow * 100ull >= (uint64_t)o->slow_percent * n.total)
        cause = BREAKER_BY_SLOW_CALLS;
    else
        return (struct told){0};
    return trip(b, cause, n, o->window_ns, now_ns, rng);
}

static struct told judge_probe(struct breaker *b, uint64_t now_ns, struct rng *rng, bool failed,
                               bool slow)
{
    struct window_counts n = {b->probes_succeeded + 1, failed, b->probes_slow + slow};

    if (failed || (slow && b->options.slow_percent > 0))
        return trip(b, BREAKER_BY_PROBE, n, 0, now_ns, rng);
    b->probes_in_flight--;
    b->probes_succeeded++;
    b->probes_slow += slow;
    breaker_count_free_probes(b);
    if (b->probes_succeeded < b->options.half_open_requests)
        return (struct told){0};
    window_clear(&b->shared.window);
    return move(b, BREAKER_CLOSED, BREAKER_BY_PROBES_PASSED, n, 0, now_ns);
}

void breaker_report(struct breaker *b, struct breaker_ticket t, uint64_t now_ns, struct rng *rng,
                    bool failed, uint64_t took_ns)
{
    uint64_t slow_ns = GET(&b->shared.slow_ns), word;
    bool slow = slow_ns > 0 && took_ns >= slow_ns;
    struct told told;

    if (!t.admitted)
        return;
    breaker_tick(b, now_ns);
    word = word_load(b);
    if (t.generation != word_generation(word))
        return;
    window_add(&b->shared.window, now_ns, failed, slow);
    if (!t.probe && !(word_trips(word) && (failed || slow)))
        return;

    pthread_mutex_lock(&b->lock);
    told = (struct told){0};
    if (t.generation == word_generation(GET(&b->shared.word)))
        told = t.probe ? judge_probe(b, now_ns, rng, failed, slow) : judge_window(b, now_ns, rng);
    pthread_mutex_unlock(&b->lock);
    breaker_tell(b, &told);
}

void breaker_cancel(struct breaker *b, struct breaker_ticket t, uint64_t now_ns)
{
    (void)now_ns;
    if (!t.admitted || !t.probe)
        return;
    pthread_mutex_lock(&b->lock);
    if (t.generation == word_generation(GET(&b->shared.word))) {
        b->probes_in_flight--;
        breaker_count_free_probes(b);
    }
    pthread_mutex_unlock(&b->lock);
}

void breaker_info(struct breaker *b, uint64_t now_ns, struct breaker_info *ret_info)
{
    struct window_counts n;
    struct told t;
    uint64_t word;

    pthread_mutex_lock(&b->lock);
    t = breaker_settle(b, now_ns);
    word = GET(&b->shared.word);
    n = window_sum(&b->shared.window, now_ns);
    *ret_info = (struct breaker_info){
        .state = word_state(word),
        .machine = word_state(word) == BREAKER_SHADOW ? word_machine(word) : word_state(word),
        .forced = b->forced,
        .forced_until_ns = b->forced ? GET(&b->shared.due_ns) : 0,
        .would_reject = GET(&b->shared.would_reject),
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
    if (word_machine(word) == BREAKER_OPEN)
        ret_info->reopens_at_ns = GET(&b->shared.reopens_at_ns);
    pthread_mutex_unlock(&b->lock);
    breaker_tell(b, &t);
}
