/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_cache.h"
#include "base/hash.h"
#include "base/list.h"
#include "policy/issuer.h"

#include <stdlib.h>
#include <sys/random.h>

enum { HASHED = 64 }; /* bytes from the end: of the signature, which is as good as random */

struct entry {
    struct list age;    /* in cache->ages */
    struct entry *next; /* in its bucket */
    uint64_t hash;
    struct token_facts facts;
    size_t n;
    char text[];
};

struct token_cache {
    struct list ages;       /* the one used last comes first */
    struct entry **buckets; /* [mask + 1]; owned */
    uint64_t seed, mask;
    unsigned max_entries;
    size_t max_bytes;
    struct token_cache_usage usage;
};

struct token_cache *token_cache_new_with(unsigned entries, size_t bytes, uint64_t seed)
{
    struct token_cache *c = calloc(1, sizeof *c);
    uint64_t buckets = 16;

    if (!c)
        return NULL;
    while (buckets * 2 < entries)
        buckets *= 2;
    c->buckets = calloc(buckets, sizeof(struct entry *));
    if (!c->buckets) {
        free(c);
        return NULL;
    }
    list_init(&c->ages);
    c->mask = buckets - 1;
    c->seed = seed;
    c->max_entries = entries;
    c->max_bytes = bytes;
    return c;
}

struct token_cache *token_cache_new(void)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        return NULL;
    return token_cache_new_with(TOKEN_CACHE_ENTRIES, TOKEN_CACHE_BYTES, seed);
}

static uint64_t hash_of(const struct token_cache *c, struct str token)
{
    size_t n = token.n < HASHED ? token.n : HASHED;

    return hash_bytes(token.p + token.n - n, n, c->seed ^ token.n);
}

static void drop(struct token_cache *c, struct entry *e)
{
    struct entry **at = &c->buckets[e->hash & c->mask];

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    list_remove(&e->age);
    c->usage.entries--;
    c->usage.bytes -= e->n;
    identity_unref(&e->facts.identity);
    issuer_unref(&e->facts.issuer);
    free(e);
}

void token_cache_free(struct token_cache **cp)
{
    struct token_cache *c = *cp;

    *cp = NULL;
    if (!c)
        return;
    while (!list_empty(&c->ages))
        drop(c, CONTAINER_OF(c->ages.next, struct entry, age));
    free(c->buckets);
    free(c);
}

static struct entry *lookup(const struct token_cache *c, struct str token, uint64_t hash)
{
    struct entry *e = c->buckets[hash & c->mask];

    while (e && (e->hash != hash || e->n != token.n || memcmp(e->text, token.p, token.n) != 0))
        e = e->next;
    return e;
}

static bool still_good(const struct token_facts *f, uint64_t set_id, int64_t now_s)
{
    return f->set_id == set_id && (f->expires_at_s == 0 || now_s < f->expires_at_s) &&
           f->generation == issuer_generation(f->issuer);
}

const struct token_facts *token_cache_find(struct token_cache *c, struct str token, uint64_t set_id,
                                           int64_t now_s)
{
    struct entry *e = lookup(c, token, hash_of(c, token));

    if (e && !still_good(&e->facts, set_id, now_s)) {
        drop(c, e);
        e = NULL;
    }
    if (!e) {
        c->usage.misses++;
        return NULL;
    }
    c->usage.hits++;
    list_remove(&e->age);
    list_push_front(&c->ages, &e->age);
    return &e->facts;
}

static void make_room(struct token_cache *c, size_t n)
{
    while (!list_empty(&c->ages) &&
           (c->usage.entries >= c->max_entries || c->usage.bytes + n > c->max_bytes)) {
        drop(c, CONTAINER_OF(c->ages.prev, struct entry, age));
        c->usage.evicted++;
    }
}

void token_cache_add(struct token_cache *c, struct str token, const struct token_facts *f)
{
    uint64_t hash = hash_of(c, token);
    struct entry *e = lookup(c, token, hash);

    if (e)
        drop(c, e);
    if (token.n > c->max_bytes || !(e = malloc(sizeof *e + token.n)))
        return;
    make_room(c, token.n);
    e->hash = hash;
    e->facts = *f;
    issuer_ref(f->issuer);
    identity_ref(f->identity);
    e->n = token.n;
    memcpy(e->text, token.p, token.n);
    e->next = c->buckets[hash & c->mask];
    c->buckets[hash & c->mask] = e;
    list_push_front(&c->ages, &e->age);
    c->usage.entries++;
    c->usage.bytes += token.n;
}

void token_cache_usage(const struct token_cache *c, struct token_cache_usage *ret)
{
    *ret = c->usage;
}
