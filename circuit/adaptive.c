/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit/adaptive.h"

#include "circuit/relaxed.h"

#include <math.h>
#include <string.h>

static const uint64_t ms = 1000000, second = 1000 * 1000000ull;

/* A window is long enough to hold the effect of the last change (one answer time), and has enough
 * samples that the mean of widely spread latencies is worth something; a service with few requests
 * gets fewer samples rather than an answer next week. */
static const uint64_t shortest_ns = 100 * 1000000ull;
enum { MANY_SAMPLES = 30, FEW_SAMPLES = 10, PROBE_SAMPLES = 100 };

static const double clearly_late = 0.85; /* beyond what the noise of a window explains */
/* The queue that is tolerated besides, in roots of the limit: it lets the smaller of two gateways
 * grow while the larger one yields, and keeps every server of a small service busy. */
static const double headroom = 0.7;
static const double probe_share = 0.5; /* of what is in flight; less with a wide tolerance */
static const uint64_t tick_every_ns = 5 * 1000 * 1000000ull, early_every_ns = 1000 * 1000000ull;
/* What a probe finds between these may be noise, and counts less. */
static const double noise_low = 0.85, noise_high = 1.25, noise_weight = 0.25;
static const double stall = 4;         /* more than this in one probe is not believed */
static const double drift = 0.05;      /* of the baseline, a window with room */
static const double after_drops = 0.8; /* what drops leave of the limit, a window */
enum { DROPS_COUNT_FROM_PERCENT = 5 };

const char *adaptive_cause_name(enum adaptive_cause c)
{
    static const char *const names[] = {"", "configuration", "room", "latency", "drops", "probe"};

    return names[c];
}

void adaptive_init(struct adaptive *a, struct limit *l)
{
    memset(a, 0, sizeof *a);
    a->limit = l;
    pthread_mutex_init(&a->lock, NULL);
}

void adaptive_release(struct adaptive *a)
{
    pthread_mutex_destroy(&a->lock);
}

/* The lock is held from here to close_window(). */

static double tolerance(const struct adaptive *a)
{
    return (double)a->options.tolerance_percent / 100;
}

