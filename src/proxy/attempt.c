/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/attempt.h"
#include "base/clock.h"
#include "proxy/h2_request.h"
#include "proxy/queue.h"
#include "route/route_split.h"
#include "snapshot/service_rules.h"

#include <arpa/inet.h>

/* Time constant of the latency average (Finagle's default). */
static const uint64_t ewma_decay_ns = 10 * NS_PER_S;
/* An instance that Consul no longer lists and that refuses connections is tried again after this.
 */
static const uint64_t refused_ns = 10 * NS_PER_S;

bool reason_blames_service(enum reason why)
{
    switch (why) {
    case REASON_CONNECT_FAILED:
    case REASON_CONNECT_TIMEOUT:
    case REASON_UPSTREAM_TLS:
    case REASON_UPSTREAM_RESET:
    case REASON_UPSTREAM_TIMEOUT:
    case REASON_UPSTREAM_INVALID:
    case REASON_UPSTREAM_STATUS:
    case REASON_UPSTREAM_CUT:
        return true;
    default:
        return false;
    }
}

uint32_t attempt_choose_target(struct exchange *x)
{
    const struct route *r = x->match.route;

    return r->slots[route_split(r, &x->req, &x->match, &x->client, &x->w->rng)];
}

static void prepare_query(struct exchange *x)
{
    const struct balance_conf *c = &x->service->conf->balance;

    x->query.now_ns = x->w->now_ns;
    x->query.rng = &x->w->rng;
    x->query.cursor = &x->service->state->cursor;
    if (x->attempts == 0)
        x->query.has_hash = route_hash(c->hash_source, c->hash_name, &x->req, &x->match, &x->client,
                                       &x->query.hash);
}

static enum reason verdict_reason(struct exchange *x, enum balance_verdict v)
{
    switch (v) {
    case BALANCE_OK:
        return REASON_NONE;
    case BALANCE_NONE:
        x->detail = x->service->n > 0 ? "every registered instance fails its health checks"
                                      : "no instance is registered";
        break;
    case BALANCE_EXHAUSTED:
        x->detail = "every healthy instance is ejected or was tried";
        break;
    case BALANCE_FULL:
        x->detail = "every instance is at its concurrency limit";
        return x->attempts > 0 ? x->attempt_fail : REASON_OVERLOADED;
    }
    return x->attempts > 0 ? x->attempt_fail : REASON_NO_HEALTHY_INSTANCE;
}

static void begin(struct exchange *x, struct attempt *a)
{
    atomic_fetch_add_explicit(&a->instance->load.in_flight, 1, memory_order_relaxed);
    a->begin_ns = x->w->now_ns;
    a->sent_ns = a->first_byte_ns = 0;
}

enum reason attempt_begin(struct exchange *x)
{
    struct attempt *a = x->attempt;
    bool lost = false;

    prepare_query(x);
    /* Another worker may take a probation slot between the look and the grip; three more looks
     * always find something when there is something. */
    for (int look = 0; look < 4; look++) {
        enum balance_verdict v = balancer_pick(x->service->balancer, &x->query, &a->index);

        if (v != BALANCE_OK)
            return verdict_reason(x, v);
        a->instance = x->service->states[a->index];
        a->probation = outlier_begin(&a->instance->outlier, x->w->now_ns, &lost);
        if (!lost)
            break;
        a->instance = NULL;
    }
    if (!a->instance)
        return verdict_reason(x, BALANCE_EXHAUSTED);
    a->is_hedge = false;
    begin(x, a);
    x->attempts++;
    return REASON_NONE;
}

/* A balancer in panic goes back to what was tried. */
static bool is_tried(const struct balance_query *q, const struct instance_load *l)
{
    for (unsigned i = 0; i < q->ntried; i++)
        if (q->tried[i] == l)
            return true;
    return false;
}

/* An instance that the present try is not at, and that is not on probation: the one request that it
 * gets then must not be one that is cancelled when it takes a moment longer. */
static struct instance_state *pick_second(struct exchange *x, unsigned *ret_index)
{
    struct balance_query q = x->query;
    struct instance_state *i = x->attempt->instance;

    q.now_ns = x->w->now_ns;
    for (int look = 0; look < 4 && q.ntried < BALANCE_MAX_TRIED; look++) {
        q.tried[q.ntried++] = &i->load;
        if (balancer_pick(x->service->balancer, &q, ret_index) != BALANCE_OK)
            return NULL;
        i = x->service->states[*ret_index];
        if (is_tried(&q, &i->load))
            return NULL;
        if (!atomic_load_explicit(&i->load.on_probation, memory_order_relaxed))
            return i;
    }
    return NULL;
}

