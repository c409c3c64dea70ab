/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/exchange.h"
#include "http/h1_parse.h"
#include "proxy/access.h"
#include "proxy/access_rules.h"
#include "proxy/answer.h"
#include "proxy/attempt.h"
#include "proxy/cached.h"
#include "proxy/capture.h"
#include "proxy/composed.h"
#include "proxy/cors.h"
#include "proxy/exchange_step.h"
#include "proxy/fallback.h"
#include "proxy/finish.h"
#include "proxy/forwarded.h"
#include "proxy/head.h"
#include "proxy/hedge.h"
#include "proxy/interim.h"
#include "proxy/queue.h"
#include "proxy/reply.h"
#include "proxy/request_body.h"
#include "proxy/request_id.h"
#include "proxy/response_body.h"
#include "proxy/secure.h"
#include "proxy/subrequest.h"
#include "proxy/traffic.h"
#include "proxy/upstream_open.h"

typedef enum verdict step_fn(struct exchange *x);
#define X(name) static step_fn step_##name;
EXCHANGE_STEPS(X)
#undef X

static step_fn *const steps[STEP_COUNT] = {
#define X(name) [STEP_##name] = step_##name,
    EXCHANGE_STEPS(X)
#undef X
};

void exchange_wait(struct exchange *x, uint64_t ms, enum reason timeout)
{
    x->step_deadline_ns = ms ? x->w->now_ns + ms * NS_PER_MS : 0;
    x->step_timeout = timeout;
}

enum verdict exchange_refuse(struct exchange *x, enum reason why)
{
    x->fail = why;
    return V_FINISH;
}

enum verdict exchange_attempt_failed(struct exchange *x, enum reason why)
{
    bool again;

    if (hedge_goes_on(x, why))
        return V_WAIT;
    again = attempt_may_retry(x, why);
    attempt_end(x, why);
    x->step_deadline_ns = 0;
    if (again)
        return V_RETRY;
    return exchange_refuse(x, why);
}

/* The kernel closed a kept connection under our hands, or the instance did, before it saw the
 * request: nobody's fault. Once more to the same instance, over a new connection. */
static bool is_stale_connection(const struct exchange *x)
{
    const struct attempt *a = x->attempt;
    bool safe = method_idempotent(x->req.method) || a->upload.wire_bytes == 0;

    /* The instance says that it has not looked at it, or nobody has ever sent it. */
    if (attempt_unprocessed(a))
        return !a->fresh_only && attempt_repeatable(x);
    return a->up->reused && !a->fresh_only && a->interim == 0 &&
           (!a->up->in || buf_len(a->up->in) == 0) && safe &&
           (x->body_buffered || a->upload.payload_bytes == 0);
}

static enum verdict reconnect(struct exchange *x)
{
    struct attempt *a = x->attempt;

    upstream_close(&a->up);
    a->fresh_only = true;
    a->upload_started = false;
    x->step = STEP_connect;
    x->woken = true;
    return V_WAIT;
}

/* Where the gateway asks on behalf of a request, that has kept to them. */
static struct h1_limits head_limits(const struct exchange *x)
{
    const struct config *c = exchange_config(x);

    if (x->conn->inner)
        return (struct h1_limits){BUF_BYTES, BUF_BYTES, HTTP_MAX_HEADERS};
    return (struct h1_limits){c->limits.max_request_line, c->limits.max_header_bytes,
                              c->limits.max_headers};
}

/* Takes what the socket has into the buffer of the coming head. */
static enum verdict read_more_head(struct exchange *x)
{
    struct buf *b = x->conn->in;
    size_t n;

    if (buf_space(b) == 0)
        buf_compact(b);
    if (buf_space(b) == 0)
        return exchange_refuse(x, REASON_HEADERS_TOO_LARGE);
    switch (sock_read_on(&x->conn->sock, b->data + b->end, buf_space(b), &n)) {
    case IO_OK:
        b->end += n;
        return V_NEXT;
    case IO_AGAIN:
        x->step_deadline_ns =
            x->begin_ns + exchange_config(x)->limits.header_timeout_ms * NS_PER_MS;
        x->step_timeout = REASON_REQUEST_TIMEOUT;
        return V_WAIT;
    case IO_EOF:
    case IO_ERROR:
        break;
    }
    return exchange_refuse(x, REASON_CLIENT_GONE);
}

