/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* route_map.h - a hash map from (number, bytes) to a number, for the route table.
 *
 * Open addressing, grown by doubling, never shrunk. The number lets one map hold the edges of all
 * nodes of a trie. The hash is made byte by byte, so that all prefixes of a path are hashed in one
 * pass over it. Keys are borrowed. Building may abort when memory is out; finding never
 * allocates. */
#include "base/hash.h"
#include "base/str.h"

struct route_map_slot {
    uint64_t hash;
    const char *key; /* NULL = free */
    uint32_t n, number, value;
};

struct route_map {
    struct route_map_slot *slots; /* owned */
    size_t mask, count;
};

void route_map_release(struct route_map *m);

/* hash = route_hash_start(number), then a step for each byte; complete at any time. */
static inline uint64_t route_hash_start(uint32_t number)
{
    return hash_mix(number ^ 0xcbf29ce484222325ull);
}
static inline uint64_t route_hash_step(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 0x100000001b3ull;
}

/* 0 when there is none: 0 is not stored. */
uint32_t route_map_find_hashed(const struct route_map *m, uint32_t number, struct str key,
                               uint64_t hash);
uint32_t route_map_find(const struct route_map *m, uint32_t number, struct str key);
/* Where the value of the key is, 0 when it is new. Valid until the next call. */
uint32_t *route_map_at(struct route_map *m, uint32_t number, struct str key);
