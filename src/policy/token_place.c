/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_place.h"

struct found {
    unsigned n;
    struct str value; /* of the first */
};

static void note(struct found *f, struct str value)
{
    if (f->n++ == 0)
        f->value = value;
}

static void find_header(const struct request *r, struct str name, struct found *f)
{
    for (unsigned i = 0; i < r->nheaders; i++)
        if (str_ieq(r->headers[i].name, name))
            note(f, r->headers[i].value);
}

/* NAME=VALUE in a list. */
static void find_pair(struct str list, char separator, struct str name, struct found *f)
{
    struct str pair;

    while (str_next(&list, separator, &pair)) {
        const char *equals = memchr(pair.p, '=', pair.n);
        struct str key = {pair.p, equals ? (size_t)(equals - pair.p) : pair.n};

        if (str_eq(key, name))
            note(f, equals ? (struct str){equals + 1, pair.n - key.n - 1} : STR(""));
    }
}

static void find_cookie(const struct request *r, struct str name, struct found *f)
{
    for (unsigned i = 0; i < r->nheaders; i++)
        if (r->headers[i].id == HEADER_COOKIE)
            find_pair(r->headers[i].value, ';', name, f);
}

/* What follows the scheme in "Bearer TOKEN"; false when there is another one. */
static bool after_scheme(struct str value, struct str scheme, struct str *ret)
{
    if (scheme.n > 0) {
        if (!str_istarts(value, scheme) || (value.n > scheme.n && value.p[scheme.n] != ' '))
            return false;
        value = (struct str){value.p + scheme.n, value.n - scheme.n};
    }
    *ret = str_trim(value);
    return true;
}

enum token_error token_find_at(const struct request *r, const struct token_place *p,
                               struct str *ret)
{
    struct found f = {.n = 0};

    switch (p->kind) {
    case PLACE_HEADER:
        find_header(r, str_of(p->name), &f);
        break;
    case PLACE_COOKIE:
        find_cookie(r, str_of(p->name), &f);
        break;
    case PLACE_QUERY:
        find_pair(r->query, '&', str_of(p->name), &f);
        break;
    }
    if (f.n != 1)
        return f.n ? TOKEN_REPEATED : TOKEN_MISSING;
    if (p->kind == PLACE_HEADER && !after_scheme(f.value, str_of(p->scheme), &f.value))
        return TOKEN_MISSING;
    *ret = f.value;
    return TOKEN_OK;
}

enum token_error token_find(const struct request *r, const struct issuer_conf *c, struct str *ret)
{
    enum token_error e = TOKEN_MISSING;

    for (size_t i = 0; i < c->nplaces && e == TOKEN_MISSING; i++)
        e = token_find_at(r, &c->places[i], ret);
    return e;
}
