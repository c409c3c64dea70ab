/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* entry.h - the memory of one stored answer: two blocks, one for everything that its head says, one
 * for its body. Private to the cache; nothing here locks or counts. */
#include "cache/cache.h"

/* What an answer's entry will hold, measured before it is made. */
struct entry_plan {
    size_t text;           /* bytes of the strings */
    unsigned nheaders;     /* that are stored */
    size_t content_length; /* 0 = none, or not known */
    unsigned nvary;
    struct cache_vary vary[CACHE_MAX_VARY]; /* names are slices of the answer, values are not set */
};

/* What malloc takes for a block of n bytes; never less. */
size_t entry_block_bytes(size_t n);
/* False when the answer varies by more fields than are kept. */
bool entry_plan(struct entry_plan *p, const struct cache_key *k, const struct request *r,
                const struct response *a) MUST_CHECK;
/* Bytes of both blocks. */
size_t entry_plan_bytes(const struct entry_plan *p);
/* NULL when memory is out. */
struct cache_entry *entry_new(const struct entry_plan *p, const struct cache_key *k,
                              const struct request *r, const struct response *a) MUST_CHECK;
void entry_free(struct cache_entry *e);

bool entry_resize_body(struct cache_entry *e, size_t cap) MUST_CHECK;
void entry_add_body(struct cache_entry *e, const void *p, size_t n);

bool entry_has_key(const struct cache_entry *e, const struct cache_key *k);
/* RFC 9111 section 4.1: do the fields that the answer varies by have the same values? */
bool entry_is_for(const struct cache_entry *e, const struct request *r);
