/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/fallback.h"
#include "proxy/attempt.h"
#include "proxy/capture.h"
#include "proxy/finish.h"
#include "proxy/hedge.h"
#include "proxy/proxy_internal.h"
#include "proxy/traffic.h"

#include <stdlib.h>

static const struct service_view *service_of(const struct exchange *x, unsigned at)
{
    const struct snapshot *s = x->held->snapshot;
    const struct fallback *f = x->fallback;
    const struct service_view *first = f->failed ? f->failed : x->service;
    const uint32_t *slots =
        x->match.route->conf->fallback ? x->match.route->fallback_slots : first->fallback_slots;
    const struct service_view *other = slots[at] < s->nslots ? s->services[slots[at]] : NULL;

    return other == first ? NULL : other;
}

static bool service_can_answer(struct exchange *x, unsigned at)
{
    uint64_t limit = x->fallback->failed ? x->fallback->deadline_ns : exchange_time_limit(x);

    return service_of(x, at) && attempt_sendable(x) && (limit == 0 || x->w->now_ns < limit);
}

static bool cache_can_answer(struct exchange *x, const struct fallback_conf *item)
{
    struct cache_key key;

    if (x->req.method != METHOD_GET && x->req.method != METHOD_HEAD)
        return false;
    capture_key(x, &key);
    x->fallback->entry = cache_find(proxy_cache(x->w->proxy), &key, &x->req,
                                    item->max_age_ms * NS_PER_MS, x->w->now_ns);
    return x->fallback->entry != NULL;
}

static bool can_answer(struct exchange *x, const struct fallback_conf *item, unsigned at)
{
    switch (item->kind) {
    case FALLBACK_CACHE:
        return cache_can_answer(x, item);
    case FALLBACK_SERVICE:
        return service_can_answer(x, at);
    case FALLBACK_STATIC:
    case FALLBACK_KINDS:
        break;
    }
    return true;
}

/* The next entry that is for this failure and can answer. */
static bool choose(struct exchange *x)
{
    struct fallback *f = x->fallback;

    while (f->next < x->fallbacks->n) {
        unsigned at = f->next++;
        const struct fallback_conf *item = &x->fallbacks->items[at];

        if (fallback_is_for(item, f->reason, f->status) && can_answer(x, item, at)) {
            f->item = item;
            return true;
        }
    }
    return false;
}

/* False when memory is out: then nothing stands in. */
static bool start(struct exchange *x, enum reason why, unsigned status)
{
    x->fallback = calloc(1, sizeof *x->fallback);
    if (!x->fallback)
        return false;
    x->fallback->reason = why;
    x->fallback->status = status;
    return true;
}

void fallback_free(struct exchange *x)
{
    cache_unref(&x->fallback->entry);
    free(x->fallback);
    x->fallback = NULL;
}

bool fallback_replaces(struct exchange *x)
{
    unsigned status = x->attempt->resp.status;
    bool first = !x->fallback;
    const struct fallback_conf *before = first ? NULL : x->fallback->item;

    if (first ? status >= 600 || !(x->fallbacks->statuses[status / 64] >> (status % 64) & 1)
              : !service_view_is_failure(x->service, status))
        return false;
    if (first && !start(x, REASON_UPSTREAM_STATUS, status))
        return false;
    if (!choose(x)) {
        /* Better that answer than none. */
        if (first)
            fallback_free(x);
        else
            x->fallback->item = before;
        return false;
    }
    x->fallback->chosen = true;
    x->status = status;
    return true;
}

static void forget_tries(struct exchange *x)
{
    if (x->hedge)
        finish_count_hedge(x);
    hedge_free(x);
    x->hedge = NULL;
    x->hedge_due = x->hedge_won = false;
    x->attempt = &x->first_attempt;
}

static void leave_first(struct exchange *x)
{
    struct fallback *f = x->fallback;

    f->deadline_ns = exchange_time_limit(x);
    f->since_ns = x->w->now_ns;
    f->failed = x->service;
    f->rule = x->rule;
    f->part = x->part;
    f->detail = x->detail;
    f->ticket = x->ticket;
    f->attempts = x->attempts;
    f->index = x->attempt->index;
    forget_tries(x);
}

/* As if the other service had never been asked, but for what it counted. */
static void return_to_first(struct exchange *x)
{
    struct fallback *f = x->fallback;

    finish_count_stand_in(x);
    forget_tries(x);
    x->service = f->failed;
    x->rule = f->rule;
    x->part = f->part;
    x->detail = f->detail;
    x->ticket = f->ticket;
    x->attempts = f->attempts;
    x->attempt->index = f->index;
    f->failed = NULL;
}

static void send_to(struct exchange *x, const struct service_view *other)
{
    leave_first(x);
    x->service = other;
    x->settled = false;
    x->fail = x->attempt_fail = REASON_NONE;
    x->detail = NULL;
    x->status = 0;
    x->attempts = 0;
    x->admit_ns = x->w->now_ns;
    /* Also while it waits in that service's queue. */
    x->deadline_ns = x->fallback->deadline_ns;
    memset(&x->query, 0, sizeof x->query);
    /* Where its rules lead nowhere, they are passed over. */
    if (traffic_lead(x) != REASON_NONE)
        x->detail = NULL;
}

enum verdict fallback_begin(struct exchange *x)
{
    struct fallback *f = x->fallback;
    bool others_fault = f && f->failed && !f->chosen && !fallback_covers(x->fail);

    if (!f && !start(x, x->fail, 0))
        return V_NEXT;
    f = x->fallback;
    if (others_fault) {
        /* The client's own doing, or the gateway's: that is what it is told. */
        f->item = NULL;
        return V_NEXT;
    }
    if (f->failed)
        return_to_first(x);
    x->fail = f->reason;
    x->status = f->status;
    if (!f->chosen && !choose(x)) {
        f->item = NULL;
        return V_NEXT;
    }
    f->chosen = false;
    if (f->item->kind != FALLBACK_SERVICE)
        return V_NEXT;
    send_to(x, service_of(x, f->next - 1));
    return V_ADMIT;
}

uint64_t fallback_deadline(const struct exchange *x, uint64_t own_ns)
{
    uint64_t first = x->fallback->deadline_ns;

    return first && (own_ns == 0 || first < own_ns) ? first : own_ns;
}
