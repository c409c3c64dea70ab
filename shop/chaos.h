/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* chaos.h - how an instance misbehaves on demand: the document behind PUT /_chaos.
 *
 *   {"mode": "ok"}                                  behaves
 *   {"mode": "slow", "delay_ms": 2000}              answers late
 *   {"mode": "fail", "status": 500}                 answers with that status
 *   {"mode": "flaky", "share": 0.3, "status": 503}  fails that share of the requests
 *   {"mode": "hang"}                                never answers
 *   {"mode": "reset"}                               breaks the connection without an answer
 *   {"health": "critical"}                          only /health fails; "ok" ends it
 *
 * "share" (0 to 1) goes with every mode: which part of the requests it hits. Fields that are not
 * written keep their value, except that a new mode begins with its defaults. */
#include <jansson.h>
#include <stdbool.h>

enum chaos_mode { CHAOS_OK, CHAOS_SLOW, CHAOS_FAIL, CHAOS_FLAKY, CHAOS_HANG, CHAOS_RESET };

struct chaos {
    enum chaos_mode mode;
    int delay_ms;
    int status;
    double share;
    bool unhealthy;
};

/* NULL when `wanted` was taken over, else what is wrong with it (and nothing was changed). */
const char *chaos_change(struct chaos *c, const json_t *wanted);
json_t *chaos_show(const struct chaos *c);
/* What to do to one request: draws from `share`. CHAOS_FLAKY comes out as CHAOS_FAIL. */
enum chaos_mode chaos_draw(const struct chaos *c);
