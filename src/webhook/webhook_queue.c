/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook_queue.h"
#include "base/alloc.h"
#include "base/macros.h"

enum { BACKOFF_MS = 1000, BACKOFF_MAX_MS = 60 * 1000, RETRY_AFTER_MAX_S = 5 * 60 };

static const uint64_t minute_ns = 60 * NS_PER_S;

void webhook_queue_init(struct webhook_queue *q)
{
    *q = (struct webhook_queue){.ring = alloc_or_abort(WEBHOOK_WAITING * sizeof *q->ring)};
}

void webhook_queue_release(struct webhook_queue *q)
{
    free(q->ring);
    q->ring = NULL;
}

void webhook_queue_push(struct webhook_queue *q, const struct transition *t)
{
    if (q->n == WEBHOOK_WAITING) {
        q->first++;
        q->n--;
        q->dropped++;
    }
    q->ring[(q->first + q->n++) % WEBHOOK_WAITING] = *t;
}

static void summarize(struct webhook_queue *q, struct webhook_item *ret)
{
    ret->t = q->ring[(q->first + q->n - 1) % WEBHOOK_WAITING];
    ret->since_wall_ms = q->ring[q->first % WEBHOOK_WAITING].wall_ms;
    ret->more = (unsigned)q->n;
    q->n = 0;
}

/* Nanoseconds until the minute is over; 0 = it is, or none has begun. */
static uint64_t minute_left(const struct webhook_queue *q, uint64_t now_ns)
{
    uint64_t gone = now_ns - q->minute_began_ns;

    return q->in_minute > 0 && gone < minute_ns ? minute_ns - gone : 0;
}

enum webhook_take webhook_queue_take(struct webhook_queue *q, uint64_t now_ns,
                                     struct webhook_item *ret, uint64_t *ret_wait_ns)
{
    uint64_t left_ns = minute_left(q, now_ns);

    if (q->n == 0)
        return WEBHOOK_EMPTY;
    if (left_ns > 0 && q->in_minute == WEBHOOK_A_MINUTE) {
        q->held = true;
        *ret_wait_ns = left_ns;
        return WEBHOOK_LATER;
    }
    if (left_ns == 0) {
        q->minute_began_ns = now_ns;
        q->in_minute = 0;
    }
    q->in_minute++;
    if (q->held && q->n > 1) {
        summarize(q, ret);
    } else {
        *ret = (struct webhook_item){.t = q->ring[q->first++ % WEBHOOK_WAITING]};
        q->n--;
    }
    q->held = false;
    return WEBHOOK_TAKEN;
}

enum webhook_verdict webhook_judge(int status, unsigned tries, unsigned attempts)
{
    bool passing = status == 0 || status == 408 || status == 429 || status >= 500;

    if (status >= 200 && status <= 299)
        return WEBHOOK_DELIVERED;
    return passing && tries < attempts ? WEBHOOK_RETRY : WEBHOOK_FAILED;
}

uint64_t webhook_backoff_ms(unsigned tries, uint64_t retry_after_s, struct rng *rng)
{
    unsigned doublings = tries > 1 ? tries - 1 : 0;
    uint64_t most = doublings < 6 ? (uint64_t)BACKOFF_MS << doublings : BACKOFF_MAX_MS, wait, asked;

    wait = most / 2 + rng_below(rng, (uint32_t)(most / 2) + 1);
    asked = (retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S) * 1000;
    return asked > wait ? asked : wait;
}
