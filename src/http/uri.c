/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"

#include "http/chars.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

/* Copies one byte or percent-encoding from path[*r] to path[*w] in its normal form. */
static bool copy_normal(char *path, size_t n, size_t *r, size_t *w)
{
    char c = path[*r];

    if (LIKELY(c != '%')) {
        if (!char_is(c, CHAR_TARGET) || c == '\\' || c == '?')
            return false;
        path[(*w)++] = c;
        (*r)++;
        return true;
    }
    if (n - *r < 3)
        return false;

    int high = char_hex(path[*r + 1]), low = char_hex(path[*r + 2]);
    if (high < 0 || low < 0)
        return false;
    c = (char)(high << 4 | low);
    if (c == '\0' || c == '/' || c == '\\')
        return false;
    *r += 3;
    if (char_is(c, CHAR_UNRESERVED)) {
        path[(*w)++] = c;
        return true;
    }
    path[(*w)++] = '%';
    path[(*w)++] = "0123456789ABCDEF"[high];
    path[(*w)++] = "0123456789ABCDEF"[low];
    return true;
}

enum segment { SEGMENT_PLAIN, SEGMENT_DOT, SEGMENT_DOTS, SEGMENT_BAD };

static enum segment segment_kind(const char *s, size_t n)
{
    size_t dots = 0;

    while (dots < n && s[dots] == '.')
        dots++;
    if (dots == 0 || dots > 2)
        return SEGMENT_PLAIN;
    if (dots == n)
        return dots == 1 ? SEGMENT_DOT : SEGMENT_DOTS;
    /* Servlet containers drop ";..." before they resolve dots: "/..;/" would climb there. */
    return s[dots] == ';' ? SEGMENT_BAD : SEGMENT_PLAIN;
}

bool uri_normalise_path(char *path, size_t *n)
{
    size_t r = 0, w = 0;

    if (*n == 0 || path[0] != '/')
        return false;
    while (r < *n) {
        while (r < *n && path[r] == '/')
            r++;
        path[w++] = '/';
        size_t segment = w;
        while (r < *n && path[r] != '/')
            if (!copy_normal(path, *n, &r, &w))
                return false;

        enum segment kind = segment_kind(path + segment, w - segment);
        if (kind == SEGMENT_PLAIN)
            continue;
        if (kind == SEGMENT_BAD || (kind == SEGMENT_DOTS && segment == 1))
            return false;
        w = segment - 1;
        if (kind == SEGMENT_DOTS)
            while (path[--w] != '/')
                ;
        if (r == *n)
            path[w++] = '/';
    }
    *n = w;
    return true;
}

static bool check_port(const char *p, size_t n)
{
    unsigned value = 0;

    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        value = value * 10 + (unsigned)(p[i] - '0');
        if (value > 65535)
            return false;
    }
    return true;
}

/* "[" IPv6address "]": returns its length with the brackets, 0 when it is not one. */
static size_t check_ipv6(const char *p, size_t n)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;
    const char *close = memchr(p, ']', n);
    size_t len = close ? (size_t)(close - p) - 1 : 0;

    if (len == 0 || len >= sizeof(text) || memchr(p, '\0', len + 1))
        return 0;
    memcpy(text, p + 1, len);
    text[len] = '\0';
    return inet_pton(AF_INET6, text, &addr) == 1 ? len + 2 : 0;
}

bool uri_check_authority(char *authority, size_t n)
{
    size_t host = 0;

    if (n > 0 && authority[0] == '[') {
        host = check_ipv6(authority, n);
    } else {
        while (host < n && char_is(authority[host], CHAR_UNRESERVED))
            host++;
    }
    if (host == 0)
        return false;
    if (host < n && (authority[host] != ':' || !check_port(authority + host + 1, n - host - 1)))
        return false;
    for (size_t i = 0; i < host; i++)
        authority[i] = ascii_lower(authority[i]);
    return true;
}

void uri_split_authority(struct str authority, struct str *ret_host, uint16_t *ret_port)
{
    unsigned port = 0, place = 1;
    size_t n = authority.n;

    while (n > 0 && authority.p[n - 1] >= '0' && authority.p[n - 1] <= '9') {
        port += (unsigned)(authority.p[n - 1] - '0') * place;
        place *= 10;
        n--;
    }
    if (n > 0 && authority.p[n - 1] == ':') {
        *ret_host = (struct str){authority.p, n - 1};
        *ret_port = (uint16_t)port;
    } else {
        *ret_host = authority;
        *ret_port = 0;
    }
}
