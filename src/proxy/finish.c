/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/finish.h"
#include "base/clock.h"

static unsigned latency_bucket(uint64_t ns)
{
    double s = (double)ns / (double)NS_PER_S;
    unsigned i = 0;

    while (i < LATENCY_BUCKETS - 1 && s > latency_bounds[i])
        i++;
    return i;
}

static void count(struct exchange *x, uint64_t took_ns)
{
    struct service_stats *s;
    unsigned class = x->status / 100;

    stat_add(&x->w->counters.requests, 1);
    if (!x->service) {
        stat_add(x->fail == REASON_NO_ROUTE || x->fail == REASON_METHOD_NOT_ALLOWED
                     ? &x->w->counters.unrouted
                     : &x->w->counters.bad_requests,
                 x->fail != REASON_NONE);
        return;
    }
    s = &x->service->state->stats[x->w->id];
    stat_add(&s->requests, 1);
    stat_add(&s->by_class[class < 6 ? class : 0], 1);
    if (x->fail != REASON_NONE)
        stat_add(&s->reasons[x->fail], 1);
    if (x->attempts > 1)
        stat_add(&s->retries, x->attempts - 1);
    if (x->hedge) {
        stat_add(&s->hedges, 1);
        stat_add(&s->hedges_won, x->hedge_won);
    }
    /* Refusals are quick and would make a failing service look fast. */
    if (x->attempts > 0) {
        stat_add(&s->latency_ns_sum, took_ns);
        stat_add(&s->latency[latency_bucket(took_ns)], 1);
    }
    stat_add(&s->bytes_in, x->attempt->upload.payload_bytes + x->body.n);
    stat_add(&s->bytes_out, x->download.wire_bytes);
}

static void log_upstream(struct exchange *x, struct access_log_buffer *b)
{
    struct attempt *a = x->attempt;

    if (!x->service)
        return;
    log_line_str(b, "service", str_of(x->service->state->name));
    if (x->attempts > 0)
        log_line_str(b, "instance", str_of(x->service->set->items[a->index].id));
    log_line_num(b, "attempts", x->attempts);
    if (x->hedge) {
        log_line_bool(b, "hedged", true);
        log_line_bool(b, "hedge_won", x->hedge_won);
    }
    if (a->first_byte_ns > a->sent_ns && a->sent_ns)
        log_line_ms(b, "upstream_ms", a->first_byte_ns - a->sent_ns);
}

static void log_request(struct exchange *x, uint64_t took_ns)
{
    struct access_log_buffer *b = x->w->log;
    char when[32];

    log_line_begin(b);
    log_line_str(b, "time", str_of(clock_format(clock_wall_ms(), when)));
    log_line_str(b, "id", str_of(x->request_id));
    log_line_str(b, "client", str_of(x->peer));
    log_line_str(b, "method", x->head_bytes ? x->req.method_name : STR(""));
    log_line_str(b, "host", x->head_bytes ? x->req.host : STR(""));
    log_line_str(b, "path", x->head_bytes ? x->req.path : STR(""));
    log_line_num(b, "status", x->status);
    log_line_str(b, "reason", str_of(reason_info(x->fail)->word));
    if (x->match.route)
        log_line_str(b, "route", str_of(x->match.route->conf->name));
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
    if (x->w->log)
        log_request(x, took_ns);
}
