/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/entry.h"

#include <assert.h>
#include <stdlib.h>

enum { PAGE = 4096, LARGE_BLOCK = 128 << 10 };

size_t entry_block_bytes(size_t n)
{
    size_t chunk = (n + 8 + 15) & ~(size_t)15;

    if (n >= LARGE_BLOCK)
        return (n + 16 + PAGE - 1) & ~(size_t)(PAGE - 1);
    return chunk < 32 ? 32 : chunk;
}

static bool is_stored(const struct header *h)
{
    return !h->hop && h->id != HEADER_CONTENT_LENGTH && !str_ieq(h->name, STR("age"));
}

/* Bytes of the field's lines in the request, joined by commas (RFC 9110 section 5.3). */
static size_t joined_length(const struct request *r, struct str name, bool *ret_present)
{
    size_t n = 0;

    *ret_present = false;
    for (unsigned i = 0; i < r->nheaders; i++) {
        if (!str_ieq(r->headers[i].name, name))
            continue;
        n += r->headers[i].value.n + *ret_present;
        *ret_present = true;
    }
    return n;
}

static bool plan_vary(struct entry_plan *p, const struct request *r, struct str list)
{
    struct str name;

    while (str_next(&list, ',', &name)) {
        struct cache_vary *v = &p->vary[p->nvary];

        if (p->nvary == CACHE_MAX_VARY)
            return false;
        p->text += name.n + joined_length(r, name, &v->present);
        v->name = name;
        p->nvary++;
    }
    return true;
}

bool entry_plan(struct entry_plan *p, const struct cache_key *k, const struct request *r,
                const struct response *a)
{
    p->text = k->scope.n + k->who.n + k->host.n + k->path.n + k->query.n;
    p->nheaders = p->nvary = 0;
    p->content_length = a->framing == FRAMING_LENGTH ? (size_t)a->content_length : 0;
    for (unsigned i = 0; i < a->nheaders; i++) {
        const struct header *h = &a->headers[i];

        if (str_ieq(h->name, STR("vary")) && !plan_vary(p, r, h->value))
            return false;
        if (!is_stored(h))
            continue;
        p->text += h->name.n + h->value.n;
        p->nheaders++;
    }
    return true;
}

static size_t head_bytes(const struct entry_plan *p)
{
    return sizeof(struct cache_entry) + p->nheaders * sizeof(struct header) + p->text;
}

size_t entry_plan_bytes(const struct entry_plan *p)
{
    size_t body = p->content_length ? entry_block_bytes(p->content_length) : 0;

    /* A length that no memory has must not wrap. */
    return p->content_length > SIZE_MAX / 4 ? SIZE_MAX / 4
                                            : entry_block_bytes(head_bytes(p)) + body;
}

static struct str copy(char **at, struct str s)
{
    struct str to = {*at, s.n};

    if (s.n > 0)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return to;
}

static struct str copy_joined(char **at, const struct request *r, struct str name)
{
    struct str all = {*at, 0};
    bool more = false;

    for (unsigned i = 0; i < r->nheaders; i++) {
        if (!str_ieq(r->headers[i].name, name))
            continue;
        if (more)
            *(*at)++ = ',';
        copy(at, r->headers[i].value);
        more = true;
    }
    all.n = (size_t)(*at - all.p);
    return all;
}

static void copy_headers(struct cache_entry *e, char **at, const struct response *a)
{
    for (unsigned i = 0; i < a->nheaders; i++) {
        const struct header *h = &a->headers[i];
        struct header *to = &e->headers[e->nheaders];

        if (!is_stored(h))
            continue;
        *to = (struct header){copy(at, h->name), copy(at, h->value), h->id, false};
        e->nheaders++;
        if (str_ieq(to->name, STR("etag")))
            e->etag = to->value;
        if (str_ieq(to->name, STR("last-modified")))
            e->last_modified = to->value;
    }
}

struct cache_entry *entry_new(const struct entry_plan *p, const struct cache_key *k,
                              const struct request *r, const struct response *a)
{
    struct cache_entry *e = calloc(1, head_bytes(p));
    char *text;

    if (!e)
        return NULL;
    if (p->content_length && !entry_resize_body(e, p->content_length)) {
        free(e);
        return NULL;
    }
    list_init(&e->order);
    e->status = a->status;
    e->headers = (struct header *)(e + 1);
    text = (char *)(e->headers + p->nheaders);
    e->key = *k;
    e->key.scope = copy(&text, k->scope);
    e->key.who = copy(&text, k->who);
    e->key.host = copy(&text, k->host);
    e->key.path = copy(&text, k->path);
    e->key.query = copy(&text, k->query);
    e->nvary = p->nvary;
    for (unsigned i = 0; i < p->nvary; i++) {
        e->vary[i].present = p->vary[i].present;
        e->vary[i].name = copy(&text, p->vary[i].name);
        e->vary[i].value = copy_joined(&text, r, p->vary[i].name);
    }
    copy_headers(e, &text, a);
    assert(text == (char *)e + head_bytes(p));
    return e;
}

void entry_free(struct cache_entry *e)
{
    free((char *)e->body.p);
    free(e);
}

bool entry_resize_body(struct cache_entry *e, size_t cap)
{
    char *moved;

    if (cap == 0) {
        free((char *)e->body.p);
        e->body.p = NULL;
        e->body_cap = 0;
        return true;
    }
    moved = realloc((char *)e->body.p, cap);
    if (!moved)
        return false;
    e->body.p = moved;
    e->body_cap = cap;
    return true;
}

void entry_add_body(struct cache_entry *e, const void *p, size_t n)
{
    if (n > 0)
        memcpy((char *)e->body.p + e->body.n, p, n);
    e->body.n += n;
}

bool entry_has_key(const struct cache_entry *e, const struct cache_key *k)
{
    return e->key.scope_more == k->scope_more && e->key.has_query == k->has_query &&
           str_eq(e->key.path, k->path) && str_eq(e->key.query, k->query) &&
           str_eq(e->key.host, k->host) && str_eq(e->key.scope, k->scope) &&
           str_eq(e->key.who, k->who);
}

static bool take(struct str *rest, struct str begin)
{
    if (!str_starts(*rest, begin))
        return false;
    rest->p += begin.n;
    rest->n -= begin.n;
    return true;
}

/* Compares without joining: takes the lines of the request off the stored text, one by one. */
static bool same_value(const struct cache_vary *v, const struct request *r)
{
    struct str rest = v->value;
    bool present = false;

    for (unsigned i = 0; i < r->nheaders; i++) {
        if (!str_ieq(r->headers[i].name, v->name))
            continue;
        if (present && !take(&rest, STR(",")))
            return false;
        if (!take(&rest, r->headers[i].value))
            return false;
        present = true;
    }
    return present == v->present && rest.n == 0;
}

bool entry_is_for(const struct cache_entry *e, const struct request *r)
{
    for (unsigned i = 0; i < e->nvary; i++)
        if (!same_value(&e->vary[i], r))
            return false;
    return true;
}
