/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/json_out.h"

#include <stdlib.h>
#include <string.h>

static char *reserve(struct json_out *o, size_t n)
{
    if (o->cap - o->n < n) {
        size_t cap = o->cap ? o->cap : 4096;

        while (cap - o->n < n)
            cap *= 2;
        o->p = realloc(o->p, cap);
        if (!o->p)
            abort();
        o->cap = cap;
    }
    return o->p + o->n;
}

void json_out_release(struct json_out *o)
{
    free(o->p);
    *o = (struct json_out){0};
}

void json_out_raw(struct json_out *o, const char *text)
{
    size_t n = strlen(text);

    memcpy(reserve(o, n), text, n);
    o->n += n;
}

void json_out_number(struct json_out *o, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    memcpy(reserve(o, sizeof digits), digits + at, sizeof digits - at);
    o->n += sizeof digits - at;
}

void json_out_tenths(struct json_out *o, int64_t n)
{
    char point[] = ".0";

    if (n < 0) {
        json_out_raw(o, "null");
        return;
    }
    json_out_number(o, (uint64_t)n / 10);
    if (n % 10 == 0)
        return;
    point[1] = (char)('0' + n % 10);
    json_out_raw(o, point);
}
