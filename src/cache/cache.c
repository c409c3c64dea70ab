/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/cache.h"

#include "base/hash.h"
#include "cache/entry.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

static const uint64_t second_ns = 1000000000;

enum {
    BEGUN_SLOTS = 512,
    MAX_SKIPPED = 64, /* answers in use that are passed over in search of one to drop */
    MIN_BUCKETS = 64,
    MAX_BUCKETS = 1 << 20,
    BYTES_EACH_BUCKET = 2048
};

/* Keys that had no answer and whose first one is on its way. */
struct begun {
    uint64_t hash, at_ns;
};

struct cache {
    pthread_mutex_t lock;
    uint64_t seed;
    size_t size; /* guarded by the lock */
    _Atomic size_t max_answer;
    _Atomic size_t used, drafts; /* grow under the lock only */
    struct cache_entry **buckets;
    size_t nbuckets;   /* a power of two */
    struct list order; /* least recently used first */
    size_t entries;
    struct begun begun[BEGUN_SLOTS];
    uint64_t stored, evicted, refused;
};

static size_t get(const _Atomic size_t *at)
{
    return atomic_load_explicit(at, memory_order_acquire);
}

static size_t buckets_for(size_t size)
{
    size_t n = MIN_BUCKETS;

    while (n < MAX_BUCKETS && n * BYTES_EACH_BUCKET < size)
        n *= 2;
    return n;
}

/* The cache itself and its table. */
static size_t fixed_bytes(size_t nbuckets)
{
    return entry_block_bytes(sizeof(struct cache)) +
           entry_block_bytes(nbuckets * sizeof(struct cache_entry *));
}

