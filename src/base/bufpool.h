/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* bufpool.h - equal buffers of a worker, handed out while a connection has something in them.
 *
 * An idle connection holds none. Not shared between threads. Up to `keep` free ones are kept warm
 * (last in, first out); the others go back to malloc. */
#include "base/macros.h"

#include <stddef.h>

enum { BUF_BYTES = 64 * 1024 };

struct buf {
    struct buf *next;  /* while free */
    size_t start, end; /* content: data[start, end) */
    char data[BUF_BYTES];
};

struct bufpool {
    struct buf *free;
    unsigned nfree, keep, used;
};

void bufpool_init(struct bufpool *p, unsigned keep);
void bufpool_release(struct bufpool *p);
/* Empty; NULL when memory is out. */
struct buf *bufpool_get(struct bufpool *p) MUST_CHECK;
/* Gives it back and clears the caller's pointer; accepts a pointer to NULL. */
void bufpool_put(struct bufpool *p, struct buf **b);

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline size_t buf_space(const struct buf *b)
{
    return BUF_BYTES - b->end;
}

/* Moves the content to the front, to make room at the end. */
void buf_compact(struct buf *b);
