/* SPDX-License-Identifier: Apache-2.0 */
#include "instances.h"

#include <stdlib.h>
#include <string.h>

int instance_compare(const struct instance *a, const struct instance *b)
{
    int c = strcmp(a->node, b->node);

    if (c == 0)
        c = strcmp(a->id, b->id);
    if (c == 0)
        c = strcmp(a->address, b->address);
    if (c == 0)
        c = (int)a->port - (int)b->port;
    return c;
}

static int compare_items(const void *a, const void *b)
{
    return instance_compare(a, b);
}

unsigned instances_sort(struct instance *items, unsigned n)
{
    unsigned kept = 0;

    if (n == 0)
        return 0;
    qsort(items, n, sizeof *items, compare_items);
    for (unsigned i = 1; i < n; i++)
        if (instance_compare(&items[kept], &items[i]) != 0)
            items[++kept] = items[i];
    return kept + 1;
}

struct instance_set *instance_set_new(struct arena *a, const char *service,
                                      const struct instance *items, unsigned n)
{
    struct instance_set *s = ARENA_NEW(a, struct instance_set);

    atomic_init(&s->refs, 1);
    s->service = arena_strdup(a, service);
    s->items = items;
    s->n = n;
    s->arena = a;
    return s;
}

void instance_copy(struct arena *a, struct instance *to, const struct instance *from)
{
    const char **tags = ARENA_ARRAY(a, const char *, from->ntags);
    struct instance_meta *meta = ARENA_ARRAY(a, struct instance_meta, from->nmeta);

    *to = *from;
    to->node = arena_strdup(a, from->node);
    to->id = arena_strdup(a, from->id);
    to->address = arena_strdup(a, from->address);
    to->check = arena_strdup(a, from->check);
    to->zone = arena_strdup(a, from->zone);
    to->datacenter = arena_strdup(a, from->datacenter);
    for (unsigned i = 0; i < from->ntags; i++)
        tags[i] = arena_strdup(a, from->tags[i]);
    for (unsigned i = 0; i < from->nmeta; i++) {
        meta[i].key = arena_strdup(a, from->meta[i].key);
        meta[i].value = arena_strdup(a, from->meta[i].value);
    }
    to->tags = tags;
    to->meta = meta;
}

static struct instance_set *copy_as(const struct instance_set *s, const char *service,
                                    struct instance **ret_items)
{
    struct arena *a = arena_new();
    struct instance *items = ARENA_ARRAY(a, struct instance, s->n);

    for (unsigned i = 0; i < s->n; i++)
        instance_copy(a, &items[i], &s->items[i]);
    *ret_items = items;
    return instance_set_new(a, service, items, s->n);
}

struct instance_set *instance_set_copy(const struct instance_set *s, struct instance **ret_items)
{
    return copy_as(s, s->service, ret_items);
}

struct instance_set *instance_set_named(const struct instance_set *s, const char *service)
{
    struct instance *items;

    return copy_as(s, service, &items);
}

struct instance_set *instance_set_gone(const struct instance_set *s)
{
    struct instance *items;
    struct instance_set *gone = instance_set_copy(s, &items);

    for (unsigned i = 0; i < gone->n; i++) {
        items[i].health = HEALTH_CRITICAL;
        items[i].check = "gone from the catalog";
        items[i].weight = 0;
        items[i].doubt = DOUBT_NONE;
    }
    return gone;
}

static bool same_lists(const struct instance *a, const struct instance *b)
{
    if (a->ntags != b->ntags || a->nmeta != b->nmeta)
        return false;
    for (unsigned i = 0; i < a->ntags; i++)
        if (strcmp(a->tags[i], b->tags[i]) != 0)
            return false;
    for (unsigned i = 0; i < a->nmeta; i++)
        if (strcmp(a->meta[i].key, b->meta[i].key) != 0 ||
            strcmp(a->meta[i].value, b->meta[i].value) != 0)
            return false;
    return true;
}

static bool same_instance(const struct instance *a, const struct instance *b)
{
    return instance_compare(a, b) == 0 && a->health == b->health && a->weight == b->weight &&
           a->create_index == b->create_index && a->doubt == b->doubt &&
           a->sockaddr_len == b->sockaddr_len &&
           memcmp(&a->sockaddr, &b->sockaddr, a->sockaddr_len) == 0 &&
           strcmp(a->check, b->check) == 0 && strcmp(a->zone, b->zone) == 0 &&
           strcmp(a->datacenter, b->datacenter) == 0 && same_lists(a, b);
}

bool instances_same(const struct instance *a, const struct instance *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!same_instance(&a[i], &b[i]))
            return false;
    return true;
}

bool instance_set_same(const struct instance_set *a, const struct instance_set *b)
{
    return a->n == b->n && instances_same(a->items, b->items, a->n);
}
