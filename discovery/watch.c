/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"
#include "base/macros.h"

#include <string.h>

enum {
    /* A rolling deployment changes a service a few times a second: that must not be late. With a
     * burst of 3 and 250 ms the fourth change of a row was seen after 345 ms instead of 4. */
    BURST = 20,            /* answers that may follow each other at once */
    REFILL_MS = 100,       /* one more for each, */
    REFILL_BUSY_MS = 1000, /* when more than BUSY came within a minute, */
    REFILL_WILD_MS = 2000, /* or more than WILD */
    BUSY = 120,
    WILD = 160,
    POLL_MS = 30000, /* polled watches: backstop for lost wakes */
    NO_INDEX_POLL_MS = 15000,
    PREPARED_POLL_MS = 5000, /* a prepared query, where polling is the only way */
    RETRY_FIRST_MS = 50,     /* first retry: 50 to 150 ms */
    RETRY_SPREAD_MS = 100,
    RETRY_BASE_MS = 500,
    RETRY_MAX_MS = 30000,
    RETRY_LEAD_MAX_MS = 2000,
    DENIED_BASE_MS = 5000,
    DENIED_MAX_MS = 60000,
    LIMITED_BASE_MS = 2000,
    INVALID_MS = 60000,
    INVALID_LEAD_MS = 5000, /* a proxy or another server in its place: it wakes the others */
    SETTLE_MS = 2000,       /* after the index went backwards a shrink must hold for so long */
    BEHIND_MS = 30000,  /* and for so long while it is lower than before: a server that was started
                           reads its log, and knows a part of the catalog until it has */
    LAGGING_MS = 30000, /* a server that heard from its leader so long ago is not believed */
    SYNC_DEADLINE_MS = 10000,
};

void watch_init(struct watch *w)
{
    memset(w, 0, sizeof *w);
    w->resync = true;
}

void watch_recall(struct watch *w, uint64_t body_hash)
{
    w->has_hash = true;
    w->body_hash = body_hash;
}

static uint64_t between(struct rng *rng, uint64_t low, uint64_t high)
{
    return low + rng_below(rng, (uint32_t)(high - low + 1));
}

/* value +- 10 %, so that watches that started together drift apart. */
static uint64_t jittered(struct rng *rng, uint64_t value)
{
    return between(rng, value - value / 10, value + value / 10);
}

/* base, 2*base, 4*base ... up to max, for the nth time (n >= 1). */
static uint64_t doubled(uint64_t base, uint64_t max, unsigned n)
{
    for (unsigned i = 1; i < n && base < max; i++)
        base *= 2;
    return base < max ? base : max;
}

static uint64_t refill_ms(const struct watch *w)
{
    unsigned seen = w->churn > w->churn_past ? w->churn : w->churn_past;

    return seen > WILD ? REFILL_WILD_MS : seen > BUSY ? REFILL_BUSY_MS : REFILL_MS;
}

/* The bucket is a point in time: each answer moves it one refill ahead; BURST refills ahead of now
 * means empty. */
static uint64_t bucket_delay_ms(const struct watch *w, uint64_t now_ns)
{
    uint64_t depth = (BURST - 1) * refill_ms(w) * NS_PER_MS;

    if (w->bucket_ns <= now_ns + depth)
        return 0;
    return (w->bucket_ns - now_ns - depth + NS_PER_MS - 1) / NS_PER_MS;
}

static void count_answer(struct watch *w, uint64_t now_ns)
{
    uint64_t minute = 60 * NS_PER_S;

    if (now_ns - w->churn_ns >= minute) {
        w->churn_past = now_ns - w->churn_ns < 2 * minute ? w->churn : 0;
        w->churn = 0;
        w->churn_ns = now_ns;
    }
    w->churn++;
    if (w->bucket_ns < now_ns)
        w->bucket_ns = now_ns;
    w->bucket_ns += refill_ms(w) * NS_PER_MS;
}

static bool settling(const struct watch *w, uint64_t now_ns)
{
    return w->reset_ns != 0 && now_ns - w->reset_ns < SETTLE_MS * NS_PER_MS;
}

