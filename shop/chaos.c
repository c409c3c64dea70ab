/* SPDX-License-Identifier: Apache-2.0 */
#include "chaos.h"

#include <stdlib.h>
#include <string.h>

static const char *const mode_words[] = {
    [CHAOS_OK] = "ok",       [CHAOS_SLOW] = "slow", [CHAOS_FAIL] = "fail",
    [CHAOS_FLAKY] = "flaky", [CHAOS_HANG] = "hang", [CHAOS_RESET] = "reset",
};

static bool set_mode(struct chaos *c, const char *word)
{
    for (size_t i = 0; i < sizeof(mode_words) / sizeof(mode_words[0]); i++) {
        if (strcmp(mode_words[i], word) != 0)
            continue;
        c->mode = (enum chaos_mode)i;
        c->delay_ms = 2000;
        c->status = 500;
        c->share = c->mode == CHAOS_FLAKY ? 0.3 : 1.0;
        return true;
    }
    return false;
}

const char *chaos_change(struct chaos *c, const json_t *wanted)
{
    struct chaos next = *c;
    const json_t *mode = json_object_get(wanted, "mode");
    const json_t *delay = json_object_get(wanted, "delay_ms");
    const json_t *status = json_object_get(wanted, "status");
    const json_t *share = json_object_get(wanted, "share");
    const json_t *health = json_object_get(wanted, "health");

    if (!json_is_object(wanted))
        return "not a JSON object";
    if (mode != NULL && (!json_is_string(mode) || !set_mode(&next, json_string_value(mode))))
        return "mode is ok, slow, fail, flaky, hang or reset";
    if (delay != NULL)
        next.delay_ms = (int)json_integer_value(delay);
    if (status != NULL)
        next.status = (int)json_integer_value(status);
    if (share != NULL)
        next.share = json_number_value(share);
    if (health != NULL)
        next.unhealthy = strcmp(json_is_string(health) ? json_string_value(health) : "", "ok") != 0;
    if (next.delay_ms < 0 || next.delay_ms > 600000)
        return "delay_ms is 0 to 600000";
    if (next.status < 200 || next.status > 599)
        return "status is 200 to 599";
    if (next.share < 0 || next.share > 1)
        return "share is 0 to 1";
    *c = next;
    return NULL;
}

json_t *chaos_show(const struct chaos *c)
{
    return json_pack("{s:s, s:i, s:i, s:f, s:s}", "mode", mode_words[c->mode], "delay_ms",
                     c->delay_ms, "status", c->status, "share", c->share, "health",
                     c->unhealthy ? "critical" : "ok");
}

enum chaos_mode chaos_draw(const struct chaos *c)
{
    if (c->mode == CHAOS_OK || (double)random() / 2147483648.0 >= c->share)
        return CHAOS_OK;
    return c->mode == CHAOS_FLAKY ? CHAOS_FAIL : c->mode;
}
