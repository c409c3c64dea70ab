/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 2048 };

static bool grow(struct bytes *b, size_t need)
{
    size_t cap = b->cap ? b->cap : FIRST_BYTES;
    char *grown;

    while (cap < need)
        cap *= 2;
    grown = realloc(b->p, cap);
    if (!grown)
        return false;
    b->p = grown;
    b->cap = cap;
    return true;
}

bool bytes_add(struct bytes *b, const void *p, size_t n)
{
    if (b->start > 0 && b->end + n > b->cap) {
        memmove(b->p, b->p + b->start, bytes_len(b));
        b->end -= b->start;
        b->start = 0;
    }
    if (b->end + n > b->cap && !grow(b, b->end + n))
        return false;
    if (n > 0)
        memcpy(b->p + b->end, p, n);
    b->end += n;
    return true;
}

bool bytes_add_str(struct bytes *b, struct str s)
{
    return bytes_add(b, s.p, s.n);
}

size_t bytes_take(struct bytes *b, void *p, size_t cap)
{
    size_t n = bytes_len(b) < cap ? bytes_len(b) : cap;

    if (n > 0)
        memcpy(p, b->p + b->start, n);
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
    return n;
}

void bytes_free(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes){0};
}

void bytes_reuse(struct bytes *b, size_t keep)
{
    if (b->cap > keep)
        bytes_free(b);
    b->start = b->end = 0;
}
