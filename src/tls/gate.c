/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/gate.h"
#include "base/alloc.h"
#include "base/macros.h"

#include <stdatomic.h>

struct tls_gate {
    _Atomic unsigned refs;
    _Atomic unsigned inside;
    _Atomic uint64_t free_at_ns; /* when all that was taken on has been paid for */
};

struct tls_gate *tls_gate_new(void)
{
    struct tls_gate *g = alloc_or_abort(sizeof *g);

    g->refs = 1;
    return g;
}

struct tls_gate *tls_gate_ref(struct tls_gate *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void tls_gate_unref(struct tls_gate **gp)
{
    struct tls_gate *g = *gp;

    *gp = NULL;
    if (g && atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) == 1)
        free(g);
}

static bool pay(struct tls_gate *g, unsigned per_second, uint64_t now_ns)
{
    uint64_t price = NS_PER_S / per_second;
    uint64_t before = atomic_load_explicit(&g->free_at_ns, memory_order_relaxed), after;

    do {
        after = (before > now_ns ? before : now_ns) + price;
        if (after > now_ns + NS_PER_S)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&g->free_at_ns, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

enum tls_entry tls_gate_enter(struct tls_gate *g, const struct tls_conf *c, uint64_t now_ns)
{
    unsigned inside = atomic_fetch_add_explicit(&g->inside, 1, memory_order_relaxed);
    enum tls_entry e = TLS_ENTER;

    if (c->max_concurrent_handshakes && inside >= c->max_concurrent_handshakes)
        e = TLS_TOO_MANY;
    else if (c->max_handshakes_per_second && !pay(g, c->max_handshakes_per_second, now_ns))
        e = TLS_TOO_FAST;
    if (e != TLS_ENTER)
        tls_gate_leave(g);
    return e;
}

void tls_gate_leave(struct tls_gate *g)
{
    atomic_fetch_sub_explicit(&g->inside, 1, memory_order_relaxed);
}

unsigned tls_gate_inside(const struct tls_gate *g)
{
    return atomic_load_explicit(&g->inside, memory_order_relaxed);
}
