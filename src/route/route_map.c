/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route_map.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 64 };

void route_map_release(struct route_map *m)
{
    free(m->slots);
    *m = (struct route_map){0};
}

static uint64_t hash_key(uint32_t number, struct str key)
{
    uint64_t hash = route_hash_start(number);

    for (size_t i = 0; i < key.n; i++)
        hash = route_hash_step(hash, key.p[i]);
    return hash;
}

/* The slot of the key, or the free one where it belongs. */
static struct route_map_slot *probe(const struct route_map *m, uint32_t number, struct str key,
                                    uint64_t hash)
{
    for (size_t i = hash_mix(hash) & m->mask;; i = (i + 1) & m->mask) {
        struct route_map_slot *s = &m->slots[i];

        if (!s->key)
            return s;
        if (s->hash == hash && s->number == number && s->n == key.n &&
            memcmp(s->key, key.p, key.n) == 0)
            return s;
    }
}

uint32_t route_map_find_hashed(const struct route_map *m, uint32_t number, struct str key,
                               uint64_t hash)
{
    return m->slots ? probe(m, number, key, hash)->value : 0;
}

uint32_t route_map_find(const struct route_map *m, uint32_t number, struct str key)
{
    return route_map_find_hashed(m, number, key, hash_key(number, key));
}

static void grow(struct route_map *m)
{
    size_t old = m->slots ? m->mask + 1 : 0, size = old ? old * 2 : FIRST_SLOTS;
    struct route_map bigger = {calloc(size, sizeof(*bigger.slots)), size - 1, m->count};

    if (!bigger.slots)
        abort();
    for (size_t i = 0; i < old; i++) {
        const struct route_map_slot *s = &m->slots[i];

        if (s->key)
            *probe(&bigger, s->number, (struct str){s->key, s->n}, s->hash) = *s;
    }
    free(m->slots);
    *m = bigger;
}

uint32_t *route_map_at(struct route_map *m, uint32_t number, struct str key)
{
    uint64_t hash = hash_key(number, key);

    if (!m->slots || (m->count + 1) * 3 > (m->mask + 1) * 2)
        grow(m);
    struct route_map_slot *s = probe(m, number, key, hash);
    if (!s->key) {
        *s = (struct route_map_slot){hash, key.p, (uint32_t)key.n, number, 0};
        m->count++;
    }
    return &s->value;
}
