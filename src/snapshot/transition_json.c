/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/transition_json.h"
#include "json/text.h"

static json_t *text_or_null(const char *s)
{
    return s[0] ? json_text(s) : json_null();
}

json_t *transition_json(const struct transition *t)
{
    return json_pack("{s:I,s:o,s:o,s:o,s:s,s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "id",
                     (json_int_t)t->id, "at", json_wall_time(t->wall_ms), "service",
                     json_text(t->service), "instance", text_or_null(t->instance), "from", t->from,
                     "to", t->to, "cause", t->cause, "shadow", t->shadow, "total",
                     (json_int_t)t->total, "failed", (json_int_t)t->failed, "slow",
                     (json_int_t)t->slow, "window_ms", (json_int_t)t->window_ms, "until",
                     json_wall_time(t->until_wall_ms), "author", text_or_null(t->author), "why",
                     text_or_null(t->why));
}
