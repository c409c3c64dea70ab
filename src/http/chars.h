/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* chars.h - what a byte may be used for in HTTP, as one table lookup. */
#include <stdbool.h>
#include <stdint.h>

enum {
    CHAR_TOKEN = 1,      /* tchar (RFC 9110 section 5.6.2) */
    CHAR_VALUE = 2,      /* in a field value: HTAB, SP, VCHAR, obs-text (section 5.5) */
    CHAR_TARGET = 4,     /* in a request target: printable ASCII but '#' */
    CHAR_UNRESERVED = 8, /* RFC 3986 section 2.3 */
};

extern const uint8_t char_classes[256];

static inline bool char_is(char c, unsigned classes)
{
    return (char_classes[(unsigned char)c] & classes) != 0;
}

/* Value of a hexadecimal digit, or -1. */
static inline int char_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
