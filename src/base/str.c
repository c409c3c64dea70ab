/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

bool str_ieq(struct str a, struct str b)
{
    return a.n == b.n && str_istarts(a, b);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_istarts(struct str s, struct str prefix)
{
    if (s.n < prefix.n)
        return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i]))
            return false;
    return true;
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

bool str_next(struct str *rest, char sep, struct str *ret_item)
{
    while (rest->n > 0) {
        const char *cut = memchr(rest->p, sep, rest->n);
        size_t n = cut ? (size_t)(cut - rest->p) : rest->n;
        struct str item = str_trim((struct str){rest->p, n});

        rest->p += cut ? n + 1 : n;
        rest->n -= cut ? n + 1 : n;
        if (item.n > 0) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

bool str_to_u64(struct str s, uint64_t *ret_value)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *ret_value = v;
    return true;
}
