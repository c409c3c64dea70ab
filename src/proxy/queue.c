/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/queue.h"
#include "proxy/proxy_internal.h"

void queue_leave(struct exchange *x)
{
    struct service_state *s = x->service->state;
    bool others = false;

    if (!x->queued)
        return;
    x->queued = false;
    list_remove(&x->queue_node);
    limit_leave_queue(&s->limit);
    list_each(node, &x->w->queued) others |=
        CONTAINER_OF(node, struct exchange, queue_node)->service->state == s;
    if (!others)
        atomic_fetch_and_explicit(&s->waiting_workers, ~(1ull << x->w->id), memory_order_release);
}

enum verdict queue_enter(struct exchange *x)
{
    struct service_state *s = x->service->state;

    breaker_cancel(s->breaker, x->ticket, x->w->now_ns);
    x->has_ticket = false;
    if (x->queued) {
        x->step_deadline_ns = x->queue_until_ns;
        return V_WAIT;
    }
    if (!limit_enter_queue(&s->limit)) {
        x->detail = "the service is at its concurrency limit";
        return exchange_refuse(x, REASON_OVERLOADED);
    }
    x->queued = true;
    list_push_back(&x->w->queued, &x->queue_node);
    atomic_fetch_or_explicit(&s->waiting_workers, 1ull << x->w->id, memory_order_acq_rel);
    exchange_wait(x, x->service->conf->queue_timeout_ms, REASON_OVERLOADED);
    x->queue_until_ns = x->step_deadline_ns;
    /* The place may have become free between the look and the bit that asks to be told. */
    x->woken = limit_has_room(&s->limit);
    return V_WAIT;
}

void queue_wake(struct worker *w, struct service_state *s)
{
    uint64_t waiting = atomic_load_explicit(&s->waiting_workers, memory_order_acquire);

    if (waiting == 0)
        return;
    if (waiting >> w->id & 1)
        worker_post(w, WORKER_RESUME_QUEUED);
    else
        worker_post(proxy_worker(w->proxy, (unsigned)__builtin_ctzll(waiting)),
                    WORKER_RESUME_QUEUED);
}

void queue_resume(struct worker *w)
{
    struct list *node = w->queued.next;

    while (node != &w->queued) {
        struct exchange *x = CONTAINER_OF(node, struct exchange, queue_node);

        /* The next one is found anew after each: running one may take others out of the list. */
        if (limit_has_room(&x->service->state->limit)) {
            conn_run(x->conn);
            if (!limit_has_room(&x->service->state->limit))
                return;
            node = w->queued.next;
        } else {
            node = node->next;
        }
    }
}
