/* SPDX-License-Identifier: Apache-2.0 */
/* exchange_run.c - what drives the steps of an exchange: verdicts, events and deadlines. */
#include "proxy/access.h"
#include "proxy/attempt.h"
#include "proxy/cached.h"
#include "proxy/composed.h"
#include "proxy/exchange.h"
#include "proxy/exchange_step.h"
#include "proxy/hedge.h"

#include <assert.h>

/* What a deadline or a hang-up means depends on how far the request has come. */
static enum verdict interrupted(struct exchange *x)
{
    enum reason why = x->wake_reason;

    x->wake_reason = REASON_NONE;
    if (x->step == STEP_finish) {
        x->close_client = true;
        x->download.nout = 0;
        return V_NEXT;
    }
    /* What it means that its time is over is for the check to say. */
    if (x->step == STEP_access && x->access && why != REASON_CLIENT_GONE) {
        x->access->timed_out = true;
        return exchange_step(x);
    }
    if (x->step == STEP_cached && x->cached && why != REASON_CLIENT_GONE) {
        x->cached->timed_out = true;
        return exchange_step(x);
    }
    if (x->step == STEP_compose && x->composed && why != REASON_CLIENT_GONE) {
        x->composed->timed_out = true;
        return exchange_step(x);
    }
    if (x->resp_started && why == REASON_UPSTREAM_TIMEOUT)
        why = REASON_UPSTREAM_CUT;
    if (x->step >= STEP_connect && x->step <= STEP_await_head && reason_blames_service(why))
        return exchange_attempt_failed(x, why);
    return exchange_refuse(x, why);
}

static void arm(struct exchange *x)
{
    uint64_t at = x->step_deadline_ns;

    if (x->deadline_ns && (at == 0 || x->deadline_ns < at))
        at = x->deadline_ns;
    conn_set_deadline(x->conn, hedge_earlier(x, at));
}

/* Has the client gone before this wait began? A reset that came in one edge with the request's last
 * bytes is told of by another look alone (sock_read_on()). Where an instance is asked it shows in
 * the end; what is asked before may take long, and is worth the look. */
static bool left_unnoticed(struct exchange *x)
{
    struct sock *s = &x->conn->sock;

    if (!s->unsure || x->step <= STEP_read_head || x->step > STEP_admit)
        return false;
    s->unsure = false;
    switch (sock_peek(s)) {
    case IO_ERROR:
        return true;
    case IO_OK:
    case IO_EOF:
        s->readable = true;
        break;
    case IO_AGAIN:
        break;
    }
    return false;
}

static enum verdict run_steps(struct exchange *x)
{
    for (;;) {
        enum verdict v = x->wake_reason != REASON_NONE ? interrupted(x) : exchange_step(x);

        switch (v) {
        case V_NEXT:
            /* After an interruption in finish, finish itself runs again. */
            if (x->step < STEP_finish)
                x->step++;
            break;
        case V_FINISH:
            x->step = STEP_finish;
            break;
        case V_RETRY:
            assert(!x->resp_started);
            x->step = STEP_pick;
            break;
        case V_ADMIT:
            assert(!x->resp_started);
            x->step = STEP_admit;
            break;
        case V_WAIT:
            if (!left_unnoticed(x))
                return v;
            x->wake_reason = REASON_CLIENT_GONE;
            break;
        case V_DONE:
            return v;
        }
    }
}

enum verdict exchange_run(struct exchange *x)
{
    enum verdict v;

    if (x->running) {
        x->woken = true;
        return V_WAIT;
    }
    x->running = true;
    do {
        x->woken = false;
        v = run_steps(x);
        if (v == V_WAIT && hedge_turn(x))
            v = run_steps(x);
    } while (v == V_WAIT && x->woken);
    x->running = false;
    if (v == V_WAIT)
        arm(x);
    return v;
}

void exchange_upstream_event(struct exchange *x)
{
    if (x->running)
        x->woken = true;
    else
        conn_run(x->conn);
}

enum verdict exchange_client_event(struct exchange *x)
{
    /* While the request is out, a readable client is either ahead (its next request waits) or gone.
     */
    if (x->step > STEP_read_head && x->step < STEP_finish && x->conn->sock.readable &&
        (x->body_buffered || x->attempt->upload_done) && !x->tunnel) {
        switch (sock_peek(&x->conn->sock)) {
        case IO_ERROR:
            x->wake_reason = REASON_CLIENT_GONE;
            break;
        case IO_EOF:
            x->conn->half_closed = true;
            x->close_client = true;
            break;
        case IO_OK:
        case IO_AGAIN:
            break;
        }
    }
    return exchange_run(x);
}

/* The time for the whole exchange is over: whom was it waiting for? */
static enum reason who_is_late(const struct exchange *x)
{
    if (x->queued)
        return REASON_OVERLOADED;
    /* Its own deadline: nobody else's fault. */
    if (x->grpc.deadline_ns && x->w->now_ns >= x->grpc.deadline_ns)
        return REASON_CLIENT_GONE;
    if (x->step == STEP_relay && pump_holds(&x->download))
        return REASON_CLIENT_STALLED;
    if (x->step == STEP_await_head && !x->attempt->upload_done && x->attempt->upload.nout == 0)
        return REASON_REQUEST_TIMEOUT;
    return REASON_UPSTREAM_TIMEOUT;
}

enum verdict exchange_deadline(struct exchange *x)
{
    uint64_t now = x->w->now_ns;

    hedge_face_deadline(x);
    if (x->step_deadline_ns && now >= x->step_deadline_ns)
        x->wake_reason = x->step_timeout;
    else if (x->deadline_ns && now >= x->deadline_ns)
        x->wake_reason = who_is_late(x);
    return exchange_run(x);
}
