/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/access_part.h"
#include "admin/attention.h"
#include "admin/certificates.h"
#include "admin/credentials_part.h"
#include "admin/documents.h"
#include "admin/doubt_part.h"
#include "admin/kept_part.h"

#include <stdlib.h>

static json_t *consul_part(const struct look *l)
{
    struct discovery_status d;
    json_t *part;

    discovery_status(l->sources->discovery, &d);
    part = json_pack(
        "{s:b,s:b,s:b,s:I,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "enabled", d.consul,
        "connected", d.connected, "leader_known", d.leader_known, "last_contact_ms",
        (json_int_t)d.last_contact_ms, "last_good_age_ms", look_age_ms(l, d.last_good_ns),
        "failing_since", look_time(l, d.failing_since_ns), "last_error",
        d.last_error[0] ? json_text(d.last_error) : json_null(), "watches", (json_int_t)d.watches,
        "requests", (json_int_t)d.requests, "errors", (json_int_t)d.errors, "index_resets",
        (json_int_t)d.index_resets, "skipped_instances", (json_int_t)d.skipped_instances, "updates",
        (json_int_t)d.updates, "access", access_part(l), "kept", kept_part(l, &d));
    json_object_set_new(part, "strategy", d.strategy ? json_string(d.strategy) : json_null());
    json_object_set_new(part, "polled", json_integer((json_int_t)d.polled));
    json_object_set_new(part, "queued", json_integer((json_int_t)d.queued));
    doubt_add_consul(&d, part);
    return part;
}

static json_t *registration_part(const struct admin_sources *s)
{
    struct registration_status r;

    if (!s->registration || !s->registration(s->arg, &r))
        return json_null();
    return json_pack("{s:o,s:o,s:b,s:b,s:I,s:o}", "service", json_text(r.name), "id",
                     json_text(r.id), "registered", r.registered, "maintenance", r.in_maintenance,
                     "registrations", (json_int_t)r.registrations, "last_error",
                     r.last_error[0] ? json_text(r.last_error) : json_null());
}

static json_t *reload_part(const struct admin_sources *s)
{
    const char *error = s->last_reload_error;

    return json_pack("{s:I,s:I,s:o,s:o}", "count", (json_int_t)s->reloads, "failed",
                     (json_int_t)s->reloads_failed, "last", json_wall_time(s->last_reload_wall_ms),
                     "last_error", error[0] ? json_text(error) : json_null());
}

static json_t *consul_config_part(const struct admin_sources *s)
{
    return s->consul_config_document ? s->consul_config_document(s->arg) : json_null();
}

static json_t *breaker_part(const struct service_row *rows, size_t n)
{
    json_t *part = json_object();

    for (int state = BREAKER_CLOSED; state < BREAKER_STATES; state++) {
        json_int_t count = 0;

        for (size_t i = 0; i < n; i++)
            count += rows[i].breaker.state == (enum breaker_state)state;
        json_object_set_new(part, breaker_state_name((enum breaker_state)state),
                            json_integer(count));
    }
    return part;
}

static json_t *snapshot_part(const struct snapshot *s, size_t nservices)
{
    if (!s)
        return json_null();
    return json_pack("{s:I,s:I,s:I}", "version", (json_int_t)s->version, "routes",
                     (json_int_t)route_table_count(s->routes), "services", (json_int_t)nservices);
}

static json_int_t count_forced(const struct service_row *rows, size_t n)
{
    json_int_t forced = 0;

    for (size_t i = 0; i < n; i++)
        forced += rows[i].breaker.forced;
    return forced;
}

static json_int_t count_not_closed(const struct service_row *rows, size_t n)
{
    json_int_t count = 0;

    for (size_t i = 0; i < n; i++) {
        enum breaker_state s = rows[i].breaker.state;

        count += s == BREAKER_OPEN || s == BREAKER_HALF_OPEN || s == BREAKER_FORCED_OPEN;
    }
    return count;
}

