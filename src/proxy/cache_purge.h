/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cache_purge.h - forgets stored answers: of a route, of a service's routes, with a tag, with a
 * path, or all. Thread: control. */
#include "snapshot/snapshot.h"

struct cache;

/* One of them is not NULL, or `all`. */
struct cache_purge_order {
    const char *route;   /* its name */
    const char *service; /* one of its targets */
    const char *tag; /* a word of the answer's Cache-Tag (by commas) or Surrogate-Key (by blanks) */
    const char *path; /* to the letter; with a star at its end: all that begin so */
    bool all;
};

/* How many there were. */
size_t cache_purge_run(struct cache *c, const struct snapshot *s,
                       const struct cache_purge_order *o);
