/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/key_schedule.h"
#include "base/macros.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void key_schedule_begin(struct key_schedule *s, const struct issuer_keys_conf *c, uint64_t now_ns)
{
    s->ask_ns = now_ns + c->unknown_key_interval_ms * NS_PER_MS;
}

static uint64_t retry_ms(const struct key_schedule *s, const struct issuer_keys_conf *c)
{
    uint64_t ms = KEY_RETRY_MIN_MS;

    for (unsigned i = 1; i < s->failures && ms < KEY_RETRY_MAX_MS; i++)
        ms *= 2;
    return least(ms, least(KEY_RETRY_MAX_MS, c->refresh_ms));
}

static uint64_t refresh_ms(const struct issuer_keys_conf *c, uint64_t max_age_s)
{
    uint64_t max_age_ms = max_age_s < UINT64_MAX / 1000 ? max_age_s * 1000 : UINT64_MAX;

    if (max_age_s == 0)
        return c->refresh_ms;
    return least(c->refresh_ms, max_age_ms > KEY_REFRESH_MIN_MS ? max_age_ms : KEY_REFRESH_MIN_MS);
}

void key_schedule_end(struct key_schedule *s, const struct issuer_keys_conf *c, bool good,
                      uint64_t max_age_s, double chance, uint64_t now_ns)
{
    uint64_t ms;

    s->failures = good ? 0 : s->failures + 1;
    ms = good ? refresh_ms(c, max_age_s) : retry_ms(s, c);
    s->next_ns = now_ns + (uint64_t)((double)ms * (0.9 + 0.2 * chance)) * NS_PER_MS;
}

bool key_schedule_due(const struct key_schedule *s, uint64_t now_ns)
{
    return now_ns >= s->next_ns;
}

bool key_schedule_may_ask(const struct key_schedule *s, uint64_t now_ns)
{
    return now_ns >= s->ask_ns;
}

uint64_t key_schedule_wait_ms(const struct key_schedule *s, uint64_t now_ns)
{
    uint64_t at = now_ns < s->ask_ns ? least(s->ask_ns, s->next_ns) : s->next_ns;

    return at > now_ns ? (at - now_ns) / NS_PER_MS + 1 : 0;
}