bool attempt_begin_hedge(struct exchange *x, struct attempt *a)
{
    struct breaker_info breaker;
    bool lost = false;

    a->instance = pick_second(x, &a->index);
    if (!a->instance)
        return false;
    breaker_info(x->service->state->breaker, x->w->now_ns, &breaker);
    if (breaker.machine != BREAKER_CLOSED && breaker.machine != BREAKER_FORCED_CLOSED &&
        breaker.machine != BREAKER_DISABLED)
        return false;
    if (!retry_budget_take(&x->service->state->budget, x->w->now_ns))
        return false;
    if (outlier_begin(&a->instance->outlier, x->w->now_ns, &lost)) {
        outlier_cancel(&a->instance->outlier, true);
        return false;
    }
    if (lost)
        return false;
    a->is_hedge = true;
    begin(x, a);
    return true;
}

static void count_outcome(struct exchange *x, enum reason why)
{
    struct instance_state *i = x->attempt->instance;

    atomic_fetch_add_explicit(&i->requests, 1, memory_order_relaxed);
    if (why == REASON_NONE)
        return;
    atomic_fetch_add_explicit(&i->failures, 1, memory_order_relaxed);
    atomic_store_explicit(&i->last_failure_ms, (uint64_t)clock_wall_ms(), memory_order_relaxed);
    atomic_store_explicit(&i->last_reason, (int)why, memory_order_relaxed);
}

static void sample_latency(struct exchange *x, enum reason why)
{
    const struct attempt *a = x->attempt;
    uint64_t from = a->sent_ns ? a->sent_ns : a->begin_ns;
    uint64_t to = a->first_byte_ns ? a->first_byte_ns : x->w->now_ns;

    /* A refused connection is quick, but no sign of a fast instance. */
    if (why == REASON_CONNECT_FAILED || why == REASON_UPSTREAM_RESET)
        return;
    instance_load_sample(&a->instance->load, x->w->now_ns, to > from ? to - from : 1,
                         ewma_decay_ns);
}

/* What the adaptive concurrency limit goes by. Quick failures are no sign of a quick service. */
static void sample_for_limit(struct exchange *x, enum reason why)
{
    const struct attempt *a = x->attempt;
    struct adaptive *limit = &a->instance->service->adaptive;
    unsigned status = a->first_byte_ns ? a->resp.status : 0;
    uint64_t from = a->sent_ns ? a->sent_ns : a->begin_ns;

    if (why == REASON_UPSTREAM_TIMEOUT || why == REASON_CONNECT_TIMEOUT || status == 503)
        adaptive_sample(limit, x->w->now_ns, 0, true);
    else if (status > 0 && status < 500)
        adaptive_sample(limit, x->w->now_ns, a->first_byte_ns > from ? a->first_byte_ns - from : 1,
                        false);
}

/* Gives back what the try holds. Its instance, when it had one. */
static struct instance_state *let_go(struct exchange *x)
{
    struct attempt *a = x->attempt;
    struct instance_state *i = a->instance;

    upstream_close(&a->up);
    bufpool_put(&x->w->bufs, &a->up_head);
    if (i)
        atomic_fetch_sub_explicit(&i->load.in_flight, 1, memory_order_relaxed);
    return i;
}

/* Consul does not list the instance any more, and nothing listens there: both together are enough
 * to leave it alone, and its like in this request. */
static void note_refused(struct exchange *x, struct instance_load *l, enum reason why)
{
    if ((why != REASON_CONNECT_FAILED && why != REASON_CONNECT_TIMEOUT) ||
        !atomic_load_explicit(&l->doubted, memory_order_relaxed))
        return;
    atomic_store_explicit(&l->refused_until_ns, x->w->now_ns + refused_ns, memory_order_relaxed);
    x->query.avoid_doubted = true;
}

void attempt_end(struct exchange *x, enum reason why)
{
    struct attempt *a = x->attempt;
    struct instance_state *i = let_go(x);

    if (!i)
        return;
    if (why == REASON_NONE || reason_blames_service(why)) {
        bool failed = why != REASON_NONE;
        enum outlier_event event;

        count_outcome(x, why);
        note_refused(x, &i->load, why);
        sample_latency(x, why);
        if (adaptive_enabled(&i->service->adaptive))
            sample_for_limit(x, why);
        event = outlier_report(&i->outlier, x->w->now_ns, &x->w->rng, a->probation, failed);
        if (event != OUTLIER_NOTHING)
            registry_tell_instance(i, event, why, x->w->now_ns);
        if (failed && x->query.ntried < BALANCE_MAX_TRIED)
            x->query.tried[x->query.ntried++] = &i->load;
    } else {
        outlier_cancel(&i->outlier, a->probation);
    }
    a->probation = false;
    x->attempt_fail = why;
    a->instance = NULL;
}

