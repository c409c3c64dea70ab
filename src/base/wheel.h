/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* wheel.h - a coarse hashed timer wheel (Varghese and Lauck, 1987) for deadlines that move often
 * and fire rarely: one for each worker, never shared.
 *
 * Moving a deadline later is one store: the timer stays where it is linked and is put right when
 * its slot comes round. Resolution is one tick (10 ms); a timer never fires early. */
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_SLOTS = 512, WHEEL_TICK_MS = 10 };

struct wheel_timer;
typedef void wheel_fn(struct wheel_timer *t);

/* Embedded in its owner; find the owner with CONTAINER_OF. */
struct wheel_timer {
    struct list node;
    uint64_t deadline_ns; /* 0 = not set */
    uint64_t linked_tick; /* where it is linked */
    wheel_fn *fire;
};

struct wheel {
    uint64_t tick; /* the last one that was processed */
    unsigned count;
    struct list slots[WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, uint64_t now_ns);
void wheel_timer_init(struct wheel_timer *t, wheel_fn *fire);

/* Sets or moves the deadline. */
void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t deadline_ns);
/* Unlinks; safe when not set. The owner must call it before it dies. */
void wheel_clear(struct wheel *w, struct wheel_timer *t);

/* Fires everything that is due. A callback may set or clear any timer. */
void wheel_advance(struct wheel *w, uint64_t now_ns);
/* Milliseconds until wheel_advance() may have work; UINT32_MAX when no timer is set. */
uint32_t wheel_next_ms(const struct wheel *w, uint64_t now_ns);
