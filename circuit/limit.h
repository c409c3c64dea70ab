/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* limit.h - bulkhead: how many requests a service may have under way, and how many may wait.
 *
 * Only counting, shared by all workers, lock-free. The waiting itself (a FIFO with deadlines in
 * each worker) is the proxy's; it asks here whether there is room in the queue. */
#include "base/macros.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct limit {
    _Atomic uint32_t active, waiting;
    _Atomic uint32_t max_active; /* 0 = no limit */
    _Atomic uint32_t max_waiting;
    _Atomic uint64_t rejected; /* turned away since start */
};

void limit_init(struct limit *l, uint32_t max_active, uint32_t max_waiting);
void limit_configure(struct limit *l, uint32_t max_active, uint32_t max_waiting);
/* The queue alone: max_active is somebody else's (adaptive.h). */
void limit_configure_queue(struct limit *l, uint32_t max_waiting);

/* True takes a place: pair with limit_release(). False counts nothing: the caller may queue. Places
 * taken before the limit was lowered stay taken. */
bool limit_acquire(struct limit *l) MUST_CHECK;
void limit_release(struct limit *l);
/* A look without taking: true when limit_acquire() would have succeeded just now. */
bool limit_has_room(struct limit *l);
/* Does anybody wait? Who comes now must not overtake them. */
bool limit_has_waiters(struct limit *l);
/* True takes a place in the queue: pair with limit_leave_queue(). False counts a rejection. */
bool limit_enter_queue(struct limit *l) MUST_CHECK;
void limit_leave_queue(struct limit *l);
