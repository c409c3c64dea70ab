/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cache.h - answers of services in memory, within a bound that is never passed.
 *
 * One cache is shared by all workers. A mutex guards the table and the order of use and is held for
 * a lookup, never while bytes are copied. An answer that is stored never changes: a newer one takes
 * its place, and the old one lives on until its last reader gives it back. What counts against the
 * bound is everything: keys, header fields, bodies, the table, the allocator's part, answers that
 * are still arriving (at most half of it), and answers that were replaced but are still being sent.
 * When room is needed, the answer that was neither stored nor used for longest goes.
 *
 * The key is what names the thing (whose answers, host, path, query) and the request fields that
 * the answer's Vary selects (RFC 9111 section 4.1). Whether an answer may be stored is the caller's
 * question to rules.h. Time is an argument. */
#include "base/list.h"
#include "cache/rules.h"

#include <stdatomic.h>

struct cache;

struct cache_key {
    struct str scope;    /* whose answers: the name of a route */
    uint64_t scope_more; /* tells scopes of one name apart */
    struct str who;      /* for whom alone; n = 0: for everybody */
    struct str host, path, query;
    bool has_query;
};

enum { CACHE_MAX_VARY = 8, CACHE_MAX_VARIANTS = 16 };

struct cache_vary {
    struct str name, value; /* of the request: its field lines joined */
    bool present;
};

/* A stored answer, or one that is being stored. */
struct cache_entry {
    /* For readers: does not change once stored. */
    unsigned status;
    unsigned nheaders;
    struct header *headers; /* no hop-by-hop fields, no Content-Length, no Age */
    struct str body;
    struct str etag, last_modified; /* empty = none */
    struct freshness fresh;
    uint64_t stored_ns; /* when its head arrived */

    /* Of the cache. */
    struct cache *cache;
    _Atomic unsigned refs;
    size_t bytes; /* counted for it */
    bool draft;
    uint64_t hash;
    struct cache_key key;
    unsigned nvary;
    struct cache_vary vary[CACHE_MAX_VARY];
    size_t body_cap;
    struct cache_entry *chain; /* guarded by the mutex, as are the next two */
    struct list order;
    uint64_t refreshed_ns;
};

/* `seed` makes the places in the table unpredictable. NULL when memory is out. */
struct cache *cache_new(size_t size, size_t max_answer, uint64_t seed) MUST_CHECK;
/* Every entry must have been given back. Accepts NULL. */
void cache_free(struct cache *c);
/* New bounds, in force at once; what is being read or written may be above for a moment. */
void cache_configure(struct cache *c, size_t size, size_t max_answer);

/* Begins to store the answer whose head is `a`. NULL when that is not wanted: it was stored less
 * than a second ago, it is being stored, it is too large or there is no room. The body follows with
 * cache_append(), then cache_commit() or cache_abort(). */
struct cache_entry *cache_begin(struct cache *c, const struct cache_key *k, const struct request *r,
                                const struct response *a, const struct freshness *f,
                                uint64_t now_ns) MUST_CHECK;
/* False when it has become too large: it is given up and *e is NULL. */
bool cache_append(struct cache_entry **e, const void *p, size_t n) MUST_CHECK;
/* Takes the place of what was stored for this request. Clears the caller's pointer. */
void cache_commit(struct cache_entry **e, const struct request *r);
void cache_abort(struct cache_entry **e);

/* The newest answer for this request that is not older than max_age_ns and may be used; NULL when
 * there is none. Give it back with cache_unref(). */
struct cache_entry *cache_find(struct cache *c, const struct cache_key *k, const struct request *r,
                               uint64_t max_age_ns, uint64_t now_ns) MUST_CHECK;
/* The newest answer for this request, fresh or not. */
struct cache_entry *cache_find_stored(struct cache *c, const struct cache_key *k,
                                      const struct request *r) MUST_CHECK;
/* What tells keys apart, nearly always. */
uint64_t cache_key_hash(const struct cache *c, const struct cache_key *k);
/* The service says (304) that the stored answer is still the one: its head is brought up to date
 * (RFC 9111 section 4.3.4). The caller's reference to what is stored now; NULL when there is no
 * room, and `old` is all there is. */
struct cache_entry *cache_freshen(struct cache *c, const struct cache_entry *old,
                                  const struct request *r, const struct response *not_modified,
                                  const struct freshness *f, uint64_t now_ns) MUST_CHECK;
/* Forgets all for which `is` says so; how many. `is` runs under the mutex. */
size_t cache_purge(struct cache *c, bool (*is)(void *arg, const struct cache_entry *e), void *arg);
struct cache_entry *cache_ref(struct cache_entry *e);
/* Clears the caller's pointer; accepts a pointer to NULL. Any thread. */
void cache_unref(struct cache_entry **e);
/* Forgets every answer with this key. */
void cache_remove(struct cache *c, const struct cache_key *k);

/* RFC 9111 section 4.2.3. */
int64_t cache_age_s(const struct cache_entry *e, uint64_t now_ns);

struct cache_usage {
    size_t bytes, entries;
    uint64_t stored, evicted, refused; /* refused: no room */
};
struct cache_usage cache_usage(struct cache *c);
