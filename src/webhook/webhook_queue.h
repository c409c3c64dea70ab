/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* webhook_queue.h - what waits for one receiver, when the next may go out, and whether a try that
 * failed is made again. Pure: the clock and randomness are arguments.
 *
 * Bounded twice. When a receiver is away, the newest WEBHOOK_WAITING transitions are kept and the
 * oldest are dropped. When there are too many for people to read, WEBHOOK_A_MINUTE are delivered in
 * a minute, and what waits when that minute is over becomes one summary. The minute begins with its
 * first delivery; tries that are repeated do not count. */
#include "base/rng.h"
#include "snapshot/journal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEBHOOK_WAITING = 256, WEBHOOK_A_MINUTE = 60 };

struct webhook_queue {
    struct transition *ring; /* [WEBHOOK_WAITING], owned */
    size_t first, n;
    uint64_t dropped; /* since it was made */
    uint64_t minute_began_ns;
    unsigned in_minute; /* deliveries since; 0 = no minute has begun */
    bool held;          /* the minute was full when the next one was asked for */
};

void webhook_queue_init(struct webhook_queue *q);
void webhook_queue_release(struct webhook_queue *q);
void webhook_queue_push(struct webhook_queue *q, const struct transition *t);

/* One delivery. */
struct webhook_item {
    struct transition t;   /* of a summary: the newest of those that it stands for */
    unsigned more;         /* a summary of so many; 0 = just t */
    int64_t since_wall_ms; /* of a summary: the oldest */
};

enum webhook_take { WEBHOOK_TAKEN, WEBHOOK_EMPTY, WEBHOOK_LATER };
/* Takes the next delivery out. LATER: *ret_wait_ns until there is one. */
enum webhook_take webhook_queue_take(struct webhook_queue *q, uint64_t now_ns,
                                     struct webhook_item *ret, uint64_t *ret_wait_ns);

enum webhook_verdict { WEBHOOK_DELIVERED, WEBHOOK_RETRY, WEBHOOK_FAILED };
/* After `tries` tries of at most `attempts`. Status 0 = no answer. 2xx is a success; no answer,
 * 408, 429 and 5xx are worth another try. */
enum webhook_verdict webhook_judge(int status, unsigned tries, unsigned attempts);
/* Until the next try: 1 s, 2 s, 4 s ... up to a minute, the upper half of it at random; longer when
 * the receiver asks for it (0 = it does not), up to five minutes. */
uint64_t webhook_backoff_ms(unsigned tries, uint64_t retry_after_s, struct rng *rng);
