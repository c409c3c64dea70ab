/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a client sends as a batch: nothing in an item can end a line of the request made of it.
 */
#include "aggregate/batch_document.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool any(void *arg, struct str name)
{
    (void)arg;
    return name.n > 0;
}

static void check_line(struct str s, bool path)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= (path ? ' ' : 0x1f) && s.p[i] != '\t')
            abort();
}

static void check(const struct batch_item *item)
{
    struct str rest = item->fields;

    check_line(item->path, true);
    check_line(item->method, true);
    while (rest.n > 0) {
        const char *end = memmem(rest.p, rest.n, "\r\n", 2);
        size_t n;

        if (!end)
            abort();
        n = (size_t)(end - rest.p);
        check_line((struct str){rest.p, n}, false);
        rest = (struct str){end + 2, rest.n - n - 2};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new_bounded(1 << 20);
    struct batch b;
    const char *why;

    if (a && batch_parse(a, (struct str){(const char *)data, size}, 8, any, NULL, &b, &why))
        for (size_t i = 0; i < b.n; i++)
            if (!b.items[i].wrong)
                check(&b.items[i]);
    arena_free(a);
    return 0;
}
