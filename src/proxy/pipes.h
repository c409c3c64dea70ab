/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* pipes.h - pipes of a worker, through which the kernel moves bodies from socket to socket without
 * a copy (splice(2)).
 *
 * A pipe is borrowed for as long as one body needs it. At most PIPES_MAX are open, because the pipe
 * pages of a user are limited (pipe-user-pages-soft in proc(5)); a body that gets none is copied.
 * So it is when a pipe may not hold PIPE_BYTES: through a smaller one, moving costs more than
 * copying (docs/performance.md). */
#include "base/macros.h"

#include <stddef.h>

enum { PIPES_MAX = 16, PIPES_KEPT = 4, PIPE_BYTES = 1024 * 1024 };

struct pipe {
    struct pipe *next; /* while free */
    int out, in;       /* read from, written to */
    size_t held;       /* bytes in it */
};

struct pipes {
    struct pipe *free;
    unsigned nfree, nopen;
};

/* Empty; NULL when there are enough, or none can be made. */
struct pipe *pipes_get(struct pipes *p) MUST_CHECK;
/* Gives it back, with what may still be in it, and clears the caller's pointer; accepts a pointer
 * to NULL. */
void pipes_put(struct pipes *p, struct pipe **pp);
/* All must have been given back. */
void pipes_release(struct pipes *p);
