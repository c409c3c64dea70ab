/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/metrics.h"
#include "admin/certificates.h"
#include "admin/credentials_part.h"
#include "admin/doubt_part.h"
#include "admin/kept_part.h"
#include "admin/places_part.h"
#include "admin/rules_part.h"
#include "admin/service_row.h"
#include "policy/issuers.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct scrape {
    const struct look *look;
    const struct service_row *rows;
    size_t nrows;
    struct discovery_status consul;
    struct evbuffer *out;
};

struct metric {
    const char *name, *type, *help;
    void (*write)(const struct scrape *s, const struct metric *m);
    size_t offset; /* for write_worker and write_service: of the uint64_t or uint32_t */
};

void metrics_label(struct evbuffer *out, const char *value)
{
    /* JSON's checker of UTF-8 is as good as any: text that it refuses goes out as ASCII. */
    json_t *text = json_text(value);

    for (const char *p = json_string_value(text); p && *p; p++) {
        if (*p == '\n')
            evbuffer_add(out, "\\n", 2);
        else if (*p == '\\' || *p == '"')
            evbuffer_add_printf(out, "\\%c", *p);
        else
            evbuffer_add(out, p, 1);
    }
    json_decref(text);
}

/* NAME{service="...",KEY="VALUE"} up to the value; key may be NULL. */
static void begin_sample(const struct scrape *s, const char *name, const struct service_row *row,
                         const char *key, const char *value)
{
    evbuffer_add_printf(s->out, "frontdesk_%s{service=\"", name);
    metrics_label(s->out, row->name);
    if (key)
        evbuffer_add_printf(s->out, "\",%s=\"%s", key, value);
    evbuffer_add(s->out, "\"} ", 3);
}

static void end_sample(const struct scrape *s, uint64_t value)
{
    evbuffer_add_printf(s->out, "%" PRIu64 "\n", value);
}

static void plain_sample(const struct scrape *s, const struct metric *m, uint64_t value)
{
    evbuffer_add_printf(s->out, "frontdesk_%s ", m->name);
    end_sample(s, value);
}

static void write_build(const struct scrape *s, const struct metric *m)
{
    evbuffer_add_printf(s->out, "frontdesk_%s{version=\"", m->name);
    metrics_label(s->out, s->look->sources->version);
    evbuffer_add_printf(s->out, "\"} 1\n");
}

static void write_uptime(const struct scrape *s, const struct metric *m)
{
    evbuffer_add_printf(s->out, "frontdesk_%s %.3f\n", m->name,
                        (double)(s->look->now_ns - s->look->sources->started_ns) / 1e9);
}

static void write_ready(const struct scrape *s, const struct metric *m)
{
    plain_sample(s, m, look_unready(s->look) ? 0 : 1);
}

static void write_worker(const struct scrape *s, const struct metric *m)
{
    uint64_t value;

    memcpy(&value, (const char *)&s->look->workers + m->offset, sizeof value);
    plain_sample(s, m, value);
}

static void write_reloads(const struct scrape *s, const struct metric *m)
{
    plain_sample(s, m, s->look->sources->reloads);
}

static void write_reload_failures(const struct scrape *s, const struct metric *m)
{
    plain_sample(s, m, s->look->sources->reloads_failed);
}

/* Absent when there is none. */
static void write_consul_config(const struct scrape *s, const struct metric *m)
{
    const struct admin_sources *from = s->look->sources;
    json_t *c = from->consul_config_document ? from->consul_config_document(from->arg) : NULL;

    if (json_is_object(c) && strstr(m->name, "index"))
        plain_sample(s, m, (uint64_t)json_integer_value(json_object_get(c, "index")));
    else if (json_is_object(c))
        plain_sample(s, m, json_is_true(json_object_get(c, "refused")));
    json_decref(c);
}

static void write_version(const struct scrape *s, const struct metric *m)
{
    plain_sample(s, m, s->look->snapshot ? s->look->snapshot->version : 0);
}

