/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* catalog.h - instance sets from short rows, and a catalog that holds what the test puts into it:
 * it takes the place of the discovery that a builder reads. Include after <cmocka.h>. */
#include "base/arena.h"
#include "discovery/discovery.h"
#include "snapshot/snapshot.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* An instance in short; what is left out is an unremarkable healthy one. */
struct row {
    const char *id;
    uint16_t port;
    enum health health;
    bool drained, unresolved;
    const char *zone;
    const char *tags[4];
    const char *meta[2]; /* key, value */
    uint64_t create_index;
};

#ifndef CATALOG_MAX
#define CATALOG_MAX 8
#endif

struct discovery {
    bool unready;
    unsigned n;
    struct instance_set *sets[CATALOG_MAX]; /* refs, by name */
    struct chain *rules;                    /* of one service; NULL = none */
    const char *awaited;                    /* the service whose rules are to come; NULL = none */
};

/* Include-only helpers: each test uses what it needs. */
#define HELPER static inline

HELPER void fill_instance(struct arena *a, const struct row *r, struct instance *i)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(r->port)};
    const char **tags = ARENA_ARRAY(a, const char *, ARRAY_LEN(r->tags));
    struct instance_meta *meta = ARENA_NEW(a, struct instance_meta);

    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    *i = (struct instance){.node = "node-1",
                           .id = arena_strdup(a, r->id),
                           .address = "127.0.0.1",
                           .port = r->port,
                           .sockaddr_len = r->unresolved ? 0 : sizeof to,
                           .health = r->health,
                           .check = "",
                           .weight = r->drained ? 0 : 1,
                           .zone = arena_strdup(a, r->zone ? r->zone : ""),
                           .tags = tags,
                           .meta = meta,
                           .create_index = r->create_index};
    memcpy(&i->sockaddr, &to, sizeof to);
    while (i->ntags < ARRAY_LEN(r->tags) && r->tags[i->ntags]) {
        tags[i->ntags] = arena_strdup(a, r->tags[i->ntags]);
        i->ntags++;
    }
    if (r->meta[0]) {
        *meta = (struct instance_meta){arena_strdup(a, r->meta[0]), arena_strdup(a, r->meta[1])};
        i->nmeta = 1;
    }
}

HELPER struct instance_set *make_set(const char *service, const struct row *rows, unsigned n)
{
    struct arena *a = arena_new();
    struct instance_set *s = ARENA_NEW(a, struct instance_set);
    struct instance *items = ARENA_ARRAY(a, struct instance, n);

    for (unsigned i = 0; i < n; i++)
        fill_instance(a, &rows[i], &items[i]);
    s->refs = 1;
    s->service = arena_strdup(a, service);
    s->n = n;
    s->items = items;
    s->arena = a;
    return s;
}

HELPER void catalog_remove(struct discovery *d, const char *service)
{
    for (unsigned i = 0; i < d->n; i++) {
        if (strcmp(d->sets[i]->service, service) != 0)
            continue;
        instance_set_unref(&d->sets[i]);
        memmove(&d->sets[i], &d->sets[i + 1], (--d->n - i) * sizeof(struct instance_set *));
        return;
    }
}

HELPER void catalog_put(struct discovery *d, const char *service, const struct row *rows,
                        unsigned n)
{
    unsigned at = 0;

    catalog_remove(d, service);
    while (at < d->n && strcmp(d->sets[at]->service, service) < 0)
        at++;
    memmove(&d->sets[at + 1], &d->sets[at], (d->n++ - at) * sizeof(struct instance_set *));
    d->sets[at] = make_set(service, rows, n);
}

#define PUT(d, service, ...)                                                                       \
    catalog_put((d), (service), (const struct row[]){__VA_ARGS__},                                 \
                sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row))

HELPER void catalog_clear(struct discovery *d)
{
    while (d->n > 0)
        instance_set_unref(&d->sets[--d->n]);
}

HELPER struct config *config_of(const char *yaml)
{
    struct err e = {""};
    struct config *c = config_parse("test.yaml", yaml, strlen(yaml), &e);

    if (!c)
        fail_msg("%s", e.text);
    return c;
}