static double within(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static void begin_window(struct adaptive *a, uint64_t from_ns, uint64_t length_ns)
{
    SET(&a->samples, 0);
    SET(&a->drops, 0);
    SET(&a->peak, 0);
    SET(&a->sum_ns, 0);
    SET(&a->from_ns, from_ns);
    SET(&a->due_ns, from_ns + (length_ns > shortest_ns ? length_ns : shortest_ns));
}

static void set_limit(struct adaptive *a, double to, enum adaptive_cause why, uint64_t now_ns)
{
    uint32_t before = (uint32_t)a->now;

    a->now = within(to, a->options.minimum, a->options.maximum);
    if (a->floor < a->now / 2)
        a->floor = a->now / 2;
    SET(&a->limit->max_active, (uint32_t)a->now);
    if ((uint32_t)a->now == before)
        return;
    a->cause = why;
    a->changed_from = before;
    a->changed_to = (uint32_t)a->now;
    a->changed_ns = now_ns;
}

/* The next whole multiple of the interval on the wall clock, as a monotonic time. */
static uint64_t aligned(const struct adaptive *a, uint64_t now_ns, uint64_t interval_ns)
{
    uint64_t wall = now_ns + (uint64_t)a->options.wall_offset_ns;

    return now_ns + interval_ns - wall % interval_ns;
}

/* A probe takes a few answer times; it should be a small part of all. */
static uint64_t next_tick(const struct adaptive *a, uint64_t now_ns)
{
    uint64_t every_ns = tick_every_ns;

    while ((double)every_ns < 20 * a->measured_ns)
        every_ns *= 2;
    return aligned(a, now_ns, every_ns);
}

/* The window may end where a probe is due, full or not: all gateways begin together. */
static void wake_at_probe(struct adaptive *a)
{
    uint64_t probe = a->early_ns < a->tick_ns ? a->early_ns : a->tick_ns;

    if ((a->held_back || a->late > 0) && probe < GET(&a->due_ns))
        SET(&a->due_ns, probe);
}

static void begin_probe(struct adaptive *a, uint64_t now_ns)
{
    double share = fmin(probe_share, 0.75 / tolerance(a));
    double to = fmax(share * fmin(a->now, a->peak_before), a->options.minimum);

    a->probing = true;
    a->at_tick = now_ns >= a->tick_ns;
    a->tick_ns = next_tick(a, now_ns);
    a->early_ns = UINT64_MAX;
    a->probes++;
    SET(&a->limit->max_active, (uint32_t)fmin(to, a->now));
    /* What was sent before must be out of the way: so long as the queue takes at the rate of the
     * last window, and then the slowest in the servers. */
    begin_window(a,
                 now_ns + (uint64_t)(fmax(fmin(a->peak_before / a->rate, 10 * a->measured_ns),
                                          a->measured_ns) +
                                     a->baseline_ns),
                 2 * shortest_ns);
}

/* A probe alone among several gateways sees the queue that the others make: it can only lower the
 * baseline. */
static double probed_baseline(const struct adaptive *a, double mean_ns)
{
    double before = a->baseline_ns;

    if (mean_ns > before && !a->at_tick && a->probes > 1)
        return before;
    if (mean_ns > noise_low * before && mean_ns < noise_high * before)
        return before + noise_weight * (mean_ns - before);
    return fmin(mean_ns, stall * before);
}

static void end_probe(struct adaptive *a, uint64_t now_ns, double mean_ns)
{
    double before = a->baseline_ns, ratio;

    a->probing = false;
    a->late = 0;
    a->floor = 0;
    if (mean_ns > 0)
        a->baseline_ns = a->probed_ns = probed_baseline(a, mean_ns);
    ratio = within(tolerance(a) * a->baseline_ns / a->measured_ns, 0.5, 1);
    if (a->baseline_ns < 0.9 * before) {
        a->early_ns = aligned(a, now_ns, early_every_ns);
        a->quick = false;
    } else if (a->baseline_ns > 1.1 * before) {
        ratio = 1;
    }
    set_limit(a, a->now * ratio, ADAPTIVE_BY_PROBE, now_ns);
}

/* While nothing was answered yet there is nothing to compare with. */
static bool probe_is_due(const struct adaptive *a, uint64_t now_ns)
{
    if (a->probing || a->baseline_ns == 0 || !(a->held_back || a->late > 0))
        return false;
    return a->probes == 0 || (!a->quick && now_ns >= a->tick_ns) || now_ns >= a->early_ns;
}

/* A window in which the limit was in use, and no drops to speak of. */
static void follow_latency(struct adaptive *a, uint64_t now_ns, double mean_ns)
{
    double ratio = tolerance(a) * a->baseline_ns / mean_ns;
    double step = a->quick ? a->now / 2 : headroom * sqrt(a->now);

    a->late = ratio < clearly_late ? a->late + 1 : 0;
    if (ratio < 1.15)
        a->quick = false;
    set_limit(a, fmax(a->now * within(ratio, 0.5, 1) + step, fmin(a->floor, a->now)),
              ratio < 1 ? ADAPTIVE_BY_LATENCY : ADAPTIVE_BY_ROOM, now_ns);
}

/* What is known of a window that has ended. */
struct seen {
    uint32_t n, drops, peak;
    uint64_t age_ns;
    double mean_ns; /* 0 = every one was dropped */
};

static void judge(struct adaptive *a, uint64_t now_ns, const struct seen *w)
{
    bool congested =
        (uint64_t)w->drops * 100 >= (uint64_t)w->n * DROPS_COUNT_FROM_PERCENT && w->drops > 0;

    if (a->probing && !congested) {
        end_probe(a, now_ns, w->mean_ns);
        return;
    }
    a->probing = false;
    a->peak_before = w->peak;
    a->held_back = w->peak >= a->now * 0.9;
    a->rate = w->n / (double)w->age_ns;
    if (w->mean_ns > 0) {
        a->measured_ns = w->mean_ns;
        if (a->baseline_ns == 0)
            a->baseline_ns = a->probed_ns = w->mean_ns;
    }
    if (congested) {
        a->quick = false;
        a->floor = 0;
        set_limit(a, fmin(a->now, 2.0 * w->peak) * after_drops, ADAPTIVE_BY_DROPS, now_ns);
    } else if (w->mean_ns > 0 && a->held_back && a->probes == 0) {
        a->early_ns = now_ns; /* no growth on a baseline that may be a queue */
    } else if (w->mean_ns > 0 && 2.0 * w->peak >= a->now) {
        follow_latency(a, now_ns, w->mean_ns);
    } else if (w->mean_ns > 0) {
        a->late = 0;
        a->baseline_ns += drift * (w->mean_ns - a->baseline_ns);
        a->baseline_ns = fmin(a->baseline_ns, a->probed_ns);
    }
}

static void close_window(struct adaptive *a, uint64_t now_ns)
{
    struct seen w = {GET(&a->samples), GET(&a->drops), GET(&a->peak), 0, 0};
    uint64_t from_ns = GET(&a->from_ns);
    uint32_t enough = a->probing ? PROBE_SAMPLES : MANY_SAMPLES;

    w.age_ns = now_ns > from_ns ? now_ns - from_ns : 0;
    if (w.n > w.drops)
        w.mean_ns = (double)GET(&a->sum_ns) / (w.n - w.drops);
    if (w.age_ns >= second)
        enough = w.age_ns >= 10 * second ? 1 : FEW_SAMPLES;
    /* The mean of a young window knows only of those that were quick. */
    if (w.n >= enough && (double)w.age_ns >= w.mean_ns && w.age_ns >= shortest_ns) {
        begin_window(a, now_ns, (uint64_t)(fmax(w.mean_ns, a->baseline_ns) * (a->quick ? 2 : 1)));
        judge(a, now_ns, &w);
    }
    if (probe_is_due(a, now_ns))
        begin_probe(a, now_ns);
    else if (now_ns >= GET(&a->due_ns))
        SET(&a->due_ns, now_ns + 20 * ms);
    if (now_ns >= a->tick_ns)
        a->tick_ns = next_tick(a, now_ns);
    if (!a->probing)
        wake_at_probe(a);
}

static void forget(struct adaptive *a, uint64_t now_ns)
{
    a->now = a->options.initial;
    a->baseline_ns = a->probed_ns = a->measured_ns = a->floor = 0;
    a->probes = a->late = 0;
    a->quick = true;
    a->held_back = false;
    a->tick_ns = aligned(a, now_ns, tick_every_ns);
    a->early_ns = UINT64_MAX;
}

void adaptive_configure(struct adaptive *a, const struct adaptive_options *o, uint64_t now_ns)
{
    bool fresh;

    pthread_mutex_lock(&a->lock);
    fresh = o->enabled && !a->options.enabled;
    a->options = *o;
    if (fresh)
        forget(a, now_ns);
    if (o->enabled) {
        a->probing = false;
        begin_window(a, now_ns, (uint64_t)a->measured_ns);
        set_limit(a, a->now, ADAPTIVE_BY_CONFIGURATION, now_ns);
    }
    SET(&a->enabled, o->enabled);
    pthread_mutex_unlock(&a->lock);
}

void adaptive_sample(struct adaptive *a, uint64_t now_ns, uint64_t latency_ns, bool dropped)
{
    uint64_t from_ns = GET(&a->from_ns);
    uint32_t active;

    if (!GET(&a->enabled) || now_ns < from_ns)
        return;
    active = GET(&a->limit->active);
    if (active > GET(&a->peak))
        SET(&a->peak, active);
    if (dropped)
        INC(&a->drops);
    else
        atomic_fetch_add_explicit(&a->sum_ns, latency_ns, memory_order_relaxed);
    /* The first one begins the window: the silence before it says nothing. Unless another window
     * has begun in the meantime, which may be one that waits for a queue to drain. */
    if (INC(&a->samples) == 0)
        atomic_compare_exchange_strong(&a->from_ns, &from_ns, now_ns);
    if (now_ns < GET(&a->due_ns) || pthread_mutex_trylock(&a->lock) != 0)
        return;
    /* Somebody else may have closed it in the meantime. */
    if (now_ns >= GET(&a->due_ns) && a->options.enabled)
        close_window(a, now_ns);
    pthread_mutex_unlock(&a->lock);
}

void adaptive_info(struct adaptive *a, struct adaptive_info *ret_info)
{
    pthread_mutex_lock(&a->lock);
    *ret_info = (struct adaptive_info){
        .enabled = a->options.enabled,
        .probing = a->probing,
        .limit = GET(&a->limit->max_active),
        .baseline_ns = (uint64_t)a->baseline_ns,
        .measured_ns = (uint64_t)a->measured_ns,
        .probes = a->probes,
        .cause = a->cause,
        .changed_from = a->changed_from,
        .changed_to = a->changed_to,
        .changed_ns = a->changed_ns,
    };
    pthread_mutex_unlock(&a->lock);
}
