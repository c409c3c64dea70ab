/* SPDX-License-Identifier: Apache-2.0 */
#include "base/instance.h"
#include "base/arena.h"
#include "base/hash.h"

const char *health_name(enum health h)
{
    static const char *const names[] = {"passing", "warning", "critical", "maintenance"};

    return names[h];
}

const char *doubt_name(enum doubt d)
{
    static const char *const names[] = {"none", "held", "damped"};

    return names[d];
}

struct instance_set *instance_set_ref(struct instance_set *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void instance_set_unref(struct instance_set **sp)
{
    struct instance_set *s = *sp;

    *sp = NULL;
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        arena_free(s->arena);
}

bool instance_usable(const struct instance *i)
{
    return i->sockaddr_len > 0 && i->weight > 0 &&
           (i->health == HEALTH_PASSING || i->health == HEALTH_WARNING);
}

uint64_t instance_key(const struct instance *i)
{
    uint64_t h = hash_str(str_of(i->node), i->port);

    return hash_str(str_of(i->address), hash_str(str_of(i->id), h));
}
