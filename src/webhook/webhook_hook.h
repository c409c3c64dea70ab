/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* webhook_hook.h - one receiver: its queue, the delivery under way, what became of those before.
 *
 * One delivery at a time, so the order is kept; one that is tried again holds up those behind it.
 * The Idempotency-Key of a delivery is the same for all its tries. Thread: control. Private. */
#include "base/fetch.h"
#include "config/config.h"
#include "webhook/webhook_text.h"

#include <jansson.h>

struct event_base;
struct hook;

/* What all hooks share; outlives them. */
struct hook_context {
    struct event_base *base;
    struct fetcher *fetcher;
    struct webhook_teller who;
    int64_t started_wall_ms; /* ids begin at 1 with each start: it tells them apart */
};

struct hook *hook_new(const struct hook_context *context, const struct webhook_conf *c) MUST_CHECK;
/* All but the url may be different; what waits stays. */
void hook_configure(struct hook *h, const struct webhook_conf *c);
/* What waits is lost. Accepts NULL. */
void hook_free(struct hook *h);

const char *hook_url(const struct hook *h);
/* Queues it when it is of a kind that the hook is for. */
void hook_push(struct hook *h, const struct transition *t);
/* Delivers what waits, as far as that goes now. */
void hook_pump(struct hook *h);

struct hook_counters {
    uint64_t delivered, failed, dropped;
};
struct hook_counters hook_counters(const struct hook *h);
/* Waiting or under way. */
size_t hook_waiting(const struct hook *h);
json_t *hook_document(const struct hook *h);
