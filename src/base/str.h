/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* str.h - a borrowed slice of bytes: not owned, not NUL-terminated.
 *
 * The owner of the bytes (a connection's buffer, an arena, a literal) must outlive the slice. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NULL     ((struct str){NULL, 0})
/* For printf's "%.*s". */
#define STR_FMT(s) (int)(s).n, (s).p

static inline struct str str_of(const char *z)
{
    return (struct str){z, z ? strlen(z) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The same text, or NULL both of them. */
static inline bool str_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* ASCII case-insensitive, as HTTP field names and hosts are (RFC 9110 section 5.1, 4.2.3). */
bool str_ieq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);

/* Removes spaces and tabs (OWS, RFC 9110 section 5.6.3) from both ends. */
struct str str_trim(struct str s);

/* Cuts the next element of a list separated by `sep` off *rest, trimmed; false at the end.
 * Empty elements are skipped. */
bool str_next(struct str *rest, char sep, struct str *ret_item);

/* Whole slice as an unsigned decimal: digits only, no sign, no overflow. */
bool str_to_u64(struct str s, uint64_t *ret_value);

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
