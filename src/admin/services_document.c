/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/documents.h"
#include "admin/doubt_part.h"
#include "admin/places_part.h"
#include "admin/rules_part.h"

#include <stdlib.h>

#define GET(x) atomic_load_explicit(&(x), memory_order_relaxed)

/* A word for how the data of this service comes in. */
static const char *watch_word(const struct look *l, const char *name,
                              struct discovery_watch_status *ret)
{
    if (!discovery_watch_status(l->sources->discovery, name, ret))
        return "unknown";
    if (ret->is_static)
        return "static";
    if (ret->recalled_ms)
        return "recalled";
    if (ret->failing)
        return "failing";
    if (ret->gone)
        return "gone";
    return ret->answered_ns ? "ok" : "pending";
}

/* Since Consul last said so, be it to an earlier run. */
static json_t *data_age(const struct look *l, const struct discovery_watch_status *w)
{
    if (w->is_static)
        return json_null();
    if (!w->recalled_ms)
        return look_age_ms(l, w->answered_ns);
    return json_integer(l->wall_ms > w->recalled_ms ? l->wall_ms - w->recalled_ms : 0);
}

static json_t *milliseconds(double seconds)
{
    return seconds < 0 ? json_null() : json_real(seconds * 1000);
}

static json_t *latency_part(const struct service_row *row)
{
    json_t *part, *counts = json_array();
    double mean = -1;

    if (row->latency_count)
        mean = (double)row->latency_ns_sum / (double)row->latency_count / 1e9;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        json_array_append_new(counts, json_integer((json_int_t)row->latency[i]));
    part = json_pack("{s:o,s:o,s:o,s:o,s:o}", "p50",
                     milliseconds(latency_quantile(row->latency, 0.50)), "p95",
                     milliseconds(latency_quantile(row->latency, 0.95)), "p99",
                     milliseconds(latency_quantile(row->latency, 0.99)), "mean", milliseconds(mean),
                     "counts", counts);
    return part;
}

