/* SPDX-License-Identifier: Apache-2.0 */
#include "failover.h"

#include <stdlib.h>

void failover_init(struct failover *f, size_t n)
{
    *f = (struct failover){.n = n, .places = calloc(n ? n : 1, sizeof *f->places)};
    if (!f->places)
        abort();
}

void failover_release(struct failover *f)
{
    free(f->places);
}

bool failover_enough(const struct failover_fact *fact, unsigned min_healthy)
{
    return fact->usable > 0 && (uint64_t)fact->usable * 100 >= (uint64_t)fact->total * min_healthy;
}

static void note(struct failover_place *p, const struct failover_fact *fact, unsigned min_healthy,
                 uint64_t now_ns)
{
    bool well;

    if (fact->state != PLACE_HEARD)
        return;
    well = failover_enough(fact, min_healthy);
    if (well && p->known && !p->well)
        p->well_since_ns = now_ns;
    p->known = true;
    p->well = well;
}

bool failover_is_suspect(const struct failover_place *p, uint64_t now_ns)
{
    return p->suspect_until_ns > now_ns;
}

void failover_suspect(struct failover *f, const struct failover_options *o, uint64_t now_ns)
{
    struct failover_place *p = &f->places[f->active];
    uint64_t least = o->fail_back_ms > SUSPECT_MIN_MS ? o->fail_back_ms : SUSPECT_MIN_MS;
    uint64_t most = least > SUSPECT_MAX_MS ? least : SUSPECT_MAX_MS, ms = least;

    if (!f->decided || failover_is_suspect(p, now_ns))
        return;
    if (now_ns - p->suspect_until_ns > SUSPECT_MAX_MS * NS_PER_MS)
        p->suspicions = 0;
    for (unsigned i = 0; i < p->suspicions && ms < most; i++)
        ms *= 2;
    p->suspicions++;
    p->suspect_until_ns = now_ns + (ms < most ? ms : most) * NS_PER_MS;
}

/* When it may be gone back to. */
static uint64_t good_from_ns(const struct failover_place *p, uint64_t fail_back_ms)
{
    uint64_t from = p->well_since_ns ? p->well_since_ns + fail_back_ms * NS_PER_MS : 0;

    return from > p->suspect_until_ns ? from : p->suspect_until_ns;
}

/* The first one that does, whatever its past; n = none. */
static size_t first_well(const struct failover *f)
{
    size_t i = 0;

    while (i < f->n && !f->places[i].well)
        i++;
    return i;
}

/* The same of those that are not suspect. */
static size_t first_good(const struct failover *f, uint64_t now_ns)
{
    size_t i = 0;

    while (i < f->n && (!f->places[i].well || failover_is_suspect(&f->places[i], now_ns)))
        i++;
    return i;
}

static size_t most_usable(const struct failover *f, const struct failover_fact *facts)
{
    size_t best = f->active;

    for (size_t i = 0; i < f->n; i++)
        if (facts[i].state == PLACE_HEARD &&
            (facts[best].state != PLACE_HEARD || facts[i].usable > facts[best].usable))
            best = i;
    return best;
}

/* May one of the places before `end` still turn out to be better? */
static bool must_wait(const struct failover_fact *facts, size_t end)
{
    for (size_t i = 0; i < end; i++)
        if (facts[i].state == PLACE_SILENT)
            return true;
    return false;
}

static void judge_again(struct failover *f, uint64_t at_ns)
{
    if (f->next_ns == 0 || at_ns < f->next_ns)
        f->next_ns = at_ns;
}

/* All that are well are suspect: which is the least so will be known when the first is no longer.
 */
static size_t choose_suspect(struct failover *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->places[i].well)
            judge_again(f, f->places[i].suspect_until_ns);
    return f->decided && f->places[f->active].well ? f->active : first_well(f);
}

static size_t choose(struct failover *f, const struct failover_options *o,
                     const struct failover_fact *facts, uint64_t now_ns)
{
    size_t best = first_good(f, now_ns);
    const struct failover_place *active = &f->places[f->active];

    if (first_well(f) == f->n)
        return most_usable(f, facts);
    if (best == f->n)
        return choose_suspect(f);
    if (f->decided && active->well && !failover_is_suspect(active, now_ns))
        best = f->active;
    for (size_t i = 0; i < best; i++) {
        uint64_t from = good_from_ns(&f->places[i], o->fail_back_ms);

        if (!f->places[i].well)
            continue;
        if (from <= now_ns)
            return i;
        judge_again(f, from);
    }
    return best;
}

bool failover_judge(struct failover *f, const struct failover_options *o,
                    const struct failover_fact *facts, uint64_t now_ns)
{
    size_t active;

    f->next_ns = 0;
    for (size_t i = 0; i < f->n; i++)
        note(&f->places[i], &facts[i], o->min_healthy, now_ns);
    if (!f->decided && must_wait(facts, first_well(f)))
        return false;
    active = choose(f, o, facts, now_ns);
    if (f->decided && active == f->active)
        return false;
    f->moves += f->decided;
    f->decided = true;
    f->active = active;
    f->since_ns = now_ns;
    return true;
}
