/* SPDX-License-Identifier: Apache-2.0 */
/* regex_class.c - what stands for characters in an expression: classes and escapes. */
#include "base/regex_tree.h"

static int hex_value(char c)
{
    char low = ascii_lower(c);

    if (c >= '0' && c <= '9')
        return c - '0';
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* \x7F and \x{10FFFF}; `at` is behind the x. */
static const char *hex_escape(const char *at, const char *end, uint32_t *ret, const char **ret_why)
{
    bool braces = at < end && *at == '{';
    uint32_t value = 0;
    unsigned digits = 0;

    at += braces;
    while (at < end && hex_value(*at) >= 0 && digits < (braces ? 6u : 2u)) {
        value = value * 16 + (uint32_t)hex_value(*at++);
        digits++;
    }
    *ret_why = "a bad \\x escape";
    if (digits == 0 || (!braces && digits != 2) || value > 0x10ffff)
        return NULL;
    if (braces && (at == end || *at++ != '}'))
        return NULL;
    *ret = value;
    return at;
}

const char *regex_escape(const char *at, const char *end, uint32_t *ret, const char **ret_why)
{
    static const char letters[] = "aftnrv", values[] = "\a\f\t\n\r\v";
    const char *known;
    char c;

    *ret_why = "a backslash at the end";
    if (at == end)
        return NULL;
    c = *at++;
    known = memchr(letters, c, sizeof letters - 1);
    if (known) {
        *ret = (unsigned char)values[known - letters];
        return at;
    }
    if (c == 'x')
        return hex_escape(at, end, ret, ret_why);
    if (c >= '1' && c <= '9') {
        *ret_why = "a backreference, which has no linear match";
        return NULL;
    }
    if (c == '0') {
        *ret = 0;
        for (int i = 0; i < 2 && at < end && *at >= '0' && *at <= '7'; i++)
            *ret = *ret * 8 + (uint32_t)(*at++ - '0');
        return at;
    }
    if (c == 'p' || c == 'P') {
        *ret_why = "a Unicode class, which is not supported";
        return NULL;
    }
    if ((unsigned char)c >= 0x80 || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z')) {
        *ret_why = "an unknown escape";
        return NULL;
    }
    *ret = (unsigned char)c;
    return at;
}

bool regex_class_escape(char letter, struct regex_set *ret, bool *ret_negated)
{
    *ret = (struct regex_set){{0}};
    *ret_negated = letter >= 'A' && letter <= 'Z';
    switch (ascii_lower(letter)) {
    case 'd':
        regex_set_add(ret, '0', '9');
        return true;
    case 'w':
        regex_set_add(ret, '0', '9');
        regex_set_add(ret, 'A', 'Z');
        regex_set_add(ret, 'a', 'z');
        regex_set_add(ret, '_', '_');
        return true;
    case 's':
        regex_set_add(ret, '\t', '\n');
        regex_set_add(ret, '\f', '\r');
        regex_set_add(ret, ' ', ' ');
        return true;
    default:
        return false;
    }
}

void regex_fold(struct regex_set *s)
{
    for (unsigned c = 'a'; c <= 'z'; c++)
        if (regex_set_has(s, (unsigned char)c) || regex_set_has(s, (unsigned char)(c - 32))) {
            regex_set_add(s, c, c);
            regex_set_add(s, c - 32, c - 32);
        }
}

/* [:alpha:] inside a class; `at` is behind its "[:". */
static const char *named_class(const char *at, const char *end, struct regex_set *set)
{
    static const struct {
        const char *name, *pairs;
    } names[] = {
        {"alnum", "09AZaz"},
        {"alpha", "AZaz"},
        {"ascii", "\001\177"},
        {"blank", "\t\t  "},
        {"cntrl", "\001\037\177\177"},
        {"digit", "09"},
        {"graph", "!~"},
        {"lower", "az"},
        {"print", " ~"},
        {"punct", "!/:@[`{~"},
        {"space", "\t\r  "},
        {"upper", "AZ"},
        {"word", "09AZaz__"},
        {"xdigit", "09AFaf"},
    };
    struct str rest = {at, (size_t)(end - at)};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str name = str_of(names[i].name);

        if (!str_starts(rest, name) || rest.n < name.n + 2 || memcmp(at + name.n, ":]", 2) != 0)
            continue;
        for (const char *p = names[i].pairs; *p; p += 2)
            regex_set_add(set, (unsigned char)p[0], (unsigned char)p[1]);
        return at + name.n + 2;
    }
    return NULL;
}

/* One end of a range. */
static const char *class_char(const char *at, const char *end, uint32_t *ret, const char **ret_why)
{
    *ret_why = "a class without its ]";
    if (at == end)
        return NULL;
    if (*at == '\\')
        at = regex_escape(at + 1, end, ret, ret_why);
    else
        *ret = (unsigned char)*at++;
    if (at && *ret >= 0x80) {
        *ret_why = "a class with members beyond ASCII, which is not supported";
        return NULL;
    }
    return at;
}

static const char *class_range(const char *at, const char *end, struct regex_set *set,
                               const char **ret_why)
{
    uint32_t low, high;

    at = class_char(at, end, &low, ret_why);
    if (!at)
        return NULL;
    high = low;
    if (end - at >= 2 && at[0] == '-' && at[1] != ']') {
        at = class_char(at + 1, end, &high, ret_why);
        if (!at)
            return NULL;
    }
    *ret_why = "a range that ends before it begins";
    if (high < low)
        return NULL;
    regex_set_add(set, low, high);
    return at;
}

/* \d and the like; an opposite is that among ASCII only, so it is refused. */
static const char *class_member(const char *at, const char *end, struct regex_set *set,
                                const char **ret_why)
{
    struct regex_set part;
    bool negated;

    if (end - at >= 2 && at[0] == '\\' && regex_class_escape(at[1], &part, &negated)) {
        *ret_why = "an opposite (\\D, \\W, \\S) inside a class, which is not supported";
        if (negated)
            return NULL;
        for (int i = 0; i < 4; i++)
            set->bits[i] |= part.bits[i];
        return at + 2;
    }
    if (end - at >= 2 && at[0] == '[' && at[1] == ':') {
        *ret_why = "an unknown class between [: and :]";
        return named_class(at + 2, end, set);
    }
    return class_range(at, end, set, ret_why);
}

const char *regex_class(const char *at, const char *end, bool fold, struct regex_set *ret,
                        bool *ret_negated, const char **ret_why)
{
    bool first = true;

    *ret = (struct regex_set){{0}};
    *ret_negated = at < end && *at == '^';
    at += *ret_negated;
    while (at < end && (first || *at != ']')) {
        first = false;
        at = class_member(at, end, ret, ret_why);
        if (!at)
            return NULL;
    }
    *ret_why = "a class without its ]";
    if (at == end)
        return NULL;
    if (fold)
        regex_fold(ret);
    return at + 1;
}
