/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"
#include "base/macros.h"

#include <string.h>

static const uint64_t window_ns = GUARD_WINDOW_MS * NS_PER_MS;

void guard_all_init(struct guard_all *all)
{
    memset(all, 0, sizeof *all);
    list_init(&all->losing);
}

void guard_init(struct guard *g, struct guard_all *all)
{
    memset(g, 0, sizeof *g);
    g->all = all;
    list_init(&g->link);
}

static void leave_losing(struct guard *g)
{
    g->all->nlosing -= !list_empty(&g->link);
    list_remove(&g->link);
}

void guard_release(struct guard *g)
{
    leave_losing(g);
    g->all->known -= g->known;
    g->known = false;
}

static unsigned more(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

static unsigned less(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static void turn_window(struct guard *g, uint64_t now_ns)
{
    uint64_t since = now_ns - g->window_ns;

    if (g->window_ns != 0 && since < window_ns)
        return;
    g->peak_past = since < 2 * window_ns ? g->peak : 0;
    g->lost_past = since < 2 * window_ns ? g->lost : 0;
    g->peak = g->lost = 0;
    g->window_ns = now_ns;
}

static void forget_old_losses(struct guard_all *all, uint64_t now_ns)
{
    list_each_safe(it, tmp, &all->losing)
    {
        struct guard *g = CONTAINER_OF(it, struct guard, link);

        if (now_ns - g->loss_ns < window_ns)
            return;
        leave_losing(g);
    }
}

static bool too_many_services(struct guard *g, const struct guard_options *o, uint64_t now_ns)
{
    struct guard_all *all = g->all;

    forget_old_losses(all, now_ns);
    if (list_empty(&g->link)) {
        g->loss_ns = now_ns;
        list_push_back(&all->losing, &g->link);
        all->nlosing++;
    }
    return all->nlosing > GUARD_FEW && all->nlosing * 100 > o->services_percent * all->known;
}

/* Of `before` instances so many were taken away, and so many are there now. */
static bool is_large(const struct guard_options *o, unsigned before, unsigned taken, unsigned now)
{
    unsigned lost = before > now ? less(taken, before - now) : 0;

    return lost > GUARD_FEW && lost * 100 > o->shrink_percent * before;
}

static bool too_many_instances(const struct guard *g, const struct guard_options *o,
                               const struct guard_loss *l)
{
    unsigned peak = more(more(g->peak, g->peak_past), l->usable);

    if (l->listed == 0 && l->absent == l->usable)
        return true;
    return is_large(o, l->usable, l->absent, l->listed) ||
           is_large(o, peak, l->absent + g->lost + g->lost_past, l->listed);
}

bool guard_doubts(struct guard *g, const struct guard_options *o, const struct guard_loss *l,
                  uint64_t now_ns)
{
    bool doubt;

    turn_window(g, now_ns);
    if (l->absent == 0)
        return false;
    doubt = too_many_services(g, o, now_ns);
    doubt |= too_many_instances(g, o, l);
    doubt &= o->confirm_ms != 0;
    if (!doubt)
        g->lost += l->absent;
    return doubt;
}

void guard_confirmed(struct guard *g, unsigned usable, uint64_t now_ns)
{
    g->window_ns = now_ns;
    g->peak = usable;
    g->peak_past = g->lost = g->lost_past = 0;
}

void guard_note(struct guard *g, unsigned usable, uint64_t now_ns)
{
    turn_window(g, now_ns);
    g->peak = more(g->peak, usable);
    g->all->known += (usable > 0) - g->known;
    g->known = usable > 0;
}