void attempt_cancel(struct exchange *x)
{
    struct attempt *a = x->attempt;
    struct instance_state *i = let_go(x);
    uint64_t from = a->sent_ns ? a->sent_ns : a->begin_ns;

    if (!i)
        return;
    /* It would have taken at least so long. Who balances by latency must not take an instance for
     * quick because its slow answers were given up. */
    if (x->w->now_ns - from > atomic_load_explicit(&i->load.ewma_ns, memory_order_relaxed))
        sample_latency(x, REASON_NONE);
    outlier_cancel(&i->outlier, a->probation);
    a->probation = false;
    a->instance = NULL;
}

static bool listed(const struct exchange *x, enum reason why, unsigned status)
{
    const struct chain_destination *rule = service_rules_retries(x->service->conf, x->rule);
    const struct retries_conf *c = &x->service->conf->retries;

    if (rule && rule->says_retry_on)
        return service_rules_retry_on(rule, why, status);
    if (why != REASON_UPSTREAM_STATUS)
        return c->reasons >> why & 1;
    for (size_t i = 0; i < ARRAY_LEN(c->statuses) && c->statuses[i]; i++)
        if (c->statuses[i] == status)
            return true;
    return false;
}

bool attempt_unprocessed(const struct attempt *a)
{
    return a->up && a->up->is_stream && h2_request_is_unprocessed(&a->up->sock);
}

/* Nothing that the instance could have acted on was sent. */
static bool nothing_sent(const struct exchange *x)
{
    return attempt_unprocessed(x->attempt) || !x->attempt->upload_started ||
           x->attempt->upload.wire_bytes == 0;
}

static bool elsewhere_possible(struct exchange *x)
{
    struct balance_query q = x->query;
    unsigned ignored;

    q.now_ns = x->w->now_ns;
    if (x->attempt->instance && q.ntried < BALANCE_MAX_TRIED)
        q.tried[q.ntried++] = &x->attempt->instance->load;
    return balancer_pick(x->service->balancer, &q, &ignored) == BALANCE_OK;
}

/* What was read of the body and is not in memory cannot be sent again. */
bool attempt_repeatable(const struct exchange *x)
{
    const struct attempt *a = x->attempt;

    return x->body_buffered || !a->upload_started || a->upload.payload_bytes == 0;
}

static bool safe_to_repeat(const struct exchange *x)
{
    return nothing_sent(x) || x->service->conf->retries.non_idempotent ||
           method_idempotent(x->req.method);
}

bool attempt_sendable(const struct exchange *x)
{
    return attempt_repeatable(x) && safe_to_repeat(x);
}

bool attempt_retryable(const struct exchange *x, enum reason why)
{
    bool safe = safe_to_repeat(x);

    if (reason_info(why)->retry == RETRY_NEVER)
        return false;
    if (why == REASON_UPSTREAM_STATUS && grpc_may_retry(x))
        return attempt_repeatable(x) && !x->resp_started;
    if (reason_info(why)->retry == RETRY_UNSENT)
        safe = true;
    return listed(x, why, x->attempt->resp.status) && safe && attempt_repeatable(x) &&
           !x->resp_started;
}

bool attempt_may_retry(struct exchange *x, enum reason why)
{
    return x->attempts < service_rules_tries(x->service->conf, x->rule) &&
           attempt_retryable(x, why) && !(x->deadline_ns && x->w->now_ns >= x->deadline_ns) &&
           elsewhere_possible(x) && retry_budget_take(&x->service->state->budget, x->w->now_ns);
}

void request_settle(struct exchange *x)
{
    struct service_state *s;
    bool failed;

    if (!x->service)
        return;
    s = x->service->state;
    if (x->has_limit) {
        limit_release(&s->limit);
        x->has_limit = false;
        queue_wake(x->w, s);
    }
    if (!x->has_ticket)
        return;
    x->has_ticket = false;
    failed = reason_blames_service(x->fail) || service_view_is_failure(x->service, x->status) ||
             (x->fail == REASON_NONE && grpc_is_failure(x));
    if (x->attempts > 0 && (x->fail == REASON_NONE || failed))
        breaker_report(s->breaker, x->ticket, x->w->now_ns, &x->w->rng, failed,
                       x->w->now_ns - x->admit_ns);
    else
        breaker_cancel(s->breaker, x->ticket, x->w->now_ns);
}
