/* SPDX-License-Identifier: Apache-2.0 */
#include "json/utf8.h"

#include <stdbool.h>

static bool follows(const char *p, unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        if (((unsigned char)p[i] & 0xc0) != 0x80)
            return false;
    return true;
}

/* Shortest forms alone, no surrogates, nothing beyond U+10FFFF. */
unsigned utf8_length(const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0], d = n > 1 ? (unsigned char)p[1] : 0;

    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c < 0xe0)
        return n >= 2 && follows(p, 2) ? 2 : 0;
    if (c >= 0xe0 && c < 0xf0)
        return n >= 3 && follows(p, 3) && !(c == 0xe0 && d < 0xa0) && !(c == 0xed && d > 0x9f) ? 3
                                                                                               : 0;
    if (c >= 0xf0 && c < 0xf5)
        return n >= 4 && follows(p, 4) && !(c == 0xf0 && d < 0x90) && !(c == 0xf4 && d > 0x8f) ? 4
                                                                                               : 0;
    return 0;
}

unsigned utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++) {
        char c = p[i];

        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* The character of "\uXXXX" at p, with its other half if it has one; *ret_n: how long it is. */
static uint32_t escaped_character(const char *p, const char *end, size_t *ret_n)
{
    uint32_t c = hex4(p + 2), low;

    *ret_n = 6;
    if (c < 0xd800 || c > 0xdfff)
        return c;
    if (c > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
        return 0xfffd;
    low = hex4(p + 8);
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *ret_n = 12;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

size_t utf8_unescape(struct str raw, char *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *p = raw.p, *end = raw.p + raw.n;
    size_t n = 0;

    while (p < end) {
        const char *known;
        size_t used;

        if (*p != '\\') {
            out[n++] = *p++;
        } else if (p[1] == 'u') {
            n += utf8_put(escaped_character(p, end, &used), out + n);
            p += used;
        } else {
            known = strchr(from, p[1]);
            out[n++] = known ? to[known - from] : p[1];
            p += 2;
        }
    }
    return n;
}
