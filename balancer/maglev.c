/* SPDX-License-Identifier: Apache-2.0 */
/* Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4): every target has its own permutation of
 * the table's slots and they take turns to claim the next free one, so each gets an even share, and
 * a target that goes away leaves nearly all other slots as they were.
 *
 * The size of the table must not follow the number of targets: another size moves every key. So
 * there are two sizes only, both prime. */
#include "balancer/pool.h"

#include "base/hash.h"

#include <stdlib.h>

enum { TABLE_SMALL = 16381, TABLE_LARGE = 65537, SMALL_TARGETS = 163, REHASHES = 16 };

#define FREE UINT32_MAX

struct claim {
    uint32_t next, skip;
    uint64_t credit;
};

/* The next free slot of the target's permutation. */
static uint32_t claim_slot(const struct pool *p, struct claim *c)
{
    uint32_t slot;

    do {
        slot = c->next;
        c->next = (c->next + c->skip) % p->table_size;
    } while (p->table[slot] != FREE);
    return slot;
}

/* Takes turns until the table is full. The heaviest target claims in every round, the others in as
 * many rounds as their share of its weight says. */
static void fill(struct pool *p, const uint32_t *weights, uint32_t heaviest, struct claim *claims)
{
    for (uint32_t filled = 0;;) {
        for (unsigned i = 0; i < p->n; i++) {
            claims[i].credit += weights[i];
            if (claims[i].credit < heaviest)
                continue;
            claims[i].credit -= heaviest;
            p->table[claim_slot(p, &claims[i])] = p->members[i];
            if (++filled == p->table_size)
                return;
        }
    }
}

int maglev_build(struct pool *p, const uint32_t *weights, const struct balance_target *targets)
{
    struct claim *claims = calloc(p->n, sizeof(*claims));
    uint32_t heaviest = 0;

    p->table_size = p->n <= SMALL_TARGETS ? TABLE_SMALL : TABLE_LARGE;
    p->table = malloc(p->table_size * sizeof(*p->table));
    if (!claims || !p->table) {
        free(claims);
        return -1;
    }
    for (uint32_t i = 0; i < p->table_size; i++)
        p->table[i] = FREE;
    for (unsigned i = 0; i < p->n; i++) {
        uint64_t h = hash_mix(targets[p->members[i]].id_hash + 1);
        claims[i].next = (uint32_t)(h % p->table_size);
        claims[i].skip = (uint32_t)(hash_mix(h) % (p->table_size - 1)) + 1;
        heaviest = weights[i] > heaviest ? weights[i] : heaviest;
    }
    fill(p, weights, heaviest, claims);
    free(claims);
    return 0;
}

/* In [0, 1), the same for a key and a target each time: in slow start a key moves over to the new
 * target once, and stays. */
static double coin_of(uint64_t key, uint64_t id_hash)
{
    return (double)(hash_mix(key ^ hash_mix(id_hash)) >> 11) * 0x1.0p-53;
}

/* Rendezvous hashing over what may be chosen. */
static int pick_highest(const struct pool *p, const struct view *v)
{
    uint64_t key = v->q->hash, highest = 0;
    int best = POOL_NONE;

    for (unsigned i = 0; i < p->n; i++) {
        uint64_t h = hash_mix(key ^ hash_mix(v->b->targets[p->members[i]].id_hash + 1));

        if (view_may(v, p->members[i]) && (best == POOL_NONE || h > highest)) {
            best = (int)p->members[i];
            highest = h;
        }
    }
    return best;
}

int maglev_pick(const struct pool *p, const struct view *v)
{
    uint64_t key = v->q->hash, h = hash_mix(key);

    if (!v->q->has_hash)
        return random_pick(p, v);
    for (unsigned i = 0; i < REHASHES; i++, h = hash_mix(h + 1)) {
        uint32_t target = p->table[h % p->table_size];

        if (view_accepts(v, target, coin_of(key, v->b->targets[target].id_hash)))
            return (int)target;
    }
    return pick_highest(p, v);
}