static uint64_t shorter(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t left_ms(uint64_t until_ns, uint64_t now_ns)
{
    return until_ns > now_ns ? (until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
}

static bool again_due(const struct watch *w, uint64_t now_ns)
{
    return w->again_ns != 0 && w->again_ns <= now_ns;
}

/* How long it may still be that the server has not read all of its log; 0 = it has. */
static uint64_t behind_ms(const struct watch *w, uint64_t now_ns)
{
    uint64_t end_ns = w->reset_ns + BEHIND_MS * NS_PER_MS;

    return w->peak != 0 && now_ns < end_ns ? (end_ns - now_ns) / NS_PER_MS + 1 : 0;
}

struct watch_request watch_now(const struct watch *w, const struct watch_options *o,
                               uint64_t now_ns, struct rng *rng)
{
    struct watch_request r = {.delay_ms = bucket_delay_ms(w, now_ns)};

    if (w->resync || o->polled || w->index == 0 || again_due(w, now_ns))
        return r;
    r.index = w->index;
    r.wait_ms = jittered(rng, o->wait_ms);
    if (w->again_ns != 0)
        r.wait_ms = shorter(r.wait_ms, left_ms(w->again_ns, now_ns));
    if ((settling(w, now_ns) || (w->held && w->unsure)) && r.wait_ms > SETTLE_MS)
        r.wait_ms = SETTLE_MS;
    else if (w->held && behind_ms(w, now_ns) > 0)
        r.wait_ms = shorter(r.wait_ms, behind_ms(w, now_ns));
    return r;
}

static bool is_complete(const struct watch *w, const struct watch_answer *a, uint64_t index,
                        uint64_t now_ns)
{
    if (w->unsure || settling(w, now_ns) || behind_ms(w, now_ns) > 0)
        return false;
    /* The same index with another body is not a change of the catalog, but of what we may see. */
    return !a->has_index || index > w->believed;
}

/* Whether the server is where it was before its index went backwards. */
static void note_peak(struct watch *w, const struct watch_answer *a, uint64_t index,
                      uint64_t now_ns)
{
    if (a->has_index && index < w->index) {
        w->peak = w->index > w->peak ? w->index : w->peak;
        w->reset_ns = now_ns;
    } else if (index >= w->peak || behind_ms(w, now_ns) == 0) {
        w->peak = 0;
    }
}

static void take_good(struct watch *w, const struct watch_options *o, const struct watch_answer *a,
                      uint64_t now_ns, struct rng *rng, struct watch_reply *ret)
{
    uint64_t index = a->index > 0 ? a->index : 1;

    w->failures = 0;
    count_answer(w, now_ns);
    ret->publish = !w->has_hash || w->body_hash != a->body_hash;
    ret->reset = a->has_index && index < w->index;
    note_peak(w, a, index, now_ns);
    w->unsure = !a->leader_known || a->last_contact_ms > LAGGING_MS;
    ret->complete = !ret->reset && is_complete(w, a, index, now_ns);
    w->has_hash = true;
    w->body_hash = a->body_hash;
    w->held = false;
    w->again_ns = 0;
    w->resync = !a->has_index || ret->reset;
    w->index = w->resync ? 0 : index;
    w->believed_past = ret->reset ? 0 : w->believed;
    w->believed = w->index;

    ret->next = watch_now(w, o, now_ns, rng);
    if (!a->has_index)
        ret->next.delay_ms = jittered(rng, o->no_index ? PREPARED_POLL_MS : NO_INDEX_POLL_MS);
    else if (o->polled && !ret->reset)
        ret->next.delay_ms = jittered(rng, POLL_MS);
}

void watch_hold(struct watch *w, const struct watch_options *o, uint64_t again_ns, uint64_t now_ns,
                struct rng *rng, struct watch_reply *ret)
{
    w->has_hash = false;
    w->believed = w->believed_past;
    w->held = true;
    w->again_ns = again_ns;
    if (!w->resync && !o->polled)
        ret->next = watch_now(w, o, now_ns, rng);
    else if (o->polled && (w->unsure || settling(w, now_ns)))
        ret->next.delay_ms = SETTLE_MS;
    if ((w->resync || o->polled) && again_ns != 0)
        ret->next.delay_ms = shorter(ret->next.delay_ms, left_ms(again_ns, now_ns) + 1);
}

static uint64_t retry_ms(const struct watch *w, const struct watch_options *o,
                         enum watch_result result, struct rng *rng)
{
    uint64_t max = o->lead ? RETRY_LEAD_MAX_MS : RETRY_MAX_MS;

    /* A refused connection costs next to nothing, and the lead wakes all others. */
    if (w->failures == 1 || (o->lead && result == WATCH_REFUSED))
        return between(rng, RETRY_FIRST_MS, RETRY_FIRST_MS + RETRY_SPREAD_MS);
    return between(rng, RETRY_FIRST_MS, doubled(RETRY_BASE_MS, max, w->failures - 1));
}

static uint64_t delay_after(const struct watch *w, const struct watch_options *o,
                            enum watch_result result, struct rng *rng)
{
    switch (result) {
    case WATCH_GOOD:
    case WATCH_FAILED:
    case WATCH_REFUSED:
        break;
    case WATCH_DENIED:
        return jittered(
            rng, doubled(DENIED_BASE_MS, o->lead ? DENIED_BASE_MS : DENIED_MAX_MS, w->failures));
    case WATCH_LIMITED:
        return between(rng, LIMITED_BASE_MS / 2,
                       doubled(LIMITED_BASE_MS, RETRY_MAX_MS, w->failures));
    case WATCH_INVALID:
        return jittered(rng, o->lead ? INVALID_LEAD_MS : INVALID_MS);
    }
    return retry_ms(w, o, result, rng);
}

void watch_take(struct watch *w, const struct watch_options *o, const struct watch_answer *a,
                uint64_t now_ns, struct rng *rng, struct watch_reply *ret)
{
    memset(ret, 0, sizeof *ret);
    if (a->result == WATCH_GOOD) {
        take_good(w, o, a, now_ns, rng, ret);
        return;
    }
    if (w->failures < UINT32_MAX)
        w->failures++;
    w->resync = true;
    ret->reload_token = a->result == WATCH_DENIED;
    ret->next.delay_ms = delay_after(w, o, a->result, rng);
}

uint64_t watch_deadline_ms(const struct watch_request *r)
{
    return r->index ? r->wait_ms * 17 / 16 + SYNC_DEADLINE_MS : SYNC_DEADLINE_MS;
}