static json_t *responses_part(const struct service_row *row)
{
    static const char *const names[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    json_t *part = json_object();

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        json_object_set_new(part, names[i], json_integer((json_int_t)row->by_class[i]));
    return part;
}

static json_t *reasons_part(const struct service_row *row)
{
    json_t *part = json_object();

    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
        if (row->reasons[r])
            json_object_set_new(part, reason_info((enum reason)r)->word,
                                json_integer((json_int_t)row->reasons[r]));
    return part;
}

static json_t *fallbacks_part(const struct service_row *row)
{
    json_t *part = json_object();

    for (int k = 0; k < FALLBACK_KINDS; k++)
        json_object_set_new(part, fallback_name((enum fallback_kind)k),
                            json_integer((json_int_t)row->fallbacks_by[k]));
    return part;
}

static void add_ejection(const struct look *l, json_t *doc, struct instance_state *state)
{
    uint64_t until = GET(state->load.ejected_until_ns);
    bool ejected = instance_ejected(&state->load, l->now_ns);
    enum outlier_cause cause = (enum outlier_cause)GET(state->outlier.last_cause);

    json_object_set_new(doc, "ejected", json_boolean(ejected));
    json_object_set_new(doc, "ejected_until", ejected ? look_time(l, until) : json_null());
    json_object_set_new(doc, "ejection_cause",
                        cause ? json_string(outlier_cause_name(cause)) : json_null());
    json_object_set_new(doc, "ejection_failed", json_integer(GET(state->outlier.cause_failed)));
    json_object_set_new(doc, "ejection_total", json_integer(GET(state->outlier.cause_total)));
    json_object_set_new(doc, "ejections", json_integer((json_int_t)GET(state->outlier.ejections)));
    json_object_set_new(doc, "on_probation",
                        json_boolean(!ejected && GET(state->load.on_probation)));
}

static void add_traffic(json_t *doc, struct instance_state *state)
{
    enum reason last = (enum reason)GET(state->last_reason);
    uint64_t ewma = GET(state->load.ewma_ns);
    int64_t last_failure_ms = (int64_t)GET(state->last_failure_ms);

    json_object_set_new(doc, "in_flight", json_integer(GET(state->load.in_flight)));
    json_object_set_new(doc, "ewma_ms", ewma ? json_real((double)ewma / 1e6) : json_null());
    json_object_set_new(doc, "requests", json_integer((json_int_t)GET(state->requests)));
    json_object_set_new(doc, "failures", json_integer((json_int_t)GET(state->failures)));
    json_object_set_new(doc, "last_reason",
                        last ? json_string(reason_info(last)->word) : json_null());
    json_object_set_new(doc, "last_failure", json_wall_time(last_failure_ms));
}

static json_t *last_error(struct instance_state *state)
{
    char text[LAST_ERROR_MAX];

    pthread_mutex_lock(&state->history.lock);
    memcpy(text, state->last_error, sizeof text);
    pthread_mutex_unlock(&state->history.lock);
    return text[0] ? json_text(text) : json_null();
}

/* Why there is no address for its host name, or why the one there is could not be confirmed. */
static json_t *unresolved_part(const struct look *l, const struct instance *i)
{
    const char *why = discovery_host_problem(l->sources->discovery, i->address);

    return why ? json_text(why) : json_null();
}

static json_t *instance_part(const struct look *l, const struct service_view *v, unsigned at)
{
    const struct instance *i = &v->set->items[at];
    const struct transport *t = &v->transports[at];
    struct instance_state *state = v->states[at];
    json_t *doc =
        json_pack("{s:o,s:o,s:o,s:i,s:b,s:s,s:o,s:I,s:o,s:b}", "id", json_text(i->id), "node",
                  json_text(i->node), "address", json_text(i->address), "port", (int)i->port,
                  "resolved", i->sockaddr_len > 0, "health", health_name(i->health), "check",
                  json_text(i->check), "weight", (json_int_t)v->weights[at], "zone",
                  json_text(i->zone), "available", instance_available(i, &state->load, l->now_ns));

    if (doc) {
        json_object_set_new(doc, "unresolved", unresolved_part(l, i));
        json_object_set_new(doc, "datacenter",
                            i->datacenter[0] ? json_text(i->datacenter) : json_null());
        json_object_set_new(doc, "protocol", json_string(transport_http_name(t->http)));
        json_object_set_new(doc, "tls", json_boolean(t->tls));
        json_object_set_new(doc, "doubt",
                            i->doubt ? json_string(doubt_name(i->doubt)) : json_null());
        json_object_set_new(doc, "last_error", last_error(state));
        add_ejection(l, doc, state);
        add_traffic(doc, state);
    }
    return doc;
}

static json_t *instances_part(const struct look *l, const struct service_view *v)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < v->n; i++)
        json_array_append_new(list, instance_part(l, v, i));
    return list;
}

/* Of its first instance; without any, what the configuration says alone. */
static struct transport transport_part(const struct service_view *v)
{
    return v->n ? v->transports[0] : transport_of(v->conf, CATALOG_SILENT, false);
}

/* null when it is spoken to in the clear. */
static json_t *tls_part(const struct service_view *v)
{
    const struct upstream_tls_conf *c = &v->conf->tls;
    struct transport t = transport_part(v);

    if (!t.tls)
        return json_null();
    return json_pack("{s:b,s:o,s:b,s:s}", "verify", t.verify, "server_name",
                     c->server_name ? json_text(c->server_name) : json_null(), "client_certificate",
                     c->cert != NULL, "min_version", c->tls13 ? "1.3" : "1.2");
}

/* How long a first try may take before a second is sent; null while nobody can say. */
static json_t *hedge_after_part(const struct look *l, const struct service_view *v)
{
    const struct hedge_conf *c = &v->conf->hedge;
    double ms = (double)c->after_ms;

    if (ms == 0) {
        ms = (double)quantile_read(&v->state->first_byte, l->now_ns, c->percent ? c->percent : 95) /
             1e6;
        if (ms > 0 && ms < (double)c->at_least_ms)
            ms = (double)c->at_least_ms;
    }
    return ms > 0 ? json_real(ms) : json_null();
}