static void write_connected(const struct scrape *s, const struct metric *m)
{
    if (s->consul.consul)
        plain_sample(s, m, s->consul.connected);
}

static void write_last_good(const struct scrape *s, const struct metric *m)
{
    uint64_t now = s->look->now_ns, good = s->consul.last_good_ns;

    if (s->consul.consul && good)
        evbuffer_add_printf(s->out, "frontdesk_%s %.3f\n", m->name,
                            now > good ? (double)(now - good) / 1e9 : 0.0);
}

static void write_access(const struct scrape *s, const struct metric *m)
{
    const struct consul_access_status *a = discovery_access(s->look->sources->discovery);

    if (!a)
        return;
    if (strstr(m->name, "rights"))
        plain_sample(s, m, a->nmissing - a->noptional);
    else if (strstr(m->name, "trusted"))
        plain_sample(s, m, a->trusted);
    else
        plain_sample(s, m, strstr(m->name, "switches") ? a->switches : a->logins);
}

static void write_consul_errors(const struct scrape *s, const struct metric *m)
{
    if (s->consul.consul)
        plain_sample(s, m, s->consul.errors);
}

static void write_recalled(const struct scrape *s, const struct metric *m)
{
    if (s->consul.consul)
        plain_sample(s, m, s->consul.recalled_services);
}

static void write_recalled_age(const struct scrape *s, const struct metric *m)
{
    if (s->consul.consul)
        evbuffer_add_printf(s->out, "frontdesk_%s %.3f\n", m->name,
                            (double)kept_age_ms(s->look, &s->consul) / 1e3);
}

static void write_kept_failing(const struct scrape *s, const struct metric *m)
{
    if (s->consul.kept.file)
        plain_sample(s, m, s->consul.kept.error != NULL);
}

static void write_webhooks(const struct scrape *s, const struct metric *m)
{
    const struct admin_sources *sources = s->look->sources;
    struct admin_webhooks n = {0};
    const struct {
        const char *result;
        const uint64_t *count;
    } rows[] = {{"delivered", &n.delivered}, {"failed", &n.failed}, {"dropped", &n.dropped}};

    if (sources->webhooks_counters)
        sources->webhooks_counters(sources->arg, &n);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        evbuffer_add_printf(s->out, "frontdesk_%s{result=\"%s\"} %" PRIu64 "\n", m->name,
                            rows[i].result, *rows[i].count);
}

static void write_shed_levels(const struct scrape *s, const struct metric *m)
{
    const struct proxy_overload *o = &s->look->workers.overload;

    for (unsigned i = 0; i < o->nworkers; i++)
        evbuffer_add_printf(s->out, "frontdesk_%s{worker=\"%u\"} %u\n", m->name, i,
                            o->workers[i].level);
}

static void write_shed(const struct scrape *s, const struct metric *m)
{
    for (int i = 0; i < PROXY_SHED_CLASSES; i++)
        evbuffer_add_printf(s->out, "frontdesk_%s{importance=\"%s\"} %" PRIu64 "\n", m->name,
                            importance_name((enum importance)(IMPORTANCE_LOW + i)),
                            s->look->workers.overload.refused[i]);
}

static void limit_sample(const struct scrape *s, const struct metric *m,
                         const struct limit_entry *e, uint64_t value)
{
    evbuffer_add_printf(s->out, "frontdesk_%s{limit=\"", m->name);
    metrics_label(s->out, e->conf->name);
    evbuffer_add_printf(s->out, "\"} %" PRIu64 "\n", value);
}

/* Of the limiter, at the metric's offset. */
static void write_limit_counter(const struct scrape *s, const struct metric *m)
{
    const struct limit_set *set = s->look->snapshot ? s->look->snapshot->limits : NULL;

    for (size_t i = 0; set && i < set->n; i++)
        limit_sample(
            s, m, &set->at[i],
            atomic_load_explicit((_Atomic uint64_t *)((char *)set->at[i].limiter + m->offset),
                                 memory_order_relaxed));
}

