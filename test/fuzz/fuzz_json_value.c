/* SPDX-License-Identifier: Apache-2.0 */
/* What is read is written again as the same value, within its bounds. */
#include "json/value.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new_bounded(1 << 20);
    struct bytes out = {0}, again = {0};
    const char *why;
    const struct value *v, *w;

    if (!a)
        return 0;
    v = value_parse(a, (struct str){(const char *)data, size}, 32, &why);
    if (v && value_write(v, 1 << 20, &out)) {
        w = value_parse(a, bytes_str(&out), 32, &why);
        if (w && (!value_write(w, 1 << 20, &again) || !str_eq(bytes_str(&out), bytes_str(&again)) ||
                  !value_equal(a, v, w)))
            abort();
        if (!w && strcmp(why, "is too large") != 0)
            abort();
    }
    bytes_free(&out);
    bytes_free(&again);
    arena_free(a);
    return 0;
}
