/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/hedge.h"
#include "proxy/attempt.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void change_places(struct exchange *x)
{
    struct hedge *h = x->hedge;
    struct attempt *attempt = x->attempt;
    enum exchange_step step = x->step;
    uint64_t step_deadline_ns = x->step_deadline_ns;
    enum reason step_timeout = x->step_timeout;

    x->attempt = h->parked;
    x->step = h->step;
    x->step_deadline_ns = h->step_deadline_ns;
    x->step_timeout = h->step_timeout;
    h->parked = attempt;
    h->step = step;
    h->step_deadline_ns = step_deadline_ns;
    h->step_timeout = step_timeout;
}

/* How this request is hedged; NULL = not at all: it must be possible to send it twice, and
 * harmless. */
static const struct hedge_conf *conf_of(const struct exchange *x)
{
    const struct hedge_conf *c = hedge_conf_of(x->match.route->conf, x->service->conf);

    return c && x->body_buffered && !x->req.upgrade_websocket && method_idempotent(x->req.method)
               ? c
               : NULL;
}

static void disarm(struct exchange *x)
{
    if (x->hedge_armed)
        event_del(&x->hedge_timer);
    x->hedge_armed = x->hedge_due = false;
}

static void arm(struct exchange *x)
{
    uint64_t ns = x->hedge_at_ns - x->w->now_ns;
    struct timeval after = {.tv_sec = (time_t)(ns / NS_PER_S),
                            .tv_usec = (suseconds_t)(ns % NS_PER_S / 1000)};

    x->hedge_armed = event_add(&x->hedge_timer, &after) == 0;
}

static void on_due(evutil_socket_t fd, short events, void *arg)
{
    struct exchange *x = arg;

    (void)fd;
    (void)events;
    worker_touch(x->w);
    x->hedge_armed = false;
    /* libevent's clock goes in steps of some ms, so the time may have been cut short. */
    if (x->w->now_ns < x->hedge_at_ns) {
        arm(x);
        return;
    }
    x->hedge_due = true;
    conn_run(x->conn);
}

static uint64_t delay_ns(struct exchange *x, const struct hedge_conf *c)
{
    uint64_t ns, least = c->at_least_ms * NS_PER_MS;

    if (c->percent == 0)
        return c->after_ms * NS_PER_MS;
    ns = quantile_read(&x->service->state->first_byte, x->w->now_ns, c->percent);
    return ns > 0 && ns < least ? least : ns;
}

void hedge_plan(struct exchange *x)
{
    const struct hedge_conf *c = conf_of(x);
    uint64_t ns;

    disarm(x);
    if (!c || x->hedge || x->service->n < 2)
        return;
    ns = delay_ns(x, c);
    if (ns == 0)
        return;
    x->hedge_at_ns = x->w->now_ns + ns;
    /* A timer of its own: the ticks of the worker's wheel are longer than many a delay. */
    event_assign(&x->hedge_timer, x->w->base, -1, 0, on_due, x);
    arm(x);
}

static bool answer_has_begun(const struct attempt *a)
{
    return a->interim > 0 || (a->up && a->up->in && buf_len(a->up->in) > 0);
}

static bool send_second(struct exchange *x)
{
    struct hedge *h;

    if (answer_has_begun(x->attempt))
        return false;
    h = malloc(sizeof *h);
    if (!h)
        return false;
    memset(h, 0, offsetof(struct hedge, second.resp));
    h->second.resp.status = 0;
    if (!attempt_begin_hedge(x, &h->second)) {
        free(h);
        return false;
    }
    h->running = true;
    h->parked = &h->second;
    h->step = STEP_connect;
    x->hedge = h;
    return true;
}

bool hedge_turn(struct exchange *x)
{
    bool due = x->hedge_due;

    x->hedge_due = false;
    if (due && !send_second(x))
        return false;
    if (!hedge_running(x))
        return false;
    change_places(x);
    return true;
}

bool hedge_goes_on(struct exchange *x, enum reason why)
{
    if (!hedge_running(x))
        return false;
    attempt_end(x, why);
    change_places(x);
    x->hedge->running = false;
    x->woken = true;
    return true;
}

/* The time until the answer to a first try began, or until that try was given up: it would have
 * taken longer, and it has taken longer than the estimate, so its rank is right. If these were left
 * out, the slow ones would vanish from the sample, the estimate would fall, and ever more requests
 * would be sent twice. Second tries are left out: only the quick ones are seen to their end. */
static void sample(struct exchange *x, const struct attempt *a, uint64_t until_ns)
{
    const struct hedge_conf *c = conf_of(x);

    if (c && c->percent > 0 && !a->is_hedge)
        quantile_add(&x->service->state->first_byte, x->w->now_ns, until_ns - a->begin_ns);
}

static void drop_parked(struct exchange *x)
{
    change_places(x);
    attempt_cancel(x);
    change_places(x);
    x->hedge->running = false;
}

void hedge_decide(struct exchange *x)
{
    disarm(x);
    x->hedge_won = x->attempt->is_hedge;
    /* A failure is often quick, and says nothing of how long answers take. */
    if (!service_view_is_failure(x->service, x->attempt->resp.status))
        sample(x, x->attempt, x->attempt->first_byte_ns);
    if (!hedge_running(x))
        return;
    sample(x, x->hedge->parked, x->w->now_ns);
    drop_parked(x);
}

void hedge_cancel(struct exchange *x)
{
    disarm(x);
    if (hedge_running(x))
        drop_parked(x);
}

void hedge_free(struct exchange *x)
{
    assert(!x->hedge_armed && !hedge_running(x));
    assert(!x->first_attempt.up && !x->first_attempt.instance && !x->first_attempt.up_head);
    assert(!x->hedge || (!x->hedge->second.up && !x->hedge->second.up_head));
    free(x->hedge);
}

uint64_t hedge_earlier(const struct exchange *x, uint64_t at_ns)
{
    uint64_t parked = hedge_running(x) ? x->hedge->step_deadline_ns : 0;

    return parked && (at_ns == 0 || parked < at_ns) ? parked : at_ns;
}

void hedge_face_deadline(struct exchange *x)
{
    uint64_t now = x->w->now_ns;
    bool present_is_late = x->step_deadline_ns && now >= x->step_deadline_ns;

    if (!present_is_late && hedge_running(x) && x->hedge->step_deadline_ns &&
        now >= x->hedge->step_deadline_ns)
        change_places(x);
}