/* Of its table, at the metric's offset. */
static void write_limit_table(const struct scrape *s, const struct metric *m)
{
    const struct limit_set *set = s->look->snapshot ? s->look->snapshot->limits : NULL;
    struct limit_clock clock = {s->look->now_ns, s->look->wall_ms / 1000};
    struct limit_table_usage u;
    uint64_t value;

    for (size_t i = 0; set && i < set->n; i++) {
        limit_table_usage(set->at[i].limiter->table, &set->at[i].rule, &clock, &u);
        memcpy(&value, (char *)&u + m->offset, sizeof value);
        limit_sample(s, m, &set->at[i], value);
    }
}

static const struct limit_redis_status *redis_of(const struct scrape *s)
{
    const struct snapshot *snapshot = s->look->snapshot;

    return snapshot && snapshot->config->limits.redis.address ? snapshot->limits->redis : NULL;
}

static void issuer_sample(const struct scrape *s, const struct metric *m,
                          const struct issuer_entry *e, const char *result, uint64_t value)
{
    evbuffer_add_printf(s->out, "frontdesk_%s{issuer=\"", m->name);
    metrics_label(s->out, e->conf->name);
    if (result)
        evbuffer_add_printf(s->out, "\",result=\"%s", result);
    evbuffer_add(s->out, "\"} ", 3);
    end_sample(s, value);
}

static void write_issuers(const struct scrape *s, const struct metric *m,
                          void (*write)(const struct scrape *, const struct metric *,
                                        const struct issuer_entry *))
{
    const struct issuer_set *set = s->look->snapshot ? s->look->snapshot->issuers : NULL;

    for (size_t i = 0; set && i < set->n; i++)
        write(s, m, &set->at[i]);
}

static void write_results_of(const struct scrape *s, const struct metric *m,
                             const struct issuer_entry *e)
{
    for (int r = 0; r < TOKEN_ERRORS; r++) {
        uint64_t n = atomic_load_explicit(&e->issuer->shared.results[r], memory_order_relaxed);

        if (n > 0 || r == TOKEN_OK)
            issuer_sample(s, m, e, token_error_word((enum token_error)r), n);
    }
}

static void write_tokens(const struct scrape *s, const struct metric *m)
{
    write_issuers(s, m, write_results_of);
}

static void write_keys_of(const struct scrape *s, const struct metric *m,
                          const struct issuer_entry *e)
{
    const struct keyset *keys = e->issuer->shared.keys;

    issuer_sample(s, m, e, NULL, keys ? keys->n : 0);
}

static void write_issuer_keys(const struct scrape *s, const struct metric *m)
{
    write_issuers(s, m, write_keys_of);
}

static void write_age_of(const struct scrape *s, const struct metric *m,
                         const struct issuer_entry *e)
{
    int64_t age_ms = s->look->wall_ms - e->issuer->good_wall_ms;

    if (e->issuer->good_wall_ms)
        issuer_sample(s, m, e, NULL, age_ms > 0 ? (uint64_t)age_ms / 1000 : 0);
}

static void write_issuer_ages(const struct scrape *s, const struct metric *m)
{
    write_issuers(s, m, write_age_of);
}

static void write_failures_of_issuer(const struct scrape *s, const struct metric *m,
                                     const struct issuer_entry *e)
{
    issuer_sample(s, m, e, NULL, e->issuer->failures);
}

static void write_issuer_failures(const struct scrape *s, const struct metric *m)
{
    write_issuers(s, m, write_failures_of_issuer);
}

static void write_redis_up(const struct scrape *s, const struct metric *m)
{
    const struct limit_redis_status *r = redis_of(s);

    if (r)
        plain_sample(s, m, r->workers > 0 && r->connected == r->workers);
}

