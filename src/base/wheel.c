/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wheel.h"

static const uint64_t tick_ns = WHEEL_TICK_MS * NS_PER_MS;

void wheel_init(struct wheel *w, uint64_t now_ns)
{
    w->tick = now_ns / tick_ns;
    w->count = 0;
    for (int i = 0; i < WHEEL_SLOTS; i++)
        list_init(&w->slots[i]);
}

void wheel_timer_init(struct wheel_timer *t, wheel_fn *fire)
{
    list_init(&t->node);
    t->deadline_ns = 0;
    t->linked_tick = 0;
    t->fire = fire;
}

static void link_timer(struct wheel *w, struct wheel_timer *t)
{
    uint64_t at = (t->deadline_ns + tick_ns - 1) / tick_ns;

    if (at <= w->tick)
        at = w->tick + 1;
    if (at - w->tick >= WHEEL_SLOTS)
        at = w->tick + WHEEL_SLOTS - 1;
    t->linked_tick = at;
    list_push_back(&w->slots[at % WHEEL_SLOTS], &t->node);
}

void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t deadline_ns)
{
    bool linked = t->deadline_ns != 0;

    t->deadline_ns = deadline_ns ? deadline_ns : 1;
    if (linked && t->linked_tick * tick_ns <= t->deadline_ns)
        return;
    if (linked)
        list_remove(&t->node);
    else
        w->count++;
    link_timer(w, t);
}

void wheel_clear(struct wheel *w, struct wheel_timer *t)
{
    if (t->deadline_ns == 0)
        return;
    list_remove(&t->node);
    t->deadline_ns = 0;
    w->count--;
}

static void run_slot(struct wheel *w, uint64_t now_ns)
{
    struct list due, *node;

    /* Taken out as a whole: a callback may put timers into this very slot for its next turn. */
    list_init(&due);
    while ((node = list_pop(&w->slots[w->tick % WHEEL_SLOTS])))
        list_push_back(&due, node);
    while ((node = list_pop(&due))) {
        struct wheel_timer *t = CONTAINER_OF(node, struct wheel_timer, node);

        if (t->deadline_ns > now_ns) {
            link_timer(w, t);
            continue;
        }
        t->deadline_ns = 0;
        w->count--;
        t->fire(t);
    }
}

void wheel_advance(struct wheel *w, uint64_t now_ns)
{
    uint64_t target = now_ns / tick_ns;

    if (w->count == 0 && target > w->tick)
        w->tick = target;
    /* After a long stall one turn visits every slot; more would visit them again for nothing. */
    if (target > w->tick + WHEEL_SLOTS)
        w->tick = target - WHEEL_SLOTS;
    while (w->tick < target) {
        w->tick++;
        run_slot(w, now_ns);
    }
}

uint32_t wheel_next_ms(const struct wheel *w, uint64_t now_ns)
{
    if (w->count == 0)
        return UINT32_MAX;
    for (uint64_t at = w->tick + 1; at < w->tick + WHEEL_SLOTS; at++)
        if (!list_empty(&w->slots[at % WHEEL_SLOTS]))
            return at * tick_ns <= now_ns ? 0 : (uint32_t)((at * tick_ns - now_ns) / NS_PER_MS + 1);
    return WHEEL_TICK_MS * (WHEEL_SLOTS - 1);
}