static enum verdict step_read_head(struct exchange *x)
{
    struct h1_limits limits = head_limits(x);
    struct buf **in = &x->conn->in;
    enum verdict v;

    for (;;) {
        switch (h1_parse_request((*in)->data + (*in)->start, buf_len(*in), &limits, &x->scanned,
                                 &x->req, &x->head_bytes, &x->fail)) {
        case H1_DONE:
            x->fail = REASON_NONE;
            x->head = *in;
            *in = NULL;
            x->step_deadline_ns = 0;
            if (x->conn->inner) {
                subrequest_adopt(x);
                return V_NEXT;
            }
            request_id_choose(x);
            forwarded_find(x);
            return V_NEXT;
        case H1_BAD:
            x->head_bytes = 0;
            return V_FINISH;
        case H1_MORE:
            break;
        }
        v = read_more_head(x);
        if (v != V_NEXT)
            return v;
    }
}

static void set_body_limit(struct exchange *x)
{
    int64_t max = exchange_config(x)->limits.max_body;

    if (x->match.route->conf->max_body >= 0)
        max = x->match.route->conf->max_body;
    x->max_body = max < 0 ? UINT64_MAX : (uint64_t)max;
}

static enum verdict step_route(struct exchange *x)
{
    const struct config *c = exchange_config(x);
    const struct snapshot *s = x->held->snapshot;
    const struct route_conf *route;

    if (x->conn->inner && !subrequest_as_client(x->conn->inner))
        return subrequest_route(x);
    x->close_client =
        !x->req.keep_alive || x->w->draining || x->conn->half_closed ||
        (c->limits.keepalive_requests > 0 && x->conn->requests >= c->limits.keepalive_requests);
    grpc_look_at_request(x);
    cors_find_route(x);
    /* Even a request that goes nowhere has a body, which must be out of the way of the next one. */
    x->max_body = UINT64_MAX;
    if (x->match.route)
        set_body_limit(x);
    x->fail = request_body_prepare(x);
    if (access_rules_keep_out(x))
        return exchange_refuse(x, REASON_ADDRESS_DENIED);
    if (x->fail != REASON_NONE || secure_redirects(x))
        return V_FINISH;
    if (!x->match.route)
        return exchange_refuse(x, x->match.allow ? REASON_METHOD_NOT_ALLOWED
                                  : s->complete  ? REASON_NO_ROUTE
                                                 : REASON_CATALOG_UNKNOWN);
    route = x->match.route->conf;
    if (route->ntargets > 0 && !x->preflight)
        x->service = s->services[attempt_choose_target(x)];
    x->fail = traffic_lead(x);
    if (x->fail != REASON_NONE)
        return V_FINISH;
    if (x->service)
        x->fallbacks = route->fallback ? route->fallback : x->service->conf->fallback;
    return overload_refuses(&x->w->overload, &x->w->rng, route->importance)
               ? exchange_refuse(x, REASON_SHED)
               : V_NEXT;
}

static enum verdict step_access(struct exchange *x)
{
    enum verdict v = x->conn->inner ? subrequest_access(x) : access_run(x);

    if (v != V_NEXT)
        return v;
    x->step_deadline_ns = 0;
    x->admit_ns = x->w->now_ns;
    return x->match.route->conf->redirect_status ? V_FINISH : V_NEXT;
}

static enum verdict step_cached(struct exchange *x)
{
    enum verdict v = cached_look_up(x);

    if (v == V_NEXT)
        x->admit_ns = x->w->now_ns;
    return v;
}

static enum verdict step_compose(struct exchange *x)
{
    return composed_run(x);
}

/* The breaker first: while it is open a request must cost nothing, not even a place in the queue.
 */