static void write_redis_decisions(const struct scrape *s, const struct metric *m)
{
    const struct limit_redis_status *r = redis_of(s);

    if (r)
        evbuffer_add_printf(s->out,
                            "frontdesk_%s{by=\"redis\"} %" PRIu64 "\n"
                            "frontdesk_%s{by=\"gateway\"} %" PRIu64 "\n",
                            m->name, (uint64_t)r->decided, m->name, (uint64_t)r->local);
}

static void write_cached(const struct scrape *s, const struct metric *m)
{
    static const char *const words[] = {"miss", "hit", "stale", "validated"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        evbuffer_add_printf(s->out, "frontdesk_%s{result=\"%s\"} %" PRIu64 "\n", m->name, words[i],
                            s->look->workers.cached[i]);
}

static void write_coded(const struct scrape *s, const struct metric *m)
{
    static const char *const words[] = {NULL, "gzip", "br", "zstd"};

    for (size_t i = 1; i < ARRAY_LEN(words); i++)
        evbuffer_add_printf(s->out, "frontdesk_%s{coding=\"%s\"} %" PRIu64 "\n", m->name, words[i],
                            s->look->workers.coded[i]);
}

static void write_redis_counter(const struct scrape *s, const struct metric *m)
{
    const struct limit_redis_status *r = redis_of(s);

    if (r)
        plain_sample(s, m, *(const _Atomic uint64_t *)((const char *)r + m->offset));
}

static void write_service64(const struct scrape *s, const struct metric *m)
{
    for (size_t i = 0; i < s->nrows; i++) {
        uint64_t value;

        memcpy(&value, (const char *)&s->rows[i] + m->offset, sizeof value);
        begin_sample(s, m->name, &s->rows[i], NULL, NULL);
        end_sample(s, value);
    }
}

static void write_service32(const struct scrape *s, const struct metric *m)
{
    for (size_t i = 0; i < s->nrows; i++) {
        uint32_t value;

        memcpy(&value, (const char *)&s->rows[i] + m->offset, sizeof value);
        begin_sample(s, m->name, &s->rows[i], NULL, NULL);
        end_sample(s, value);
    }
}

static void write_classes(const struct scrape *s, const struct metric *m)
{
    static const char *const names[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

    for (size_t i = 0; i < s->nrows; i++)
        for (size_t c = 0; c < ARRAY_LEN(names); c++) {
            begin_sample(s, m->name, &s->rows[i], "code", names[c]);
            end_sample(s, s->rows[i].by_class[c]);
        }
}

static void write_failures(const struct scrape *s, const struct metric *m)
{
    for (size_t i = 0; i < s->nrows; i++)
        for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
            if (s->rows[i].reasons[r]) {
                begin_sample(s, m->name, &s->rows[i], "reason", reason_info((enum reason)r)->word);
                end_sample(s, s->rows[i].reasons[r]);
            }
}

/* Only of services that gRPC calls have gone to. */
static void write_grpc(const struct scrape *s, const struct metric *m)
{
    for (size_t i = 0; i < s->nrows; i++)
        for (unsigned c = 0; c < GRPC_CODES; c++)
            if (s->rows[i].grpc[c]) {
                begin_sample(s, m->name, &s->rows[i], "status", grpc_code_name(c));
                end_sample(s, s->rows[i].grpc[c]);
            }
}

static void write_fallbacks(const struct scrape *s, const struct metric *m)
{
    for (size_t i = 0; i < s->nrows; i++)
        for (int k = 0; k < FALLBACK_KINDS; k++) {
            begin_sample(s, m->name, &s->rows[i], "kind", fallback_name((enum fallback_kind)k));
            end_sample(s, s->rows[i].fallbacks_by[k]);
        }
}

static void write_histogram(const struct scrape *s, const struct metric *m,
                            const struct service_row *row)
{
    char bucket[64], part[64], bound[32];
    uint64_t sum = 0;

    snprintf(bucket, sizeof bucket, "%s_bucket", m->name);
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        sum += row->latency[i];
        if (i < LATENCY_BUCKETS - 1)
            snprintf(bound, sizeof bound, "%g", latency_bounds[i]);
        else
            snprintf(bound, sizeof bound, "+Inf");
        begin_sample(s, bucket, row, "le", bound);
        end_sample(s, sum);
    }
    snprintf(part, sizeof part, "%s_sum", m->name);
    begin_sample(s, part, row, NULL, NULL);
    evbuffer_add_printf(s->out, "%.9f\n", (double)row->latency_ns_sum / 1e9);
    snprintf(part, sizeof part, "%s_count", m->name);
    begin_sample(s, part, row, NULL, NULL);
    end_sample(s, sum);
}

static void write_durations(const struct scrape *s, const struct metric *m)
{
    for (size_t i = 0; i < s->nrows; i++)
        write_histogram(s, m, &s->rows[i]);
}

static void write_breaker_state(const struct scrape *s, const struct metric *m)
{
    for (size_t i = 0; i < s->nrows; i++)
        for (int b = BREAKER_CLOSED; b < BREAKER_STATES; b++) {
            begin_sample(s, m->name, &s->rows[i], "state",
                         breaker_state_name((enum breaker_state)b));
            end_sample(s, s->rows[i].breaker.state == (enum breaker_state)b);
        }
}

static void write_health(const struct scrape *s, const struct metric *m)
{
    for (size_t i = 0; i < s->nrows; i++)
        for (int h = HEALTH_PASSING; h <= HEALTH_MAINTENANCE; h++) {
            begin_sample(s, m->name, &s->rows[i], "health", health_name((enum health)h));
            end_sample(s, s->rows[i].by_health[h]);
        }
}

#define LIMITER(field) write_limit_counter, offsetof(struct limiter, field)
#define TABLE(field)   write_limit_table, offsetof(struct limit_table_usage, field)
#define REDIS(field)   write_redis_counter, offsetof(struct limit_redis_status, field)
#define WORKER(field)  write_worker, offsetof(struct admin_workers, field)
#define SERVICE(field) write_service64, offsetof(struct service_row, field)
#define SMALL(field)   write_service32, offsetof(struct service_row, field)

/* clang-format off */
static const struct metric metrics[] = {
    {"build_info", "gauge", "Always 1; the version is a label.", write_build, 0},
    {"uptime_seconds", "gauge", "Time since the start.", write_uptime, 0},
    {"ready", "gauge", "1 while /readyz says 200.", write_ready, 0},
    {"connections", "gauge", "Client connections that are open.", WORKER(connections)},
    {"accepted_total", "counter", "Client connections accepted.", WORKER(accepted)},
    {"refused_connections_total", "counter", "Client connections closed at once because there were too many.", WORKER(refused_connections)},
    {"accept_errors_total", "counter", "Times that accepting a connection failed.", WORKER(accept_errors)},
    {"proxy_header_errors_total", "counter", "Connections closed because their PROXY protocol header was missing, wrong or not of a sender that may send one.", WORKER(bad_proxy_headers)},
    {"compressed_answers_total", "counter", "Answers that left in a content coding, by coding.", write_coded, 0},
    {"compressed_bytes_in_total", "counter", "Bytes of their bodies before.", WORKER(coded_in)},
    {"compressed_bytes_out_total", "counter", "Bytes of their bodies as they left.", WORKER(coded_out)},
    {"cache_requests_total", "counter", "Requests to routes with a cache, by where their answer came from.", write_cached, 0},
    {"h2_connections_total", "counter", "Connections of clients that have spoken HTTP/2.", WORKER(h2_connections)},
    {"h2_requests_total", "counter", "Requests of clients over HTTP/2.", WORKER(h2_requests)},
    {"h2_resets_total", "counter", "Requests over HTTP/2 that their clients have taken back, or that came to nothing for their faults.", WORKER(h2_resets)},
    {"h2_floods_total", "counter", "Connections ended because of too many such requests, or of frames that ask for nothing.", WORKER(h2_floods)},
    {"unrouted_total", "counter", "Requests that no route matched.", WORKER(unrouted)},
    {"bad_requests_total", "counter", "Requests refused before a route was looked for.", WORKER(bad_requests)},
    {"auth_failed_open_total", "counter", "Requests let in unasked because who decides was away (on_failure: allow).", WORKER(auth_failed_open)},
    {"shed_level", "gauge", "How many classes of importance a saturated worker refuses requests of; 0 = it has time for all.", write_shed_levels, 0},
    {"shed_total", "counter", "Requests refused because the gateway was saturated, by the importance of their route.", write_shed, 0},
    {"rate_limited_total", "counter", "Requests refused because their client had sent as many as it may, by limit.", LIMITER(refused)},
    {"rate_limit_would_refuse_total", "counter", "Requests that a limit in shadow mode would have refused.", LIMITER(would_refuse)},
    {"rate_limit_clients", "gauge", "Clients that a limit counts at the moment, estimated.", TABLE(live)},
    {"rate_limit_max_clients", "gauge", "Clients that it has room for.", TABLE(places)},
    {"rate_limit_evicted_total", "counter", "Clients that it forgot to make room for others.", TABLE(evicted)},
    {"tokens_total", "counter", "Requests with a bearer token, by what was found out about it; ok = it is good.", write_tokens, 0},
    {"issuer_keys", "gauge", "Keys of the issuer that tokens are verified with.", write_issuer_keys, 0},
    {"issuer_keys_age_seconds", "gauge", "Time since these keys were last confirmed.", write_issuer_ages, 0},
    {"issuer_refresh_failures_total", "counter", "Times that the keys of the issuer could not be fetched or read.", write_issuer_failures, 0},
    {"redis_up", "gauge", "1 while every worker has a connection to the Redis of shared limits.", write_redis_up, 0},
    {"redis_decisions_total", "counter", "Requests with shared limits, by who decided: redis, or the gateway because it was away.", write_redis_decisions, 0},
    {"redis_late_total", "counter", "Answers of Redis that did not come in time.", REDIS(late)},
    {"redis_failures_total", "counter", "Connections to Redis that could not be made, broke or were given up.", REDIS(failures)},
    {"requests_total", "counter", "Requests finished, by class of the answer's status; none = no answer could be given.", write_classes, 0},
    {"failures_total", "counter", "Requests that ended badly or that the gateway answered itself, by reason.", write_failures, 0},
    {"grpc_calls_total", "counter", "gRPC calls that ended with a status, by status.", write_grpc, 0},
    {"fallbacks_total", "counter", "Requests that something else answered because the service could not, by kind.", write_fallbacks, 0},
    {"fallback_cache_bytes", "gauge", "Memory of the store for last good answers, its table included.", WORKER(stored_bytes)},
    {"fallback_cache_answers", "gauge", "Answers in that store.", WORKER(stored_answers)},
    {"fallback_cache_evicted_total", "counter", "Answers that left that store to make room.", WORKER(stored_evicted)},
    {"request_duration_seconds", "histogram", "Time from the request's head to the end of its answer.", write_durations, 0},
    {"retries_total", "counter", "Tries beyond the first.", SERVICE(retries)},
    {"hedges_total", "counter", "Second tries sent beside a slow first one.", SERVICE(hedges)},
    {"hedges_won_total", "counter", "Answers that came from the second try.", SERVICE(hedges_won)},
    {"breaker_state", "gauge", "1 for the present state of the service's circuit breaker, 0 for the others.", write_breaker_state, 0},
    {"breaker_trips_total", "counter", "Times that the breaker opened.", SERVICE(breaker.trips)},
    {"breaker_rejected_total", "counter", "Requests turned away by the breaker.", SERVICE(breaker.rejected)},
    {"breaker_would_reject_total", "counter", "Requests that the breaker would have turned away if it were not in shadow mode.", SERVICE(breaker.would_reject)},
    {"instances", "gauge", "Instances in the catalog, by health.", write_health, 0},
    {"instances_available", "gauge", "Instances that a request could go to.", SMALL(available)},
    {"ejected_instances", "gauge", "Instances taken out of rotation for failing.", SMALL(ejected)},
    {"in_flight", "gauge", "Requests under way.", SMALL(in_flight)},
    {"concurrency_limit", "gauge", "Requests that may be under way at once, fixed or adaptive; 0 = no limit.", SMALL(limit)},
    {"waiting", "gauge", "Requests that wait for the concurrency limit.", SMALL(waiting)},
    {"upstream_connects_total", "counter", "Connections opened to instances.", WORKER(upstream_connects)},
    {"upstream_reuses_total", "counter", "Requests sent over a kept connection.", WORKER(upstream_reuses)},
    {"consul_connected", "gauge", "1 while the last answer of Consul was good.", write_connected, 0},
    {"consul_last_good_age_seconds", "gauge", "Time since Consul last gave a good answer.", write_last_good, 0},
    {"consul_rights_missing", "gauge", "Rights that the token lacks in Consul.", write_access, 0},
    {"consul_token_trusted", "gauge", "1 while the token may read services and nodes, as far as was last found out.", write_access, 0},
    {"consul_agent_switches_total", "counter", "Times that another agent was asked from then on.", write_access, 0},
    {"consul_logins_total", "counter", "Tokens that were got by a login.", write_access, 0},
    {"consul_errors_total", "counter", "Queries to Consul that failed.", write_consul_errors, 0},
    {"catalog_recalled_services", "gauge", "Services whose instances are from disk and not confirmed by Consul yet.", write_recalled, 0},
    {"catalog_recalled_age_seconds", "gauge", "Age of the catalog from disk while any of it is served; else 0.", write_recalled_age, 0},
    {"catalog_keep_failing", "gauge", "1 while the catalog cannot be written to disk.", write_kept_failing, 0},
    {"webhook_deliveries_total", "counter", "What webhooks were to be told, by what became of it.", write_webhooks, 0},
    {"config_reloads_total", "counter", "Configuration reloads that took effect.", write_reloads, 0},
    {"config_reload_failures_total", "counter", "Configuration reloads that were refused.", write_reload_failures, 0},
    {"consul_config_refused", "gauge", "1 while the configuration in Consul is not in force.", write_consul_config, 0},
    {"consul_config_index", "gauge", "Consul's index of the configuration that is in force.", write_consul_config, 0},
    {"snapshot_version", "gauge", "Number of the routes and instances in force.", write_version, 0},
    {"access_log_dropped_total", "counter", "Lines of the access log lost because it could not be written fast enough.", WORKER(access_log_dropped)},
};
/* clang-format on */

void metrics_write(const struct look *l, struct evbuffer *out)
{
    struct scrape s = {.look = l, .out = out};
    struct service_row *rows = service_rows(l->snapshot, l->now_ns, &s.nrows);

    s.rows = rows;
    discovery_status(l->sources->discovery, &s.consul);
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
        const struct metric *m = &metrics[i];

        evbuffer_add_printf(out, "# HELP frontdesk_%s %s\n# TYPE frontdesk_%s %s\n", m->name,
                            m->help, m->name, m->type);
        m->write(&s, m);
    }
    places_metrics(l, rows, s.nrows, out);
    rules_metrics(l, out);
    free(rows);
    credentials_metrics(l, out);
    certificates_metrics(l, out);
    doubt_metrics(&s.consul, out);
}
