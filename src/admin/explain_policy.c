/* SPDX-License-Identifier: Apache-2.0 */
/* What of the configuration would be in force for the request at one service. */
#include "admin/explain.h"
#include "snapshot/service_rules.h"

static json_t *ms_or_null(uint64_t ms)
{
    return ms ? json_integer((json_int_t)ms) : json_null();
}

static json_t *timeouts_part(const struct explained *x, const struct service_conf *c,
                             const struct chain_route *rule)
{
    uint64_t whole = service_rules_timeout_ms(x->match.route->conf, c, rule);

    return json_pack(
        "{s:o,s:o,s:o,s:o}", "whole_ms", ms_or_null(x->req.upgrade_websocket ? 0 : whole),
        "connect_ms", ms_or_null(c->connect_timeout_ms), "first_byte_ms",
        ms_or_null(c->first_byte_timeout_ms), "idle_ms", ms_or_null(c->idle_timeout_ms));
}

/* The words that the configuration has them by. */
static json_t *ruled_retries(const struct chain_destination *to)
{
    json_t *on = json_array();

    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
        if (r != REASON_UPSTREAM_STATUS && service_rules_retry_on(to, (enum reason)r, 0))
            json_array_append_new(on, json_string(reason_info((enum reason)r)->word));
    for (unsigned status = 100; status < 600; status++)
        if (service_rules_retry_on(to, REASON_UPSTREAM_STATUS, status))
            json_array_append_new(on, json_sprintf("%u", status));
    return on;
}

static json_t *own_retries(const struct retries_conf *c)
{
    json_t *on = json_array();

    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
        if (r != REASON_UPSTREAM_STATUS && (c->reasons >> r & 1))
            json_array_append_new(on, json_string(reason_info((enum reason)r)->word));
    for (size_t i = 0; i < ARRAY_LEN(c->statuses) && c->statuses[i]; i++)
        json_array_append_new(on, json_sprintf("%u", c->statuses[i]));
    return on;
}

static json_t *retries_part(const struct explained *x, const struct service_conf *c,
                            const struct chain_route *rule)
{
    const struct chain_destination *to = service_rules_retries(c, rule);
    bool safe = method_idempotent(x->req.method) || c->retries.non_idempotent;

    return json_pack("{s:i,s:o,s:b}", "attempts", (int)service_rules_tries(c, rule), "on",
                     to && to->says_retry_on ? ruled_retries(to) : own_retries(&c->retries),
                     "only_unsent", !safe);
}

static json_t *hedge_part(const struct hedge_conf *c)
{
    if (!c)
        return json_null();
    return json_pack("{s:o,s:o,s:I}", "after_ms", ms_or_null(c->after_ms), "after_percentile",
                     c->percent ? json_integer(c->percent) : json_null(), "at_least_ms",
                     (json_int_t)c->at_least_ms);
}

static const char *const fallback_kinds[FALLBACK_KINDS] = {
    [FALLBACK_CACHE] = "cache", [FALLBACK_SERVICE] = "service", [FALLBACK_STATIC] = "static"};

static json_t *fallback_part(const struct fallback_conf *f)
{
    json_t *on = json_array();

    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
        if (f->reasons >> r & 1)
            json_array_append_new(on, json_string(reason_info((enum reason)r)->word));
    for (unsigned status = 0; status < 600; status++)
        if (f->statuses[status / 64] >> (status % 64) & 1)
            json_array_append_new(on, json_sprintf("%u", status));
    return json_pack(
        "{s:s,s:o,s:o,s:o,s:o}", "kind", fallback_kinds[f->kind], "service", json_text(f->service),
        "status", f->kind == FALLBACK_STATIC ? json_integer(f->answer.status) : json_null(),
        "max_age_ms", ms_or_null(f->kind == FALLBACK_CACHE ? f->max_age_ms : 0), "on", on);
}

static const struct fallback_list *fallbacks_of(const struct explained *x,
                                                const struct service_conf *c)
{
    const struct fallback_list *own = x->match.route->conf->fallback;

    return own ? own : c->fallback;
}

static json_t *fallbacks_part(const struct explained *x, const struct service_conf *c)
{
    const struct fallback_list *list = fallbacks_of(x, c);
    json_t *part = json_array();

    for (size_t i = 0; list && i < list->n; i++)
        json_array_append_new(part, fallback_part(&list->items[i]));
    return part;
}

const char *explain_fallback(const struct explained *x, const struct service_view *v,
                             enum reason why)
{
    const struct fallback_list *list = fallbacks_of(x, v->conf);

    for (size_t i = 0; list && i < list->n; i++)
        if (list->items[i].reasons >> why & 1)
            return fallback_kinds[list->items[i].kind];
    return NULL;
}

json_t *explain_policy(const struct explained *x, const struct service_view *v,
                       const struct chain_route *rule)
{
    const struct service_conf *c = v->conf;
    int64_t max_body = x->match.route->conf->max_body;

    max_body = max_body < 0 ? x->look->snapshot->config->limits.max_body : max_body;
    return json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:s,s:s}", "timeouts", timeouts_part(x, c, rule), "retries",
        retries_part(x, c, rule), "hedge", hedge_part(hedge_conf_of(x->match.route->conf, c)),
        "fallback", fallbacks_part(x, c), "max_body",
        max_body == INT64_MAX ? json_null() : json_integer((json_int_t)max_body), "balance",
        c->balance.policy, "importance", importance_name(x->match.route->conf->importance));
}

json_t *explain_host(const struct explained *x, const struct service_view *v, int instance)
{
    const struct route_conf *route = x->match.route->conf;
    const struct instance *in = instance < 0 ? NULL : &v->set->items[instance];

    if (route->set_host && strcmp(route->set_host, "dst") != 0)
        return json_text(route->set_host);
    if (!route->set_host && v->conf->preserve_host && x->req.host.n > 0)
        return json_stringn(x->req.host.p, x->req.host.n);
    if (!in)
        return json_null();
    return json_sprintf(strchr(in->address, ':') ? "[%s]:%u" : "%s:%u", in->address,
                        (unsigned)in->port);
}
