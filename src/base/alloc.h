/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* alloc.h - memory for the control thread, which cannot go on without it. The request path does not
 * use this: there a missing byte is REASON_INTERNAL for one request. */
#include <stdlib.h>

/* Zeroed; ends the process when memory is out. */
static inline void *alloc_or_abort(size_t n)
{
    void *p = calloc(1, n ? n : 1);

    if (!p)
        abort();
    return p;
}
