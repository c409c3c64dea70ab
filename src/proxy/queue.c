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
        atomic_fetch_and_explicit(&s->waiting_workers, ~(1ull << x->w->id), memory_order_acq_rel);
    /* The call that went out for a free place may have been meant for this one. */
    if (limit_has_room(&s->limit))
        queue_wake(x->w, s);
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
    if (limit_has_room(&s->limit))
        queue_wake(x->w, s);
    return V_WAIT;
}

/* The place goes to the next worker in the ring that has someone waiting, so that none starves. */
void queue_wake(struct worker *w, struct service_state *s)
{
    uint64_t waiting = atomic_load_explicit(&s->waiting_workers, memory_order_acquire);
    uint64_t after = w->id < 63 ? waiting >> (w->id + 1) << (w->id + 1) : 0;

    if (waiting == 0)
        return;
    worker_post(proxy_worker(w->proxy, (unsigned)__builtin_ctzll(after ? after : waiting)),
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
            node = w->queued.next;
        } else {
            node = node->next;
        }
    }
}