/* What on-call needs first. */
static json_t *attention_part(const struct look *l, const struct service_row *rows, size_t n)
{
    return json_pack("{s:o,s:I,s:I,s:I,s:o}", "breakers", breaker_part(rows, n), "not_closed",
                     count_not_closed(rows, n), "forced", count_forced(rows, n),
                     "newest_transition",
                     (json_int_t)journal_newest(registry_journal(l->sources->registry)),
                     "attention", attention_list(l, rows, n));
}

static json_t *webhooks_part(const struct admin_sources *s)
{
    return s->webhooks_document ? s->webhooks_document(s->arg) : json_array();
}

static json_t *shed_part(const struct proxy_overload *o)
{
    json_t *part = json_object();

    for (int i = 0; i < PROXY_SHED_CLASSES; i++)
        json_object_set_new(part, importance_name((enum importance)(IMPORTANCE_LOW + i)),
                            json_integer((json_int_t)o->refused[i]));
    return part;
}

/* Of equals the one that refuses for longest, or rests for the shortest time. */
static bool is_worse(const struct proxy_shedding *a, const struct proxy_shedding *b)
{
    if (a->level != b->level)
        return a->level > b->level;
    return a->level > 0 ? a->since_ns < b->since_ns : a->since_ns > b->since_ns;
}

/* As saturated as its worst worker. */
static json_t *overload_part(const struct look *l)
{
    const struct proxy_overload *o = &l->workers.overload;
    struct proxy_shedding worst = {0};
    json_t *workers = json_array();

    for (unsigned i = 0; i < o->nworkers; i++) {
        struct proxy_shedding w = o->workers[i];

        if (i == 0 || is_worse(&w, &worst))
            worst = w;
        json_array_append_new(workers, json_pack("{s:i,s:i,s:o}", "worker", (int)i, "level",
                                                 (int)w.level, "since", look_time(l, w.since_ns)));
    }
    return json_pack("{s:i,s:o,s:o,s:o}", "level", (int)worst.level, "since",
                     look_time(l, worst.since_ns), "shed", shed_part(o), "workers", workers);
}

json_t *status_document_of(const struct look *l, const struct service_row *rows, size_t n)
{
    const struct admin_sources *s = l->sources;
    const char *unready = look_unready(l);
    json_t *attention = attention_part(l, rows, n);
    json_t *doc = json_pack(
        "{s:s,s:o,s:I,s:b,s:o,s:b,s:i,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:o,s:"
        "o,s:o,s:o,s:o,s:o,s:o,s:o}",
        "version", s->version, "started", json_wall_time(s->started_wall_ms), "uptime_s",
        (json_int_t)((l->now_ns - s->started_ns) / NS_PER_S), "ready", !unready, "unready_reason",
        unready ? json_text(unready) : json_null(), "draining", l->workers.draining, "workers",
        (int)l->workers.workers, "connections", (json_int_t)l->workers.connections, "requests",
        (json_int_t)l->workers.requests, "unrouted", (json_int_t)l->workers.unrouted,
        "bad_requests", (json_int_t)l->workers.bad_requests, "snapshot",
        snapshot_part(l->snapshot, n), "consul", consul_part(l), "reload", reload_part(s),
        "problems", problems_list(l), "access_log_dropped",
        (json_int_t)l->workers.access_log_dropped, "listeners", (json_int_t)s->listeners,
        "listeners_dropped", (json_int_t)s->listeners_dropped, "webhooks", webhooks_part(s),
        "overload", overload_part(l), "rate_limits", limits_part(l), "redis", limits_redis_part(l),
        "issuers", issuers_part(l), "credentials", credentials_part(l), "certificates",
        certificates_part(l), "tls", handshakes_part(l));

    json_object_set_new(doc, "consul_config", consul_config_part(s));
    json_object_set_new(doc, "registration", registration_part(s));
    json_object_update(doc, attention);
    json_decref(attention);
    return doc;
}

json_t *status_document(const struct look *l)
{
    size_t n;
    struct service_row *rows = service_rows(l->snapshot, l->now_ns, &n);
    json_t *doc = status_document_of(l, rows, n);

    free(rows);
    return doc;
}
