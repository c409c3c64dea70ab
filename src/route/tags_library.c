/* SPDX-License-Identifier: Apache-2.0 */
#include "route/tags_library.h"
#include "base/arena.h"
#include "base/hash.h"

#include <stdlib.h>

/* One tag that defines something. */
struct entry {
    const char *tag;
    struct str name;     /* of the middleware */
    const char *service; /* whose it is */
};

/* "http.middlewares.NAME.KEY=VALUE" behind the prefix. */
static bool defines(const char *tag, struct str prefix, struct str *ret_name)
{
    static const struct str head = {"http.middlewares.", 17};
    struct str rest = str_of(tag);
    size_t n = 0;

    if (!str_istarts(rest, prefix))
        return false;
    rest = (struct str){rest.p + prefix.n, rest.n - prefix.n};
    if (!str_istarts(rest, head))
        return false;
    rest = (struct str){rest.p + head.n, rest.n - head.n};
    while (n < rest.n && rest.p[n] != '.' && rest.p[n] != '=')
        n++;
    *ret_name = (struct str){rest.p, n};
    return n > 0 && n < rest.n && rest.p[n] == '.' && memchr(rest.p, '=', rest.n);
}

/* "http.routers.NAME.middlewares=..." */
static bool uses(const char *tag, struct str prefix)
{
    static const struct str head = {"http.routers.", 13}, tail = {".middlewares", 12};
    const char *equals = strchr(tag, '=');
    struct str key = {tag, equals ? (size_t)(equals - tag) : 0};

    if (key.n < prefix.n + head.n + tail.n || !str_istarts(key, prefix))
        return false;
    key = (struct str){key.p + prefix.n, key.n - prefix.n};
    return str_istarts(key, head) && str_ieq((struct str){key.p + key.n - tail.n, tail.n}, tail);
}

uint64_t tags_library_part(const struct instance_set *set, const struct consul_conf *consul,
                           bool *ret_uses)
{
    struct str prefix = str_of(consul->traefik_prefix), name;
    uint64_t h = 0;

    *ret_uses = false;
    for (unsigned i = 0; prefix.n > 0 && i < set->n; i++) {
        for (unsigned k = 0; k < set->items[i].ntags; k++) {
            const char *tag = set->items[i].tags[k];

            if (defines(tag, prefix, &name))
                h = hash_mix(hash_str(str_of(tag), h + 1)) | 1;
            *ret_uses = *ret_uses || uses(tag, prefix);
        }
    }
    return h;
}

static int compare_names(struct str a, struct str b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        int x = ascii_lower(a.p[i]), y = ascii_lower(b.p[i]);

        if (x != y)
            return x - y;
    }
    return (a.n > b.n) - (a.n < b.n);
}

/* By name, then by service, then by text. */
static int by_name(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;
    int order = compare_names(a->name, b->name);

    order = order ? order : strcmp(a->service, b->service);
    return order ? order : strcmp(a->tag, b->tag);
}

static size_t collect(struct entry *list, const struct instance_set *const *sets, size_t n,
                      struct str prefix)
{
    size_t found = 0;

    for (size_t s = 0; s < n; s++) {
        size_t first = found;

        for (unsigned i = 0; i < sets[s]->n; i++) {
            const struct instance *in = &sets[s]->items[i];

            for (unsigned k = 0; k < in->ntags && found < TAGS_LIBRARY_MAX; k++) {
                struct entry e = {.tag = in->tags[k], .service = sets[s]->service};
                bool again = !defines(e.tag, prefix, &e.name);

                for (size_t o = first; o < found && !again; o++)
                    again = strcmp(list[o].tag, e.tag) == 0;
                if (!again)
                    list[found++] = e;
            }
        }
    }
    return found;
}

/* Do two services say the same of this name, tag by tag? `n`: its entries, of one service after the
 * other. */
static bool is_disputed(const struct entry *e, size_t n)
{
    size_t first = 0;

    while (first < n && strcmp(e[first].service, e[0].service) == 0)
        first++;
    if (n % first != 0)
        return true;
    for (size_t i = first; i < n; i++)
        if (strcmp(e[i].tag, e[i - first].tag) != 0 ||
            strcmp(e[i].service, e[i - i % first].service) != 0)
            return true;
    return false;
}

static void take(struct tag_library *l, const char **tags, const char **disputed,
                 const struct entry *e, size_t n)
{
    if (is_disputed(e, n)) {
        disputed[l->ndisputed++] = arena_strndup(l->arena, e[0].name.p, e[0].name.n);
        return;
    }
    for (size_t i = 0; i < n && strcmp(e[i].service, e[0].service) == 0; i++)
        tags[l->n++] = arena_strdup(l->arena, e[i].tag);
}

struct tag_library *tags_library_new(const struct instance_set *const *sets, size_t n,
                                     const struct consul_conf *consul)
{
    struct arena *a = arena_new(), *scratch = arena_new();
    struct tag_library *l = ARENA_NEW(a, struct tag_library);
    struct entry *list = ARENA_ARRAY(scratch, struct entry, TAGS_LIBRARY_MAX);
    size_t found = collect(list, sets, n, str_of(consul->traefik_prefix));
    const char **tags = ARENA_ARRAY(a, const char *, found);
    const char **disputed = ARENA_ARRAY(a, const char *, found);

    l->arena = a;
    if (found > 0)
        qsort(list, found, sizeof *list, by_name);
    for (size_t i = 0, count; i < found; i += count) {
        count = 1;
        while (i + count < found && compare_names(list[i].name, list[i + count].name) == 0)
            count++;
        take(l, tags, disputed, &list[i], count);
    }
    l->tags = tags;
    l->disputed = disputed;
    arena_free(scratch);
    return l;
}

void tags_library_free(struct tag_library **pl)
{
    struct tag_library *l = *pl;

    *pl = NULL;
    if (l)
        arena_free(l->arena);
}