static enum verdict take_ticket(struct exchange *x)
{
    x->ticket = breaker_admit(x->service->state->breaker, x->w->now_ns);
    x->has_ticket = x->ticket.admitted;
    return x->has_ticket ? V_NEXT : exchange_refuse(x, REASON_BREAKER_OPEN);
}

static enum verdict step_admit(struct exchange *x)
{
    if (take_ticket(x) != V_NEXT) {
        queue_leave(x);
        return V_FINISH;
    }
    if ((!x->queued && limit_has_waiters(&x->service->state->limit)) ||
        !limit_acquire(&x->service->state->limit))
        return queue_enter(x);
    x->has_limit = true;
    queue_leave(x);
    x->step_deadline_ns = 0;
    x->deadline_ns = exchange_time_limit(x);
    if (x->fallback)
        x->deadline_ns = fallback_deadline(x, x->deadline_ns);
    retry_budget_request(&x->service->state->budget, x->w->now_ns);
    return V_NEXT;
}

static enum verdict step_pick(struct exchange *x)
{
    enum reason why = attempt_begin(x);

    x->attempt->fresh_only = false;
    x->grpc.ended = false;
    x->attempt->upload_started = false;
    interim_drop(x);
    if (why != REASON_NONE)
        return exchange_refuse(x, why);
    hedge_plan(x);
    return V_NEXT;
}

static enum verdict step_connect(struct exchange *x)
{
    struct attempt *a = x->attempt;
    enum reason why;

    if (!a->up) {
        struct proxy_addresses on_behalf;
        struct upstream_target to = upstream_target_of(x, &on_behalf);

        a->up = upstream_get(x->w, &to, a->fresh_only, x, &why);
        if (!a->up)
            return exchange_attempt_failed(x, why);
        /* A request that cannot be repeated does not go out on a connection that may be gone. */
        if (a->up->reused && !method_idempotent(x->req.method) &&
            sock_peek(&a->up->sock) != IO_AGAIN)
            return reconnect(x);
        if (a->up->stage != UPSTREAM_READY)
            exchange_wait(x, x->service->conf->connect_timeout_ms, REASON_CONNECT_TIMEOUT);
    }
    switch (upstream_open(&a->up, &why)) {
    case IO_AGAIN:
        return V_WAIT;
    case IO_OK:
        break;
    default:
        return exchange_attempt_failed(x, why);
    }
    x->step_deadline_ns = 0;
    return V_NEXT;
}

static enum verdict step_send(struct exchange *x)
{
    struct attempt *a = x->attempt;

    if (!a->up_head)
        a->up_head = bufpool_get(&x->w->bufs);
    if (!a->up->in)
        a->up->in = bufpool_get(&x->w->bufs);
    if (!a->up_head || !a->up->in)
        return exchange_attempt_failed(x, REASON_INTERNAL);
    if (head_write_request(x) < 0)
        return exchange_attempt_failed(x, REASON_HEADERS_TOO_LARGE);
    request_body_start(x);
    a->resp_scanned = 0;
    a->interim = 0;
    return V_NEXT;
}

static enum verdict step_await_head(struct exchange *x)
{
    struct attempt *a = x->attempt;
    enum reason why = request_body_run(x);

    if (why != REASON_NONE)
        return exchange_refuse(x, why);
    for (;;) {
        struct buf *b = a->up->in;
        enum verdict v = answer_read(x);
        size_t n;

        if (v != V_NEXT)
            return v == V_DONE ? V_NEXT : v;
        switch ((buf_len(b) > 0 ? sock_read_on : sock_read)(&a->up->sock, b->data + b->end,
                                                            buf_space(b), &n)) {
        case IO_OK:
            b->end += n;
            continue;
        case IO_AGAIN:
            if (a->upload_done && x->step_deadline_ns == 0)
                exchange_wait(x, x->service->conf->first_byte_timeout_ms, REASON_UPSTREAM_TIMEOUT);
            if (a->upload_broken)
                break;
            return V_WAIT;
        case IO_EOF:
        case IO_ERROR:
            break;
        }
        return is_stale_connection(x) ? reconnect(x)
                                      : exchange_attempt_failed(x, REASON_UPSTREAM_RESET);
    }
}

