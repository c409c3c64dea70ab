/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_scope.h"

#include <stdlib.h>

static char *copy(const char *z)
{
    char *c = strdup(z ? z : "");

    if (!c)
        abort();
    return c;
}

void consul_scope_init(struct consul_scope *s, const struct discovery_options *o)
{
    s->scope = (int)o->scope;
    s->tag_prefix = copy(o->tag_prefix);
    s->fabio_prefix = copy(o->fabio_prefix);
    s->traefik_prefix = copy(o->traefik_prefix);
}

void consul_scope_release(struct consul_scope *s)
{
    free(s->tag_prefix);
    free(s->fabio_prefix);
    free(s->traefik_prefix);
}

static bool tag_exposes(const struct consul_scope *s, struct str tag)
{
    struct str own = str_of(s->tag_prefix), fabio = str_of(s->fabio_prefix);

    if (fabio.n > 0 && str_starts(tag, fabio))
        return true;
    if (s->traefik_prefix[0] && str_istarts(tag, str_of(s->traefik_prefix)))
        return true;
    if (own.n == 0)
        return false;
    if (str_starts(tag, own))
        return true;
    if (own.p[own.n - 1] == '.')
        own.n--;
    return str_eq(tag, own);
}

bool consul_scope_takes(const struct consul_scope *s, const struct consul_listed *service)
{
    if (s->scope == DISCOVER_USED)
        return false;
    if (s->scope == DISCOVER_ALL)
        return strcmp(service->name, "consul") != 0;
    for (unsigned i = 0; i < service->ntags; i++)
        if (tag_exposes(s, str_of(service->tags[i])))
            return true;
    return false;
}

static int compare_name(const void *key, const void *item)
{
    return strcmp(key, ((const struct consul_listed *)item)->name);
}

const struct consul_listed *consul_services_find(const struct consul_services *list,
                                                 const char *name)
{
    if (list->n == 0)
        return NULL;
    return bsearch(name, list->items, list->n, sizeof *list->items, compare_name);
}

bool consul_listed_same_tags(const struct consul_listed *a, const struct consul_listed *b)
{
    if (a->ntags != b->ntags)
        return false;
    for (unsigned i = 0; i < a->ntags; i++)
        if (strcmp(a->tags[i], b->tags[i]) != 0)
            return false;
    return true;
}

bool consul_services_same(const struct consul_services *a, const struct consul_services *b)
{
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++)
        if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
            !consul_listed_same_tags(&a->items[i], &b->items[i]))
            return false;
    return true;
}

struct consul_services consul_services_join(struct arena *a, const struct consul_services *first,
                                            const struct consul_services *second)
{
    struct consul_services both = {ARENA_ARRAY(a, struct consul_listed, first->n + second->n), 0};
    unsigned i = 0, j = 0;

    while (i < first->n || j < second->n) {
        int order = i == first->n    ? 1
                    : j == second->n ? -1
                                     : strcmp(first->items[i].name, second->items[j].name);

        both.items[both.n++] = order <= 0 ? first->items[i] : second->items[j];
        i += order <= 0;
        j += order >= 0;
    }
    return both;
}

struct consul_services consul_services_copy(struct arena *a, const struct consul_services *list)
{
    struct consul_services copied = {ARENA_ARRAY(a, struct consul_listed, list->n), list->n};

    for (unsigned i = 0; i < list->n; i++) {
        const struct consul_listed *from = &list->items[i];
        const char **tags = ARENA_ARRAY(a, const char *, from->ntags);

        for (unsigned k = 0; k < from->ntags; k++)
            tags[k] = arena_strdup(a, from->tags[k]);
        copied.items[i] = (struct consul_listed){arena_strdup(a, from->name), tags, from->ntags};
    }
    return copied;
}
