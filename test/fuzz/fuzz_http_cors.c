/* SPDX-License-Identifier: Apache-2.0 */
/* Origins, names of headers and media types as a client sends them. The input's lines are an
 * origin, a list of names, and a media type. What is let through can be sent back without harm. */
#include "http/cors.h"
#include "http/media_type.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const patterns[] = {"https://shop.example",
                                       "https://*.one.example",
                                       "https://**.many.example",
                                       "http://localhost:*",
                                       "http://[::1]:8080",
                                       "null",
                                       NULL};
static const char *const all[] = {"*", NULL};
static const char *const names[] = {"Content-Type", "X-A", NULL};

static bool ends_with(struct str s, struct str end)
{
    return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

static void check_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        assert(s.p[i] == '\t' || (s.p[i] >= ' ' && s.p[i] <= '~'));
}

/* What an allowed origin must look like, told without the code under test. */
static void check_origin(struct str origin)
{
    bool valid = cors_origin_is_valid(origin);

    assert(cors_origin_allowed(all, origin) == valid);
    cors_origin_is_own(origin, STR("https"), STR("shop.example:8443"));
    cors_origin_is_own(STR("https://shop.example:8443"), STR(""), origin);
    if (!cors_origin_allowed(patterns, origin))
        return;
    assert(valid && origin.n <= CORS_MAX_ORIGIN);
    check_plain(origin);
    assert(!memchr(origin.p, ' ', origin.n) && !memchr(origin.p, '@', origin.n));
    assert(str_eq(origin, STR("https://shop.example")) || str_eq(origin, STR("null")) ||
           str_eq(origin, STR("http://[::1]:8080")) || ends_with(origin, STR(".one.example")) ||
           ends_with(origin, STR(".many.example")) || str_starts(origin, STR("http://localhost")));
    if (str_starts(origin, STR("http://localhost")))
        assert(origin.n == 16 || origin.p[16] == ':');
}

static void check_names(struct str list)
{
    if (!cors_headers_allowed(all, true, list))
        return;
    check_plain(list);
    if (cors_headers_allowed(names, false, list))
        assert(list.n <= CORS_MAX_ASKED_HEADERS);
}

static void check_type(struct str value)
{
    struct str type;

    if (!media_type_read(value, &type))
        return;
    assert(type.p == value.p && type.n >= 3 && type.n <= value.n);
    assert(memchr(type.p, '/', type.n) && !memchr(type.p, ';', type.n));
    check_plain(type);
    assert(media_type_matches(STR("*/*"), type) && media_type_matches(type, type));
    media_type_matches(STR("application/*+json"), type);
}

/* A copy of its own, so that a sanitizer sees every read behind it. */
static void with_copy(struct str s, void check(struct str))
{
    char *copy = malloc(s.n ? s.n : 1);

    assert(copy);
    if (s.n > 0)
        memcpy(copy, s.p, s.n);
    check((struct str){copy, s.n});
    free(copy);
}

static struct str take_line(struct str *rest)
{
    const char *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
    struct str line = {rest->p, end ? (size_t)(end - rest->p) : rest->n};

    rest->p += line.n + (end != NULL);
    rest->n -= line.n + (end != NULL);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};

    with_copy(take_line(&rest), check_origin);
    with_copy(take_line(&rest), check_names);
    with_copy(rest, check_type);
    return 0;
}
