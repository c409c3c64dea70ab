/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/finish.h"
#include "base/clock.h"
#include "proxy/access.h"
#include "proxy/cached.h"
#include "proxy/composed.h"
#include "proxy/fallback.h"
#include "proxy/forwarded.h"
#include "proxy/subrequest.h"

static unsigned latency_bucket(uint64_t ns)
{
    double s = (double)ns / (double)NS_PER_S;
    unsigned i = 0;

    while (i < LATENCY_BUCKETS - 1 && s > latency_bounds[i])
        i++;
    return i;
}

static struct service_stats *stats_of(const struct exchange *x, const struct service_view *v)
{
    return &v->state->stats[x->w->id];
}

static void count_outcome(struct service_stats *s, unsigned status, enum reason why,
                          unsigned attempts, uint64_t took_ns)
{
    stat_add(&s->requests, 1);
    stat_add(&s->by_class[status < 600 ? status / 100 : 0], 1);
    if (why != REASON_NONE)
        stat_add(&s->reasons[why], 1);
    if (attempts > 1)
        stat_add(&s->retries, attempts - 1);
    /* Refusals are quick and would make a failing service look fast. */
    if (attempts > 0) {
        stat_add(&s->latency_ns_sum, took_ns);
        stat_add(&s->latency[latency_bucket(took_ns)], 1);
    }
}

void finish_count_hedge(struct exchange *x)
{
    stat_add(&stats_of(x, x->service)->hedges, 1);
    stat_add(&stats_of(x, x->service)->hedges_won, x->hedge_won);
}

void finish_count_stand_in(struct exchange *x)
{
    unsigned status = x->status ? x->status : (unsigned)reason_info(x->fail)->status;

    count_outcome(stats_of(x, x->service), status, x->fail, x->attempts,
                  x->w->now_ns - x->fallback->since_ns);
}

/* The service that failed has the request too, with what its client got in the end. */
static void count_fallback(struct exchange *x, uint64_t took_ns)
{
    const struct fallback *f = x->fallback;
    struct service_stats *s = stats_of(x, f->failed ? f->failed : x->service);

    if (f->failed)
        count_outcome(s, x->status, f->reason, f->attempts, took_ns);
    if (f->item && x->status)
        stat_add(&s->fallbacks[f->item->kind], 1);
}

static void count(struct exchange *x, uint64_t took_ns)
{
    struct service_stats *s;

    if (!x->conn->inner)
        stat_add(&x->w->counters.requests, 1);
    if (x->cached && !x->conn->inner)
        stat_add(&x->w->counters.cached[x->cached->state], 1);
    if (!x->service) {
        stat_add(x->fail == REASON_NO_ROUTE || x->fail == REASON_METHOD_NOT_ALLOWED
                     ? &x->w->counters.unrouted
                     : &x->w->counters.bad_requests,
                 x->fail != REASON_NONE);
        return;
    }
    s = stats_of(x, x->service);
    count_outcome(s, x->status, x->fail, x->attempts,
                  x->fallback && x->fallback->failed ? x->w->now_ns - x->fallback->since_ns
                                                     : took_ns);
    if (x->hedge)
        finish_count_hedge(x);
    if (x->fallback)
        count_fallback(x, took_ns);
    if (x->grpc.ended)
        stat_add(&s->grpc[x->grpc.status], 1);
    stat_add(&s->bytes_in, x->attempt->upload.payload_bytes + x->body.n);
    stat_add(&s->bytes_out, x->download.wire_bytes);
}

static void log_upstream(struct exchange *x, struct access_log_buffer *b)
{
    struct attempt *a = x->attempt;
    const struct fallback *f = x->fallback;
    const struct service_view *failed = f ? f->failed : NULL;

    if (!x->service)
        return;
    log_line_str(b, "service", str_of((failed ? failed : x->service)->state->name));
    if (f && f->item)
        log_line_str(b, "fallback", str_of(fallback_name(f->item->kind)));
    if (failed)
        log_line_str(b, "fallback_service", str_of(x->service->state->name));
    if (x->attempts > 0)
        log_line_str(b, "instance", str_of(x->service->set->items[a->index].id));
    log_line_num(b, "attempts", x->attempts + (failed ? f->attempts : 0));
    if (x->hedge) {
        log_line_bool(b, "hedged", true);
        log_line_bool(b, "hedge_won", x->hedge_won);
    }
    if (a->first_byte_ns > a->sent_ns && a->sent_ns)
        log_line_ms(b, "upstream_ms", a->first_byte_ns - a->sent_ns);
}

/* Why the client did not get what it asked for, or not from whom it should have. */
static enum reason reason_of(const struct exchange *x)
{
    return x->fail == REASON_NONE && x->fallback ? x->fallback->reason : x->fail;
}

/* Who asked, refused or not: subject, and kind and source of the credential. */
static void log_identity(const struct exchange *x, struct access_log_buffer *b)
{
    const struct identity *who = x->access ? x->access->identity : NULL;
    char auth[160];

    if (!who)
        return;
    snprintf(auth, sizeof auth, "%s:%s", identity_kind_name(who->kind), who->source);
    log_line_str(b, "subject", str_of(who->subject));
    log_line_str(b, "auth", str_of(auth));
}

static void log_request(struct exchange *x, uint64_t took_ns)
{
    struct access_log_buffer *b = x->w->log;
    char when[32], client[INET6_ADDRSTRLEN];

    forwarded_format(&x->client, client);
    log_line_begin(b);
    log_line_str(b, "time", str_of(clock_format(clock_wall_ms(), when)));
    log_line_str(b, "id", str_of(x->request_id));
    log_line_str(b, "client", str_of(client));
    if (!IN6_ARE_ADDR_EQUAL(&x->client, &x->conn->peer))
        log_line_str(b, "peer", str_of(x->peer));
    log_line_str(b, "protocol",
                 x->conn->is_stream && !x->conn->inner ? STR("HTTP/2")
                 : x->req.minor == 0                   ? STR("HTTP/1.0")
                                                       : STR("HTTP/1.1"));
    log_line_str(b, "method", x->head_bytes ? x->req.method_name : STR(""));
    log_line_str(b, "host", x->head_bytes ? x->req.host : STR(""));
    log_line_str(b, "path", x->head_bytes ? x->req.path : STR(""));
    log_line_num(b, "status", x->status);
    log_line_str(b, "reason", str_of(reason_info(reason_of(x))->word));
    if (x->grpc.ended)
        log_line_num(b, "grpc_status", x->grpc.status);
    if (x->match.route)
        log_line_str(b, "route", str_of(x->match.route->conf->name));
    log_identity(x, b);
    if (x->cached)
        log_line_str(b, "cache", str_of(cached_word(x)));
    if (x->conn->inner)
        log_line_bool(b, "batch", true);
    if (x->composed && x->composed->log)
        log_line_str(b, "parts", str_of(x->composed->log));
    log_upstream(x, b);
    log_line_ms(b, "duration_ms", took_ns);
    log_line_num(b, "bytes_in", (int64_t)(x->attempt->upload.payload_bytes + x->body.n));
    log_line_num(b, "bytes_out", (int64_t)x->download.wire_bytes);
    log_line_end(b);
}

void finish_report(struct exchange *x)
{
    uint64_t took_ns = x->w->now_ns - x->begin_ns;

    count(x, took_ns);
    if (x->conn->inner)
        subrequest_report(x);
    if (x->w->log && (!x->conn->inner || subrequest_as_client(x->conn->inner)))
        log_request(x, took_ns);
}
