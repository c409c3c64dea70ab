/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/documents.h"

/* Members have the names of the configuration keys, with the unit. */
static json_t *breaker_part(const struct breaker_conf *c)
{
    return json_pack("{s:b,s:b,s:i,s:i,s:I,s:i,s:I,s:I,s:I,s:i}", "enabled", c->enabled, "shadow",
                     c->shadow, "failure_rate_percent", (int)c->failure_rate, "slow_rate_percent",
                     (int)c->slow_rate, "slow_after_ms", (json_int_t)c->slow_ms, "minimum_requests",
                     (int)c->minimum_requests, "window_ms", (json_int_t)c->window_ms, "open_for_ms",
                     (json_int_t)c->open_for_ms, "max_open_ms", (json_int_t)c->max_open_ms,
                     "half_open_requests", (int)c->half_open_requests);
}

static json_t *outlier_part(const struct outlier_conf *c)
{
    return json_pack("{s:b,s:i,s:i,s:i,s:I,s:I,s:I}", "enabled", c->enabled, "consecutive_failures",
                     (int)c->consecutive_failures, "failure_rate_percent", (int)c->failure_rate,
                     "max_ejected_percent", (int)c->max_ejected, "window_ms",
                     (json_int_t)c->window_ms, "base_ejection_ms", (json_int_t)c->base_ejection_ms,
                     "max_ejection_ms", (json_int_t)c->max_ejection_ms);
}

static json_t *fallback_part(const struct fallback_list *list)
{
    static const char *const words[FALLBACK_KINDS] = {"cache", "service", "static"};
    json_t *part = json_array();

    for (size_t i = 0; list && i < list->n; i++)
        json_array_append_new(part, json_string(words[list->items[i].kind]));
    return part;
}

json_t *service_config(const struct service_conf *c)
{
    return json_pack("{s:o,s:o,s:I,s:I,s:I,s:i,s:i,s:i,s:s,s:o}", "breaker",
                     breaker_part(&c->breaker), "outlier", outlier_part(&c->outlier), "timeout_ms",
                     (json_int_t)c->timeout_ms, "connect_timeout_ms",
                     (json_int_t)c->connect_timeout_ms, "first_byte_timeout_ms",
                     (json_int_t)c->first_byte_timeout_ms, "attempts", (int)c->retries.attempts,
                     "max_requests", (int)c->max_requests, "queue", (int)c->queue, "balance",
                     c->balance.policy, "fallback", fallback_part(c->fallback));
}