static enum verdict step_relay(struct exchange *x)
{
    enum verdict v;

    if (!x->resp_started) {
        v = response_body_start(x);
        if (v != V_NEXT)
            return v;
    }
    /* An early answer: the rest of the request may still be wanted. When it fails, only it ends,
     * unless the client has taken the whole back: a stream has no half that could go on. */
    if (!x->tunnel && !x->attempt->upload_done) {
        enum reason why = request_body_run(x);

        if (why == REASON_CLIENT_GONE && x->conn->is_stream)
            return exchange_refuse(x, why);
        x->attempt->upload_broken |= why != REASON_NONE;
    }
    return response_body_run(x);
}

/* The connection goes back to its pool when both messages are complete and nothing else is in it.
 */
static void give_back_upstream(struct exchange *x)
{
    struct attempt *a = x->attempt;
    bool taken = (x->resp_started && x->download.taken) ||
                 (x->cached && x->cached->state == CACHED_VALIDATED);
    bool reusable = a->up && !a->up->is_stream && x->fail == REASON_NONE && taken &&
                    a->upload_done && a->resp.keep_alive && a->resp.framing != FRAMING_CLOSE &&
                    !x->tunnel && buf_len(a->up->in) == 0;

    if (reusable)
        upstream_keep(&a->up, x->service->conf->keepalive,
                      x->service->conf->keepalive_timeout_ms * NS_PER_MS);
}

static void settle(struct exchange *x)
{
    enum reason attempt = x->fail;

    x->settled = true;
    x->deadline_ns = x->step_deadline_ns = 0;
    if (x->service && x->queued)
        queue_leave(x);
    if (x->fail == REASON_NONE && x->service &&
        (service_view_is_failure(x->service, x->status) || grpc_is_failure(x)))
        attempt = REASON_UPSTREAM_STATUS;
    if (x->capture)
        capture_end(x);
    if (x->cached)
        cached_release(x);
    hedge_cancel(x);
    give_back_upstream(x);
    if (x->service)
        attempt_end(x, attempt);
    request_settle(x);
    if (x->access)
        access_end(x);
}

static enum verdict step_finish(struct exchange *x)
{
    if (!x->settled) {
        bool mute =
            x->resp_started || (x->fail != REASON_NONE && reason_info(x->fail)->status == 0 &&
                                !(x->composed && x->fail == REASON_UPSTREAM_STATUS));

        settle(x);
        if (x->fallbacks && !mute && fallback_begin(x) == V_ADMIT)
            return V_ADMIT;
        if (!mute)
            reply_prepare(x);
    }
    if (x->download.nout > 0 && x->fail != REASON_UPSTREAM_CUT && x->fail != REASON_CLIENT_GONE &&
        x->fail != REASON_CLIENT_STALLED) {
        switch (pump_run(&x->download, NULL, &x->conn->sock)) {
        case PUMP_WAIT_SINK:
            exchange_wait(x, exchange_config(x)->limits.write_timeout_ms, REASON_CLIENT_STALLED);
            return V_WAIT;
        case PUMP_DONE:
            if (x->conn->is_stream)
                sock_finish(&x->conn->sock);
            break;
        default:
            x->close_client = true;
            x->fail = x->fail == REASON_NONE ? REASON_CLIENT_GONE : x->fail;
        }
    }
    finish_report(x);
    request_body_leftover(x);
    return V_DONE;
}

enum verdict exchange_step(struct exchange *x)
{
    return steps[x->step](x);
}

void exchange_abandon(struct exchange *x, enum reason why)
{
    if (x->settled)
        return;
    x->fail = why;
    settle(x);
    finish_report(x);
}

bool exchange_keeps_client(const struct exchange *x, bool *ret_linger)
{
    bool broken = x->status == 0 || (x->fail != REASON_NONE && !x->replied);

    *ret_linger = !broken && !x->conn->is_stream && !request_body_consumed(x);
    return !broken && !x->conn->is_stream && !x->close_client && !x->tunnel;
}
