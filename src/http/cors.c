/* SPDX-License-Identifier: Apache-2.0 */
#include "http/cors.h"

#include "http/chars.h"

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_label_char(char c)
{
    return is_lower_or_digit(c) || c == '-' || c == '_';
}

/* Labels of letters, digits, '-' and '_' with single dots between them; *ret_labels of them. */
static bool is_name(struct str s, unsigned *ret_labels)
{
    size_t length = 0;

    *ret_labels = 1;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' && length > 0) {
            ++*ret_labels;
            length = 0;
        } else if (!is_label_char(s.p[i]) || ++length > 63) {
            return false;
        }
    }
    return length > 0;
}

static bool is_ipv6(struct str s)
{
    if (s.n < 4 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    for (size_t i = 1; i < s.n - 1; i++)
        if (s.p[i] != ':' && s.p[i] != '.' && !(char_hex(s.p[i]) >= 0 && is_lower_or_digit(s.p[i])))
            return false;
    return true;
}

static bool is_port(struct str s)
{
    uint64_t v;

    return s.n <= 5 && str_to_u64(s, &v) && v <= 65535 && s.p[0] != '0';
}

struct parts {
    struct str scheme, host, port; /* port empty = none is named */
};

static bool split(struct str origin, struct parts *ret)
{
    const char *end = origin.p + origin.n, *close, *colon;
    size_t n = 0;

    while (n < origin.n && origin.p[n] != ':')
        n++;
    if (origin.n - n < 4 || memcmp(origin.p + n, "://", 3) != 0)
        return false;
    ret->scheme = (struct str){origin.p, n};
    ret->host = (struct str){origin.p + n + 3, origin.n - n - 3};
    ret->port = STR("");
    close = ret->host.p[0] == '[' ? memchr(ret->host.p, ']', ret->host.n) : NULL;
    close = close ? close : ret->host.p;
    colon = memchr(close, ':', (size_t)(end - close));
    if (colon) {
        ret->port = (struct str){colon + 1, (size_t)(end - colon - 1)};
        ret->host.n = (size_t)(colon - ret->host.p);
    }
    return ret->host.n > 0 && (!colon || ret->port.n > 0);
}

static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower_or_digit(s.p[i]) && (i == 0 || !strchr("+-.", s.p[i])))
            return false;
    return s.n > 0 && s.p[0] >= 'a';
}

static struct str own_port(struct str scheme)
{
    if (str_eq(scheme, STR("https")))
        return STR("443");
    return str_eq(scheme, STR("http")) ? STR("80") : STR_NULL;
}

static bool split_valid(struct str origin, struct parts *ret)
{
    unsigned labels;

    if (origin.n > CORS_MAX_ORIGIN || !split(origin, ret) || !is_scheme(ret->scheme))
        return false;
    if (ret->port.n > 0 && (!is_port(ret->port) || str_eq(ret->port, own_port(ret->scheme))))
        return false;
    return is_name(ret->host, &labels) || is_ipv6(ret->host);
}

bool cors_origin_is_valid(struct str origin)
{
    struct parts parts;

    return str_eq(origin, STR("null")) || split_valid(origin, &parts);
}

static bool host_matches(struct str pattern, struct str host)
{
    bool many = str_starts(pattern, STR("**."));
    struct str tail = pattern;
    unsigned labels;

    if (!many && !str_starts(pattern, STR("*.")))
        return str_eq(pattern, host);
    tail.p += many ? 2 : 1;
    tail.n -= many ? 2 : 1;
    if (host.n <= tail.n || memcmp(host.p + host.n - tail.n, tail.p, tail.n) != 0)
        return false;
    return is_name((struct str){host.p, host.n - tail.n}, &labels) && (many || labels == 1);
}

static bool matches(struct str pattern, const struct parts *o)
{
    struct parts p;

    return split(pattern, &p) && str_eq(p.scheme, o->scheme) &&
           (str_eq(p.port, STR("*")) || str_eq(p.port, o->port)) && host_matches(p.host, o->host);
}

bool cors_origin_allowed(const char *const *patterns, struct str origin)
{
    bool null = str_eq(origin, STR("null"));
    struct parts parts;

    if (!null && !split_valid(origin, &parts))
        return false;
    for (; *patterns; patterns++) {
        struct str pattern = str_of(*patterns);

        if (str_eq(pattern, STR("*")) ||
            (null ? str_eq(pattern, origin) : matches(pattern, &parts)))
            return true;
    }
    return false;
}

bool cors_origin_is_own(struct str origin, struct str scheme, struct str authority)
{
    struct parts o, a;
    char text[CORS_MAX_ORIGIN + 8];
    struct str port;

    if (!split_valid(origin, &o) || (scheme.n > 0 && !str_eq(o.scheme, scheme)))
        return false;
    /* The same splitting for both: the authority gets the scheme in front. */
    if (o.scheme.n + 3 + authority.n > sizeof text)
        return false;
    memcpy(text, origin.p, o.scheme.n + 3);
    memcpy(text + o.scheme.n + 3, authority.p, authority.n);
    if (!split((struct str){text, o.scheme.n + 3 + authority.n}, &a))
        return false;
    port = str_eq(a.port, own_port(a.scheme)) ? STR("") : a.port;
    return str_eq(o.host, a.host) && str_eq(o.port, port);
}

bool cors_method_allowed(const char *const *methods, struct str method)
{
    for (; *methods; methods++)
        if (str_eq(str_of(*methods), method))
            return true;
    return false;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is(s.p[i], CHAR_TOKEN))
            return false;
    return s.n > 0;
}

static bool is_named(const char *const *names, struct str name)
{
    for (; *names; names++)
        if (str_ieq(str_of(*names), name))
            return true;
    return false;
}

bool cors_headers_allowed(const char *const *names, bool any, struct str asked)
{
    struct str name;

    if (asked.n > CORS_MAX_ASKED_HEADERS)
        return false;
    while (str_next(&asked, ',', &name)) {
        bool free = any && !str_ieq(name, STR("authorization"));

        if (!is_token(name) || (!free && !is_named(names, name)))
            return false;
    }
    return true;
}
