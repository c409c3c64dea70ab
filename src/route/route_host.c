/* SPDX-License-Identifier: Apache-2.0 */
/* route_host.c - hosts and paths with wildcards. */
#include "http/uri.h"
#include "route/route_table.h"

#include <stdlib.h>

struct str route_host_name(struct str full)
{
    struct str host;
    uint16_t port;

    uri_split_authority(full, &host, &port);
    if (host.n > 1 && host.p[host.n - 1] == '.')
        host.n--;
    return host;
}

/* The bracket that ends the set that begins at `at`; SIZE_MAX when there is none, or nothing in
 * it. */
static size_t set_end(struct str pattern, size_t at)
{
    size_t first = at + 1;

    if (first < pattern.n && (pattern.p[first] == '!' || pattern.p[first] == '^'))
        first++;
    const char *end = first < pattern.n ? memchr(pattern.p + first, ']', pattern.n - first) : NULL;
    size_t found = end ? (size_t)(end - pattern.p) : SIZE_MAX;
    return found == first ? SIZE_MAX : found;
}

static bool in_set(struct str set, char c)
{
    bool inverse = set.n > 0 && (set.p[0] == '!' || set.p[0] == '^'), found = false;

    for (size_t i = inverse; i < set.n; i++) {
        bool range = i + 2 < set.n && set.p[i + 1] == '-';
        unsigned char low = (unsigned char)set.p[i];
        unsigned char high = range ? (unsigned char)set.p[i + 2] : low;

        found |= (unsigned char)c >= low && (unsigned char)c <= high;
        i += range ? 2 : 0;
    }
    return found != inverse;
}

/* Does what stands in the pattern at *p take this byte? Then *p is moved behind it. */
static bool takes_byte(struct str pattern, size_t *p, char c)
{
    size_t end;

    if (*p >= pattern.n)
        return false;
    if (pattern.p[*p] == '[' && (end = set_end(pattern, *p)) != SIZE_MAX) {
        bool found = in_set((struct str){pattern.p + *p + 1, end - *p - 1}, c);
        *p = found ? end + 1 : *p;
        return found;
    }
    if (pattern.p[*p] != '?' && pattern.p[*p] != c)
        return false;
    ++*p;
    return true;
}

/* Goes back to the last '*' only, so the cost is at most the product of the lengths. */
bool route_glob(struct str pattern, struct str s)
{
    size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;

    while (i < s.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = i;
        } else if (takes_byte(pattern, &p, s.p[i])) {
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static size_t port_bytes(struct str host)
{
    size_t digits = 0;

    while (digits < host.n && host.p[host.n - 1 - digits] >= '0' &&
           host.p[host.n - 1 - digits] <= '9')
        digits++;
    return digits > 0 && digits < host.n && host.p[host.n - 1 - digits] == ':' ? digits + 1 : 0;
}

bool route_host_glob(struct str host, struct host_glob *ret)
{
    size_t last = SIZE_MAX, wild = 0, start = str_starts(host, STR("*.")) ? 2 : 0;

    /* "[::1]:80" is an address. */
    if (host.n > 0 && host.p[0] == '[' && memchr(host.p, ':', strcspn(host.p, "]")))
        return false;
    for (size_t i = start; i < host.n; i++) {
        size_t end = host.p[i] == '[' ? set_end(host, i) : SIZE_MAX;

        if (end == SIZE_MAX && host.p[i] != '*' && host.p[i] != '?')
            continue;
        wild += end == SIZE_MAX ? 1 : end - i + 1;
        last = i = end == SIZE_MAX ? i : end;
    }
    if (last == SIZE_MAX)
        return false;
    size_t port = port_bytes(host), behind = host.n - last - 1;
    *ret = (struct host_glob){
        .pattern = host,
        .suffix = behind > port ? behind - port : 0,
        .literals = host.n - wild - (start > 0),
        .ported = port > 0,
    };
    return true;
}

static const char *glob_problem(const char *host)
{
    static const char others[] = "-._*?[]!^:";

    for (const char *p = host; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && !strchr(others, *p))
            return "a host with wildcards has letters in lower case, digits, '-', '.', '*', '?' "
                   "and [a-z]";
    return NULL;
}

const char *route_host_problem(const char *host)
{
    const char *rest = strncmp(host, "*.", 2) == 0 ? host + 2 : host;
    char copy[ROUTE_MAX_HOST + 1];
    size_t n = strlen(rest);
    struct host_glob glob;

    if (*host == '\0')
        return NULL;
    if (n > ROUTE_MAX_HOST)
        return "the host is too long";
    if (route_host_glob(str_of(host), &glob))
        return glob_problem(host);
    memcpy(copy, rest, n + 1);
    if (!uri_check_authority(copy, n))
        return "a host is a name, \"*.\" and a name, or empty";
    return strcmp(copy, rest) == 0 ? NULL : "the host is not in lower case";
}

struct host_glob *route_globs_find(struct route_table *t, const char *host)
{
    for (uint32_t i = 0; i < t->nglobs; i++)
        if (str_eq(t->globs[i].pattern, str_of(host)))
            return &t->globs[i];
    return NULL;
}

bool route_globs_add(struct route_table *t, const char *host)
{
    struct host_glob glob;

    if (!route_host_glob(str_of(host), &glob) || route_globs_find(t, host))
        return true;
    if (t->nglobs == ROUTE_MAX_GLOBS)
        return false;
    t->globs[t->nglobs++] = glob;
    return true;
}

static int by_specificity(const void *pa, const void *pb)
{
    const struct host_glob *a = pa, *b = pb;

    if (a->suffix != b->suffix)
        return a->suffix < b->suffix ? 1 : -1;
    if (a->literals != b->literals)
        return a->literals < b->literals ? 1 : -1;
    return strcmp(a->pattern.p, b->pattern.p);
}

void route_globs_sort(struct route_table *t)
{
    qsort(t->globs, t->nglobs, sizeof(t->globs[0]), by_specificity);
}