/* null when the limit is a fixed one, or there is none. */
static json_t *adaptive_part(const struct look *l, struct service_state *state)
{
    struct adaptive_info i;
    json_t *change;

    adaptive_info(&state->adaptive, &i);
    if (!i.enabled)
        return json_null();
    change = json_pack("{s:o,s:I,s:I,s:s}", "at", look_time(l, i.changed_ns), "from",
                       (json_int_t)i.changed_from, "to", (json_int_t)i.changed_to, "why",
                       adaptive_cause_name(i.cause));
    return json_pack("{s:o,s:o,s:b,s:I,s:o}", "baseline_ms",
                     i.baseline_ns ? json_real((double)i.baseline_ns / 1e6) : json_null(),
                     "measured_ms",
                     i.measured_ns ? json_real((double)i.measured_ns / 1e6) : json_null(),
                     "probing", i.probing, "probes", (json_int_t)i.probes, "last_change", change);
}

static json_t *service_part(const struct look *l, const struct service_row *row)
{
    struct service_state *state = row->view->state;
    struct discovery_watch_status watch = {0};
    const char *word = watch_word(l, row->name, &watch);
    json_t *budget = json_pack("{s:I,s:I}", "taken", (json_int_t)GET(state->budget.taken),
                               "refused", (json_int_t)GET(state->budget.refused));
    json_t *doc;

    doc = json_pack(
        "{s:o,s:o,s:o,s:I,s:s,s:I,s:o,s:o,s:o,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:I,s:b,"
        "s:s,s:o,s:o,s:o,s:o}",
        "name", json_text(row->name), "breaker", breaker_summary(l, row), "data_age_ms",
        data_age(l, &watch), "index", (json_int_t)watch.index, "watch", word, "requests",
        (json_int_t)row->requests, "responses", responses_part(row), "reasons", reasons_part(row),
        "fallbacks", fallbacks_part(row), "retries", (json_int_t)row->retries, "hedges",
        (json_int_t)row->hedges, "hedges_won", (json_int_t)row->hedges_won, "hedge_after_ms",
        hedge_after_part(l, row->view), "in_flight", (json_int_t)row->in_flight, "limit",
        (json_int_t)row->limit, "waiting", (json_int_t)row->waiting, "rejected_overload",
        (json_int_t)GET(state->limit.rejected), "adaptive", adaptive_part(l, state), "latency_ms",
        latency_part(row), "retry_budget", budget, "available", (json_int_t)row->available, "panic",
        row->panic, "protocol", transport_http_name(transport_part(row->view).http), "tls",
        tls_part(row->view), "failover", places_part(l, row->name), "traffic_rules",
        rules_part(l, row->view), "instances", instances_part(l, row->view));
    doubt_add_service(l, row->name, &watch, doc);
    return doc;
}

static json_t *bounds_ms(void)
{
    json_t *list = json_array();

    for (size_t i = 0; i < LATENCY_BUCKETS - 1; i++)
        json_array_append_new(list, json_real(latency_bounds[i] * 1000));
    return list;
}

json_t *services_document(const struct look *l)
{
    size_t n;
    struct service_row *rows = service_rows(l->snapshot, l->now_ns, &n);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, service_part(l, &rows[i]));
    free(rows);
    return json_pack("{s:o,s:o}", "services", list, "latency_bounds_ms", bounds_ms());
}

json_t *service_document(const struct look *l, const char *name)
{
    const struct service_view *v = service_row_find(l->snapshot, name);
    struct service_row row;
    json_t *doc;

    if (!v)
        return NULL;
    service_row_fill(&row, v, l->now_ns);
    doc = service_part(l, &row);
    json_object_set_new(doc, "config", service_config(v->conf));
    return doc;
}
