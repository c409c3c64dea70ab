/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit/limit.h"

#include "circuit/relaxed.h"

#include <assert.h>

void limit_init(struct limit *l, uint32_t max_active, uint32_t max_waiting)
{
    SET(&l->active, 0);
    SET(&l->waiting, 0);
    SET(&l->rejected, 0);
    limit_configure(l, max_active, max_waiting);
}

void limit_configure(struct limit *l, uint32_t max_active, uint32_t max_waiting)
{
    SET(&l->max_active, max_active);
    limit_configure_queue(l, max_waiting);
}

void limit_configure_queue(struct limit *l, uint32_t max_waiting)
{
    SET(&l->max_waiting, max_waiting);
}

/* Compare-and-swap instead of add-then-look: a failed try must never make another one fail. */
static bool take(_Atomic uint32_t *count, uint32_t max)
{
    uint32_t n = GET(count);

    do {
        if (n >= max)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(count, &n, n + 1, memory_order_acquire,
                                                    memory_order_relaxed));
    return true;
}

static void give_back(_Atomic uint32_t *count)
{
    uint32_t before = atomic_fetch_sub_explicit(count, 1, memory_order_release);

    assert(before > 0);
    (void)before;
}

bool limit_acquire(struct limit *l)
{
    uint32_t max = GET(&l->max_active);

    return take(&l->active, max ? max : UINT32_MAX);
}

void limit_release(struct limit *l)
{
    give_back(&l->active);
}

bool limit_enter_queue(struct limit *l)
{
    if (take(&l->waiting, GET(&l->max_waiting)))
        return true;
    atomic_fetch_add_explicit(&l->rejected, 1, memory_order_relaxed);
    return false;
}

void limit_leave_queue(struct limit *l)
{
    give_back(&l->waiting);
}

bool limit_has_room(struct limit *l)
{
    uint32_t max = atomic_load_explicit(&l->max_active, memory_order_relaxed);

    return max == 0 || atomic_load_explicit(&l->active, memory_order_acquire) < max;
}

bool limit_has_waiters(struct limit *l)
{
    return atomic_load_explicit(&l->waiting, memory_order_acquire) > 0;
}
