/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* bytes.h - bytes in order, in memory that grows: added at the end, taken at the front. */
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Zeroed: empty, without memory. */
struct bytes {
    char *p;
    size_t start, end, cap;
};

static inline size_t bytes_len(const struct bytes *b)
{
    return b->end - b->start;
}

static inline struct str bytes_str(const struct bytes *b)
{
    return b->p ? (struct str){b->p + b->start, bytes_len(b)} : STR("");
}

/* False when memory is out. */
bool bytes_add(struct bytes *b, const void *p, size_t n) MUST_CHECK;
bool bytes_add_str(struct bytes *b, struct str s) MUST_CHECK;
/* How many there were, `cap` at most. */
size_t bytes_take(struct bytes *b, void *p, size_t cap);
void bytes_free(struct bytes *b);
/* Empties it; memory of up to `keep` bytes stays for the next use. */
void bytes_reuse(struct bytes *b, size_t keep);
