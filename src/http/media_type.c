/* SPDX-License-Identifier: Apache-2.0 */
#include "http/media_type.h"

#include "http/chars.h"

static size_t token_length(const char *p, const char *end)
{
    const char *at = p;

    while (at < end && char_is(*at, CHAR_TOKEN))
        at++;
    return (size_t)(at - p);
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p;
}

/* Behind a quoted string that begins at p; NULL when it does not end. */
static const char *skip_quoted(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\' && ++p == end)
            return NULL;
        if (!char_is(*p, CHAR_VALUE))
            return NULL;
    }
    return p < end ? p + 1 : NULL;
}

/* Behind "name=value", or NULL. */
static const char *skip_parameter(const char *p, const char *end)
{
    size_t n = token_length(p, end);

    if (n == 0 || p + n == end || p[n] != '=')
        return NULL;
    p += n + 1;
    if (p < end && *p == '"')
        return skip_quoted(p, end);
    n = token_length(p, end);
    return n > 0 ? p + n : NULL;
}

bool media_type_read(struct str value, struct str *ret_type)
{
    const char *p = value.p, *end = p + value.n;
    size_t n = token_length(p, end), m;

    if (n == 0 || p + n == end || p[n] != '/')
        return false;
    m = token_length(p + n + 1, end);
    if (m == 0)
        return false;
    *ret_type = (struct str){p, n + 1 + m};
    p = skip_space(p + ret_type->n, end);
    while (p < end) {
        if (*p != ';')
            return false;
        p = skip_space(p + 1, end);
        /* An empty parameter is allowed (RFC 9110 section 5.6.6). */
        if (p < end && *p != ';')
            p = skip_parameter(p, end);
        if (!p)
            return false;
        p = skip_space(p, end);
    }
    return true;
}

bool media_type_matches(struct str pattern, struct str type)
{
    const char *star = pattern.n ? memchr(pattern.p, '*', pattern.n) : NULL;
    struct str head, tail;

    if (!star)
        return str_ieq(pattern, type);
    if (str_eq(pattern, STR("*/*")))
        return true;
    head = (struct str){pattern.p, (size_t)(star - pattern.p)};
    tail = (struct str){star + 1, pattern.n - head.n - 1};
    return type.n > head.n + tail.n && str_istarts(type, head) &&
           str_ieq((struct str){type.p + type.n - tail.n, tail.n}, tail);
}

bool media_type_is_json(struct str value)
{
    struct str type;

    return media_type_read(value, &type) && (media_type_matches(STR("application/json"), type) ||
                                             media_type_matches(STR("application/*+json"), type));
}
