/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* webhook.h - tells others of transitions by HTTP: chat systems, pagers, scripts.
 *
 *   journal --webhooks_wake()--> queue of each hook (bounded) --one at a time--> POST
 *                                       ^----- back-off, again ---------------------'
 *
 * Reads the journal behind everyone else, on the control thread, and never waits: what a receiver
 * does not take in time is dropped and counted. What is sent is in docs/alerts.md. */
#include "base/macros.h"
#include "config/config.h"
#include "snapshot/journal.h"

#include <jansson.h>

struct event_base;
struct webhooks;

/* `base` and `journal` are borrowed, `version` too; of `c` nothing is kept. */
struct webhooks *webhooks_new(struct event_base *base, const struct config *c,
                              struct journal *journal, const char *version) MUST_CHECK;
/* After a reload. A hook whose url stays keeps its queue and its counts; a new one hears of what
 * happens from now on. */
void webhooks_configure(struct webhooks *w, const struct config *c);
/* There are new transitions. Accepts NULL. */
void webhooks_wake(struct webhooks *w);
/* Ends at once; what was not delivered is lost. Accepts NULL. */
void webhooks_free(struct webhooks *w);

/* Of all hooks since the start, those that a reload has taken away included. */
struct webhook_counters {
    uint64_t delivered, failed, dropped;
};
void webhooks_counters(const struct webhooks *w, struct webhook_counters *ret);
/* A list, one object a hook, as configured. */
json_t *webhooks_document(const struct webhooks *w);
