/* SPDX-License-Identifier: Apache-2.0 */
/* micro_snapshot.c - the next snapshot when one service of a large cluster has changed. Control
 * thread; the catalog is this file's own. */
#include "base/clock.h"
#include "base/log.h"
#include "micro.h"
#include "snapshot/builder.h"

#include <stdint.h>

#define CATALOG_MAX 5000
#include "catalog.h"
#include "catalog_reads.h"

enum { INSTANCES = 10 };

static struct discovery catalog;
static struct registry *reg;
static struct builder *builder;
static struct config *config;
static struct snapshot *snap; /* ref: what a worker would hold */
static uint64_t now_ns;
static uint16_t port; /* tells one set of a service from the next */

static struct instance_set *service_set(unsigned service)
{
    char name[16], tag[40], ids[INSTANCES][24];
    struct row rows[INSTANCES];

    snprintf(name, sizeof name, "svc%06u", service);
    snprintf(tag, sizeof tag, "frontdesk.path=/svc%06u/", service);
    for (uint16_t i = 0; i < INSTANCES; i++) {
        snprintf(ids[i], sizeof ids[i], "%s-%u", name, i);
        rows[i] = (struct row){.id = ids[i], .port = (uint16_t)(port + i), .tags = {tag}};
    }
    return make_set(name, rows, INSTANCES);
}

static void prepare(long services)
{
    log_set_level(LOG_ERROR);
    config = config_of("consul: { expose: tagged }\n");
    port = 1000;
    now_ns = 1000 * NS_PER_S;
    reg = registry_new(1);
    builder = builder_new(reg);
    catalog.n = (unsigned)services;
    micro_check(catalog.n <= CATALOG_MAX);
    for (unsigned i = 0; i < catalog.n; i++)
        catalog.sets[i] = service_set(i);
    snap = builder_build(builder, config, &catalog, now_ns);
    micro_check(route_table_count(snap->routes) == catalog.n);
}

/* One service after the other gets instances at other ports, as when it is deployed anew. */
static void change(unsigned n)
{
    while (n--) {
        unsigned at = n * 37 % catalog.n;

        port = (uint16_t)(port + INSTANCES);
        instance_set_unref(&catalog.sets[at]);
        catalog.sets[at] = service_set(at);
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
    catalog_clear(&catalog);
    config_unref(&config);
}

static const struct micro_case cases[] = {
    {"snapshot, one of 50 services changed", 20, prepare, change, release, 50},
    {"snapshot, one of 5,000 services changed", 20, prepare, change, release, 5000},
};

const struct micro_group micro_snapshot = MICRO_GROUP(cases);