struct cache *cache_new(size_t size, size_t max_answer, uint64_t seed)
{
    struct cache *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->nbuckets = buckets_for(size);
    c->buckets = calloc(c->nbuckets, sizeof(struct cache_entry *));
    if (!c->buckets) {
        free(c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    list_init(&c->order);
    c->size = size;
    c->seed = seed;
    atomic_init(&c->max_answer, max_answer);
    atomic_init(&c->used, fixed_bytes(c->nbuckets));
    return c;
}

static void give_back(struct cache *c, size_t bytes, bool draft)
{
    if (draft)
        atomic_fetch_sub_explicit(&c->drafts, bytes, memory_order_acq_rel);
    atomic_fetch_sub_explicit(&c->used, bytes, memory_order_acq_rel);
}

struct cache_entry *cache_ref(struct cache_entry *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void cache_unref(struct cache_entry **e)
{
    struct cache_entry *old = *e;

    *e = NULL;
    if (!old || atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) != 1)
        return;
    give_back(old->cache, old->bytes, old->draft);
    entry_free(old);
}

static struct cache_entry **bucket_of(struct cache *c, uint64_t hash)
{
    return &c->buckets[hash & (c->nbuckets - 1)];
}

/* Out of the table; readers keep it alive. */
static void unlink_entry(struct cache *c, struct cache_entry *e)
{
    struct cache_entry **at = bucket_of(c, e->hash);

    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    list_remove(&e->order);
    c->entries--;
    cache_unref(&e);
}

/* Drops answers until `need` more bytes fit. One that is being read would free nothing now. */
static bool make_room(struct cache *c, size_t need)
{
    struct list *node = c->order.next;
    unsigned skipped = 0;

    while (get(&c->used) + need > c->size && node != &c->order && skipped < MAX_SKIPPED) {
        struct cache_entry *e = CONTAINER_OF(node, struct cache_entry, order);

        node = node->next;
        if (atomic_load_explicit(&e->refs, memory_order_acquire) > 1) {
            skipped++;
            continue;
        }
        unlink_entry(c, e);
        c->evicted++;
    }
    return get(&c->used) + need <= c->size;
}

/* For a draft. Called under the lock. */
static bool reserve(struct cache *c, size_t bytes)
{
    if (get(&c->drafts) + bytes > c->size / 2 || !make_room(c, bytes)) {
        c->refused++;
        return false;
    }
    atomic_fetch_add_explicit(&c->used, bytes, memory_order_acq_rel);
    atomic_fetch_add_explicit(&c->drafts, bytes, memory_order_acq_rel);
    return true;
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    while (c->order.next != &c->order)
        unlink_entry(c, CONTAINER_OF(c->order.next, struct cache_entry, order));
    assert(get(&c->used) == fixed_bytes(c->nbuckets));
    pthread_mutex_destroy(&c->lock);
    free(c->buckets);
    free(c);
}

/* A larger or smaller table, when there is memory for one. */
static void resize_table(struct cache *c, size_t nbuckets)
{
    struct cache_entry **buckets = calloc(nbuckets, sizeof(struct cache_entry *));

    if (!buckets)
        return;
    atomic_fetch_add_explicit(&c->used, fixed_bytes(nbuckets), memory_order_acq_rel);
    atomic_fetch_sub_explicit(&c->used, fixed_bytes(c->nbuckets), memory_order_acq_rel);
    free(c->buckets);
    c->buckets = buckets;
    c->nbuckets = nbuckets;
    /* In order of use, so that a newer variant gets before the older ones again. */
    list_each(node, &c->order)
    {
        struct cache_entry *e = CONTAINER_OF(node, struct cache_entry, order);
        struct cache_entry **at = bucket_of(c, e->hash);

        e->chain = *at;
        *at = e;
    }
}

void cache_configure(struct cache *c, size_t size, size_t max_answer)
{
    pthread_mutex_lock(&c->lock);
    if (buckets_for(size) != c->nbuckets)
        resize_table(c, buckets_for(size));
    c->size = size;
    atomic_store_explicit(&c->max_answer, max_answer, memory_order_release);
    make_room(c, 0);
    pthread_mutex_unlock(&c->lock);
}

static uint64_t hash_key(const struct cache *c, const struct cache_key *k)
{
    uint64_t h = hash_str(k->who, hash_str(k->scope, c->seed));

    h = hash_str(k->host, hash_mix(h ^ k->scope_more));
    h = hash_str(k->path, h);
    return hash_mix(k->has_query ? hash_str(k->query, ~h) : h);
}

static struct cache_entry *find(struct cache *c, uint64_t hash, const struct cache_key *k,
                                const struct request *r)
{
    for (struct cache_entry *e = *bucket_of(c, hash); e; e = e->chain)
        if (e->hash == hash && entry_has_key(e, k) && entry_is_for(e, r))
            return e;
    return NULL;
}

struct cache_entry *cache_find(struct cache *c, const struct cache_key *k, const struct request *r,
                               uint64_t max_age_ns, uint64_t now_ns)
{
    uint64_t hash = hash_key(c, k);
    struct cache_entry *e;

    pthread_mutex_lock(&c->lock);
    e = find(c, hash, k, r);
    if (e &&
        (now_ns > e->stored_ns + max_age_ns || !rules_usable(&e->fresh, cache_age_s(e, now_ns))))
        e = NULL;
    if (e) {
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
        list_remove(&e->order);
        list_push_back(&c->order, &e->order);
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

struct cache_entry *cache_find_stored(struct cache *c, const struct cache_key *k,
                                      const struct request *r)
{
    struct cache_entry *e;

    pthread_mutex_lock(&c->lock);
    e = find(c, hash_key(c, k), k, r);
    if (e) {
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
        list_remove(&e->order);
        list_push_back(&c->order, &e->order);
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

uint64_t cache_key_hash(const struct cache *c, const struct cache_key *k)
{
    return hash_key(c, k);
}

int64_t cache_age_s(const struct cache_entry *e, uint64_t now_ns)
{
    uint64_t here = now_ns > e->stored_ns ? (now_ns - e->stored_ns) / second_ns : 0;

    return e->fresh.age_s + (int64_t)here;
}

/* Drops all that have the key and, unless r is NULL, would answer this request. */
static void drop(struct cache *c, uint64_t hash, const struct cache_key *k, const struct request *r)
{
    struct cache_entry *e = *bucket_of(c, hash), *next;

    for (; e; e = next) {
        next = e->chain;
        if (e->hash == hash && entry_has_key(e, k) && (!r || entry_is_for(e, r)))
            unlink_entry(c, e);
    }
}

void cache_remove(struct cache *c, const struct cache_key *k)
{
    uint64_t hash = hash_key(c, k);

    pthread_mutex_lock(&c->lock);
    drop(c, hash, k, NULL);
    c->begun[hash % BEGUN_SLOTS].at_ns = 0;
    pthread_mutex_unlock(&c->lock);
}

static bool is_recent(uint64_t at_ns, uint64_t now_ns)
{
    return at_ns != 0 && now_ns < at_ns + second_ns;
}

/* One of many equal requests is enough: the others go by without a copy. */
static bool is_due(struct cache *c, uint64_t hash, const struct cache_key *k,
                   const struct request *r, uint64_t now_ns)
{
    struct begun *b = &c->begun[hash % BEGUN_SLOTS];
    struct cache_entry *e = find(c, hash, k, r);

    if (e) {
        if (is_recent(e->refreshed_ns, now_ns))
            return false;
        e->refreshed_ns = now_ns;
        return true;
    }
    if (b->hash == hash && is_recent(b->at_ns, now_ns))
        return false;
    *b = (struct begun){hash, now_ns};
    return true;
}

struct cache_entry *cache_begin(struct cache *c, const struct cache_key *k, const struct request *r,
                                const struct response *a, const struct freshness *f,
                                uint64_t now_ns)
{
    uint64_t hash = hash_key(c, k);
    struct entry_plan plan;
    struct cache_entry *e;
    bool ok;

    if (!entry_plan(&plan, k, r, a) || entry_plan_bytes(&plan) > get(&c->max_answer))
        return NULL;
    pthread_mutex_lock(&c->lock);
    ok = is_due(c, hash, k, r, now_ns) && reserve(c, entry_plan_bytes(&plan));
    pthread_mutex_unlock(&c->lock);
    if (!ok)
        return NULL;
    e = entry_new(&plan, k, r, a);
    if (!e) {
        give_back(c, entry_plan_bytes(&plan), true);
        return NULL;
    }
    e->cache = c;
    e->bytes = entry_plan_bytes(&plan);
    e->draft = true;
    e->hash = hash;
    e->fresh = *f;
    e->stored_ns = e->refreshed_ns = now_ns;
    atomic_init(&e->refs, 1);
    return e;
}

void cache_abort(struct cache_entry **e)
{
    cache_unref(e);
}

static size_t body_block(size_t cap)
{
    return cap ? entry_block_bytes(cap) : 0;
}

/* The old and the new place of a body that moves both count until it has moved. */
static bool grow(struct cache_entry *e, size_t cap)
{
    size_t old = body_block(e->body_cap), more = body_block(cap);
    struct cache *c = e->cache;
    bool ok;

    pthread_mutex_lock(&c->lock);
    ok = reserve(c, more);
    pthread_mutex_unlock(&c->lock);
    if (!ok)
        return false;
    ok = entry_resize_body(e, cap);
    give_back(c, ok ? old : more, true);
    if (ok)
        e->bytes += more - old;
    return ok;
}

static void shrink(struct cache_entry *e)
{
    size_t old = body_block(e->body_cap), less = body_block(e->body.n);

    if (e->body_cap == e->body.n || !entry_resize_body(e, e->body.n))
        return;
    e->bytes -= old - less;
    give_back(e->cache, old - less, true);
}

bool cache_append(struct cache_entry **e, const void *p, size_t n)
{
    struct cache_entry *d = *e;
    size_t head = d->bytes - body_block(d->body_cap), max = get(&d->cache->max_answer);
    size_t need = d->body.n + n, cap = d->body_cap ? d->body_cap : 4096;

    while (cap < need)
        cap *= 2;
    if (head + body_block(cap) > max)
        cap = need;
    if (need > d->body_cap && (head + body_block(cap) > max || !grow(d, cap))) {
        cache_abort(e);
        return false;
    }
    entry_add_body(d, p, n);
    return true;
}

/* So that one key cannot fill the table with variants. */
static void limit_variants(struct cache *c, const struct cache_entry *newest)
{
    struct cache_entry *last = NULL;
    unsigned n = 0;

    for (struct cache_entry *e = newest->chain; e; e = e->chain)
        if (e->hash == newest->hash && entry_has_key(e, &newest->key)) {
            last = e;
            n++;
        }
    if (n >= CACHE_MAX_VARIANTS)
        unlink_entry(c, last);
}

void cache_commit(struct cache_entry **e, const struct request *r)
{
    struct cache_entry *d = *e;
    struct cache *c = d->cache;
    struct cache_entry **at;

    *e = NULL;
    shrink(d);
    pthread_mutex_lock(&c->lock);
    drop(c, d->hash, &d->key, r);
    d->draft = false;
    atomic_fetch_sub_explicit(&c->drafts, d->bytes, memory_order_acq_rel);
    at = bucket_of(c, d->hash);
    d->chain = *at;
    *at = d;
    list_push_back(&c->order, &d->order);
    c->entries++;
    c->stored++;
    limit_variants(c, d);
    make_room(c, 0);
    pthread_mutex_unlock(&c->lock);
}

struct cache_usage cache_usage(struct cache *c)
{
    struct cache_usage u;

    pthread_mutex_lock(&c->lock);
    u = (struct cache_usage){get(&c->used), c->entries, c->stored, c->evicted, c->refused};
    pthread_mutex_unlock(&c->lock);
    return u;
}

/* Fields that say what the body is, which has not changed, stay as they were stored. */
static bool is_kept(const struct header *h, const struct response *fresh)
{
    return h->id == HEADER_CONTENT_LENGTH || str_istarts(h->name, STR("content-")) ||
           !rules_header(fresh->headers, fresh->nheaders, h->name);
}

static void merge(const struct cache_entry *old, const struct response *fresh, struct response *ret)
{
    *ret = (struct response){.status = old->status,
                             .minor = 1,
                             .framing = FRAMING_LENGTH,
                             .content_length = old->body.n,
                             .has_content_length = true};
    for (unsigned i = 0; i < old->nheaders && ret->nheaders < HTTP_MAX_HEADERS; i++)
        if (is_kept(&old->headers[i], fresh))
            ret->headers[ret->nheaders++] = old->headers[i];
    for (unsigned i = 0; i < fresh->nheaders && ret->nheaders < HTTP_MAX_HEADERS; i++)
        if (!str_istarts(fresh->headers[i].name, STR("content-")))
            ret->headers[ret->nheaders++] = fresh->headers[i];
}

struct cache_entry *cache_freshen(struct cache *c, const struct cache_entry *old,
                                  const struct request *r, const struct response *not_modified,
                                  const struct freshness *f, uint64_t now_ns)
{
    struct response merged;
    struct cache_entry *e;

    merge(old, not_modified, &merged);
    e = cache_begin(c, &old->key, r, &merged, f, now_ns);
    if (!e || !cache_append(&e, old->body.p, old->body.n))
        return NULL;
    cache_commit(&e, r);
    return cache_find_stored(c, &old->key, r);
}

size_t cache_purge(struct cache *c, bool (*is)(void *arg, const struct cache_entry *e), void *arg)
{
    size_t n = 0;

    pthread_mutex_lock(&c->lock);
    memset(c->begun, 0, sizeof c->begun);
    for (size_t i = 0; i < c->nbuckets; i++) {
        struct cache_entry *e = c->buckets[i], *next;

        for (; e; e = next) {
            next = e->chain;
            if (!is(arg, e))
                continue;
            unlink_entry(c, e);
            n++;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return n;
}
