/* SPDX-License-Identifier: Apache-2.0 */
/* micro_snapshot.c - the next snapshot when one service of a large cluster has changed. Control
 * thread; the catalog is this file's own. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "micro.h"
#include "snapshot/builder.h"

#include <arpa/inet.h>
#include <string.h>

enum { INSTANCES = 10 };

struct discovery {
    unsigned n;
    struct instance_set **sets; /* refs, by name */
};

static struct discovery catalog;
static struct registry *reg;
static struct builder *builder;
static struct config *config;
static struct snapshot *snap; /* ref: what a worker would hold */
static uint64_t now_ns;

size_t discovery_count(const struct discovery *d)
{
    return d->n;
}

struct instance_set *discovery_at(const struct discovery *d, size_t i)
{
    return d->sets[i];
}

struct instance_set *discovery_find(const struct discovery *d, const char *service)
{
    unsigned i = (unsigned)atoi(service + strlen("svc"));

    return i < d->n && strcmp(d->sets[i]->service, service) == 0 ? d->sets[i] : NULL;
}

bool discovery_ready(const struct discovery *d)
{
    (void)d;
    return true;
}

size_t discovery_rules_count(const struct discovery *d)
{
    (void)d;
    return 0;
}

struct chain *discovery_rules_at(const struct discovery *d, size_t i)
{
    (void)d;
    (void)i;
    return NULL;
}

struct chain *discovery_rules(const struct discovery *d, const char *service)
{
    (void)d;
    (void)service;
    return NULL;
}

uint64_t discovery_rules_version(const struct discovery *d)
{
    (void)d;
    return 0;
}

bool discovery_rules_awaited(const struct discovery *d, const char *service)
{
    (void)d;
    (void)service;
    return false;
}

bool discovery_is_target(const struct discovery *d, const char *service)
{
    (void)d;
    (void)service;
    return false;
}

/* `port` tells one set of a service from the next. */
static struct instance_set *make_set(unsigned service, uint16_t port)
{
    struct arena *a = arena_new();
    struct instance_set *s = ARENA_NEW(a, struct instance_set);
    struct instance *items = ARENA_ARRAY(a, struct instance, INSTANCES);
    const char **tags = ARENA_ARRAY(a, const char *, 1);

    tags[0] = arena_printf(a, "frontdesk.path=/svc%06u/", service);
    for (unsigned i = 0; i < INSTANCES; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(port + i))};

        inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
        items[i] = (struct instance){.node = "node-1",
                                     .id = arena_printf(a, "svc%06u-%u", service, i),
                                     .address = "127.0.0.1",
                                     .port = (uint16_t)(port + i),
                                     .sockaddr_len = sizeof to,
                                     .health = HEALTH_PASSING,
                                     .check = "",
                                     .weight = 1,
                                     .zone = "",
                                     .tags = tags,
                                     .ntags = 1};
        memcpy(&items[i].sockaddr, &to, sizeof to);
    }
    s->refs = 1;
    s->service = arena_printf(a, "svc%06u", service);
    s->n = INSTANCES;
    s->items = items;
    s->arena = a;
    return s;
}

static void prepare(long services)
{
    static const char text[] = "consul: { expose: tagged }\n";
    struct err e;

    log_set_level(LOG_ERROR);
    config = config_parse("bench", text, strlen(text), &e);
    micro_check(config != NULL);
    now_ns = 1000 * NS_PER_S;
    reg = registry_new(1);
    builder = builder_new(reg);
    catalog.n = (unsigned)services;
    catalog.sets = calloc(catalog.n, sizeof *catalog.sets);
    micro_check(catalog.sets != NULL);
    for (unsigned i = 0; i < catalog.n; i++)
        catalog.sets[i] = make_set(i, 1000);
    snap = builder_build(builder, config, &catalog, now_ns);
    micro_check(route_table_count(snap->routes) == catalog.n);
}

/* One instance set after the other gets other ports, as when a service is deployed anew. */
static void change(unsigned n)
{
    while (n--) {
        unsigned at = n * 37 % catalog.n;
        struct instance_set *next = make_set(
            at,
            ntohs(((const struct sockaddr_in *)&catalog.sets[at]->items[0].sockaddr)->sin_port) ==
                    1000
                ? 2000
                : 1000);

        instance_set_unref(&catalog.sets[at]);
        catalog.sets[at] = next;
        now_ns += NS_PER_MS;
        snapshot_unref(&snap);
        snap = builder_build(builder, config, &catalog, now_ns);
    }
}

static void release(void)
{
    snapshot_unref(&snap);
    builder_free(builder);
    registry_free(reg);
    for (unsigned i = 0; i < catalog.n; i++)
        instance_set_unref(&catalog.sets[i]);
    free(catalog.sets);
    config_unref(&config);
}

static const struct micro_case cases[] = {
    {"snapshot, one of 50 services changed", 20, prepare, change, release, 50},
    {"snapshot, one of 5,000 services changed", 20, prepare, change, release, 5000},
};

const struct micro_group micro_snapshot = MICRO_GROUP(cases);
