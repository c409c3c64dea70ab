/* SPDX-License-Identifier: Apache-2.0 */
#include "http/message.h"

#include "base/macros.h"

struct known {
    struct str name;
    uint8_t id;
};

/* Ordered by length, so that a name is compared with three others at most. */
static const struct known known_headers[] = {
    {STR("te"), HEADER_TE},
    {STR("via"), HEADER_VIA},
    {STR("host"), HEADER_HOST},
    {STR("date"), HEADER_DATE},
    {STR("proxy"), HEADER_PROXY},
    {STR("cookie"), HEADER_COOKIE},
    {STR("expect"), HEADER_EXPECT},
    {STR("server"), HEADER_SERVER},
    {STR("trailer"), HEADER_TRAILER},
    {STR("upgrade"), HEADER_UPGRADE},
    {STR("forwarded"), HEADER_FORWARDED},
    {STR("x-real-ip"), HEADER_X_REAL_IP},
    {STR("connection"), HEADER_CONNECTION},
    {STR("keep-alive"), HEADER_KEEP_ALIVE},
    {STR("retry-after"), HEADER_RETRY_AFTER},
    {STR("x-request-id"), HEADER_X_REQUEST_ID},
    {STR("authorization"), HEADER_AUTHORIZATION},
    {STR("content-length"), HEADER_CONTENT_LENGTH},
    {STR("x-forwarded-for"), HEADER_X_FORWARDED_FOR},
    {STR("proxy-connection"), HEADER_PROXY_CONNECTION},
    {STR("x-forwarded-host"), HEADER_X_FORWARDED_HOST},
    {STR("x-forwarded-port"), HEADER_X_FORWARDED_PORT},
    {STR("transfer-encoding"), HEADER_TRANSFER_ENCODING},
    {STR("x-forwarded-proto"), HEADER_X_FORWARDED_PROTO},
    {STR("proxy-authenticate"), HEADER_PROXY_AUTHENTICATE},
    {STR("x-forwarded-prefix"), HEADER_X_FORWARDED_PREFIX},
    {STR("proxy-authorization"), HEADER_PROXY_AUTHORIZATION},
};

enum { KNOWN_MAX_LENGTH = 19 };

/* Index of the first known name that is not shorter. */
static const uint8_t first_of_length[KNOWN_MAX_LENGTH + 2] = {
    [0 ... 2] = 0,  [3] = 1,   [4] = 2,   [5] = 4,   [6] = 5,   [7] = 8,
    [8 ... 9] = 10, [10] = 12, [11] = 14, [12] = 15, [13] = 16, [14] = 17,
    [15] = 18,      [16] = 19, [17] = 22, [18] = 24, [19] = 26, [20] = 27,
};

enum header_id header_id(struct str name)
{
    if (name.n == 0 || name.n > KNOWN_MAX_LENGTH)
        return HEADER_OTHER;

    char first = ascii_lower(name.p[0]);
    unsigned end = first_of_length[name.n + 1];
    for (unsigned i = first_of_length[name.n]; i < end; i++)
        if (known_headers[i].name.p[0] == first && str_ieq(known_headers[i].name, name))
            return known_headers[i].id;
    return HEADER_OTHER;
}

bool method_idempotent(enum method m)
{
    switch (m) {
    case METHOD_GET:
    case METHOD_HEAD:
    case METHOD_PUT:
    case METHOD_DELETE:
    case METHOD_OPTIONS:
        return true;
    case METHOD_POST:
    case METHOD_PATCH:
    case METHOD_OTHER:
        break;
    }
    return false;
}

const struct header *request_header(const struct request *r, enum header_id id)
{
    for (unsigned i = 0; i < r->nheaders; i++)
        if (r->headers[i].id == id)
            return &r->headers[i];
    return NULL;
}

const struct header *request_header_named(const struct request *r, struct str name)
{
    for (unsigned i = 0; i < r->nheaders; i++)
        if (str_ieq(r->headers[i].name, name))
            return &r->headers[i];
    return NULL;
}

/* Looks for NAME=VALUE among the elements of a list; a missing '=' gives an empty value. */
static bool find_pair(struct str list, char sep, struct str name, struct str *ret_value)
{
    struct str item;

    while (str_next(&list, sep, &item)) {
        const char *equals = memchr(item.p, '=', item.n);
        size_t n = equals ? (size_t)(equals - item.p) : item.n;

        if (!str_eq((struct str){item.p, n}, name))
            continue;
        *ret_value =
            equals ? (struct str){equals + 1, item.n - n - 1} : (struct str){item.p + item.n, 0};
        return true;
    }
    return false;
}

bool request_cookie(const struct request *r, struct str name, struct str *ret_value)
{
    for (unsigned i = 0; i < r->nheaders; i++)
        if (r->headers[i].id == HEADER_COOKIE &&
            find_pair(r->headers[i].value, ';', name, ret_value))
            return true;
    return false;
}

bool request_query(const struct request *r, struct str name, struct str *ret_value)
{
    return r->has_query && find_pair(r->query, '&', name, ret_value);
}
