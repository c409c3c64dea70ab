/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* webhook_text.h - what a receiver is sent, and which transitions count as what. Pure.
 *
 * Names of services and instances come from the catalog and reasons from people, so a sentence
 * holds no control character, nothing that turns the direction of writing, and nothing that makes a
 * chat system ring everyone's phone: angle brackets become round ones, an @ that begins a word is
 * written out. In the JSON of the transition all that is as it was. */
#include "snapshot/journal.h"
#include "webhook/webhook_queue.h"

#include <stddef.h>
#include <stdint.h>

/* Bits (1u << enum webhook_event) of config.h. */
unsigned webhook_events(const struct transition *t);

/* Who tells. Both borrowed. */
struct webhook_teller {
    const char *gateway, *version;
};

enum { WEBHOOK_SENTENCE_MAX = 1024 };
/* One sentence, without the gateway's name. Returns buf, which has WEBHOOK_SENTENCE_MAX bytes. */
char *webhook_sentence(const struct transition *t, char *buf);
/* The body of the request, JSON; free with free(). */
char *webhook_body(const struct webhook_item *item, const struct webhook_teller *who,
                   int64_t now_wall_ms);
