/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* key_schedule.h - when an issuer's key set is fetched next. Pure.
 *
 * After an answer: in `refresh`, or sooner when its max-age says so, but not below
 * KEY_REFRESH_MIN_MS; a tenth more or less by chance, so that a fleet does not ask at once. After a
 * failure: in a second, then twice as long each time, at most `refresh` and KEY_RETRY_MAX_MS. In
 * between tokens may cause a fetch, `unknown_key_interval` after the last one began. */
#include "config/issuers_conf.h"

#include <stdint.h>

enum { KEY_RETRY_MIN_MS = 1000, KEY_RETRY_MAX_MS = 300000, KEY_REFRESH_MIN_MS = 30000 };

struct key_schedule {
    uint64_t next_ns;  /* when it is due */
    uint64_t ask_ns;   /* from when on tokens may cause one */
    unsigned failures; /* in a row */
};

void key_schedule_begin(struct key_schedule *s, const struct issuer_keys_conf *c, uint64_t now_ns);
/* max_age_s: 0 = the answer did not say. chance: 0 to 1. */
void key_schedule_end(struct key_schedule *s, const struct issuer_keys_conf *c, bool good,
                      uint64_t max_age_s, double chance, uint64_t now_ns);
bool key_schedule_due(const struct key_schedule *s, uint64_t now_ns);
bool key_schedule_may_ask(const struct key_schedule *s, uint64_t now_ns);
/* Until there is something to do. */
uint64_t key_schedule_wait_ms(const struct key_schedule *s, uint64_t now_ns);
