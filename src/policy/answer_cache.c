/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/answer_cache.h"
#include "base/list.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct list age;    /* in cache->ages */
    struct entry *next; /* in its bucket */
    unsigned char digest[ANSWER_DIGEST];
    struct cached_answer answer;
    size_t bytes;
    uint64_t until_ns;
};

struct answer_cache {
    struct list ages;       /* the one used last comes first */
    struct entry **buckets; /* [mask + 1]; owned */
    size_t mask;
    unsigned entries, max_entries;
    size_t bytes, max_bytes;
};

struct answer_cache *answer_cache_new(unsigned max_entries, size_t max_bytes)
{
    struct answer_cache *c = calloc(1, sizeof *c);
    size_t buckets = 16;

    if (!c)
        return NULL;
    while (buckets < max_entries)
        buckets *= 2;
    c->buckets = calloc(buckets, sizeof(struct entry *));
    if (!c->buckets) {
        free(c);
        return NULL;
    }
    list_init(&c->ages);
    c->mask = buckets - 1;
    c->max_entries = max_entries;
    c->max_bytes = max_bytes;
    return c;
}

/* A digest is random by itself. */
static struct entry **bucket_of(const struct answer_cache *c, const unsigned char *digest)
{
    size_t hash;

    memcpy(&hash, digest, sizeof hash);
    return &c->buckets[hash & c->mask];
}

static void drop(struct answer_cache *c, struct entry *e)
{
    struct entry **at = bucket_of(c, e->digest);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    list_remove(&e->age);
    c->entries--;
    c->bytes -= e->bytes;
    identity_unref(&e->answer.identity);
    free(e);
}

static void drop_oldest(struct answer_cache *c)
{
    drop(c, CONTAINER_OF(c->ages.prev, struct entry, age));
}

void answer_cache_free(struct answer_cache **cp)
{
    struct answer_cache *c = *cp;

    *cp = NULL;
    if (!c)
        return;
    while (!list_empty(&c->ages))
        drop_oldest(c);
    free(c->buckets);
    free(c);
}

static struct entry *look_up(const struct answer_cache *c, const unsigned char *digest)
{
    struct entry *e = *bucket_of(c, digest);

    while (e && CRYPTO_memcmp(e->digest, digest, ANSWER_DIGEST) != 0)
        e = e->next;
    return e;
}

const struct cached_answer *answer_cache_find(struct answer_cache *c,
                                              const unsigned char digest[ANSWER_DIGEST],
                                              uint64_t now_ns)
{
    struct entry *e = look_up(c, digest);

    if (e && now_ns >= e->until_ns) {
        drop(c, e);
        return NULL;
    }
    if (!e)
        return NULL;
    list_remove(&e->age);
    list_push_front(&c->ages, &e->age);
    return &e->answer;
}

void answer_cache_add(struct answer_cache *c, const unsigned char digest[ANSWER_DIGEST],
                      const struct cached_answer *a, size_t bytes, uint64_t until_ns)
{
    struct entry *e = look_up(c, digest), **bucket = bucket_of(c, digest);

    bytes += sizeof *e;
    if (e)
        drop(c, e);
    if (bytes > c->max_bytes || !(e = calloc(1, sizeof *e)))
        return;
    while (c->entries >= c->max_entries || c->bytes + bytes > c->max_bytes)
        drop_oldest(c);
    memcpy(e->digest, digest, ANSWER_DIGEST);
    e->answer = *a;
    if (a->identity)
        identity_ref(a->identity);
    e->bytes = bytes;
    e->until_ns = until_ns;
    e->next = *bucket;
    *bucket = e;
    list_push_front(&c->ages, &e->age);
    c->entries++;
    c->bytes += bytes;
}
