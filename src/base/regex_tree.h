/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* regex_tree.h - what regex_parse.c makes of a pattern and regex.c a program of. Private to them.
 */
#include "base/regex.h"

enum regex_kind {
    REGEX_EMPTY,
    REGEX_SET,   /* one byte of `set` */
    REGEX_POINT, /* one code point: an ASCII byte of `set`, or any that is not ASCII */
    REGEX_ASSERT,
    REGEX_CAT, /* left, then right */
    REGEX_ALT, /* left or right */
    REGEX_REPEAT
};

enum regex_assert {
    REGEX_TEXT_BEGIN,
    REGEX_TEXT_END,
    REGEX_LINE_BEGIN,
    REGEX_LINE_END,
    REGEX_WORD,
    REGEX_NO_WORD
};

struct regex_set {
    uint64_t bits[4]; /* by byte */
};

enum { REGEX_FOREVER = -1 };

struct regex_node {
    enum regex_kind kind;
    struct regex_set set;
    enum regex_assert assert;
    int min, max; /* max REGEX_FOREVER */
    struct regex_node *left, *right;
};

static inline void regex_set_add(struct regex_set *s, unsigned low, unsigned high)
{
    for (unsigned c = low; c <= high; c++)
        s->bits[c / 64] |= 1ull << (c % 64);
}

static inline bool regex_set_has(const struct regex_set *s, unsigned char c)
{
    return s->bits[c / 64] >> (c % 64) & 1;
}

/* NULL: *ret_why. */
struct regex_node *regex_parse(struct arena *a, struct str pattern, const char **ret_why);
/* A class or a class escape, in regex_class.c. `at` is behind the `[`; the place behind the `]`
 * comes back, NULL: *ret_why. *ret_negated: it is what is not in *ret. */
const char *regex_class(const char *at, const char *end, bool fold, struct regex_set *ret,
                        bool *ret_negated, const char **ret_why);
/* \d \w \s and their opposites, by the letter; false when it is none. */
bool regex_class_escape(char letter, struct regex_set *ret, bool *ret_negated);
/* One character behind a backslash, its code point; the place behind it, NULL: *ret_why. */
const char *regex_escape(const char *at, const char *end, uint32_t *ret, const char **ret_why);
/* The letters of the set in both cases. */
void regex_fold(struct regex_set *s);
