/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A gateway without workers: configuration, static discovery, registry, one snapshot. Include after
 * <cmocka.h>. */
#include "admin/look.h"
#include "base/clock.h"

#include <event2/event.h>
#include <string.h>

struct gateway {
    struct event_base *base;
    struct config *config;
    struct registry *registry;
    struct builder *builder;
    struct discovery *discovery;
    struct snapshot *snapshot; /* ref; NULL it to see a gateway before its first */
    struct admin_workers workers;
    struct admin_sources sources;
};

static inline struct snapshot *gateway_snapshot(void *arg)
{
    return ((struct gateway *)arg)->snapshot;
}

static inline struct config *gateway_config(void *arg)
{
    return ((struct gateway *)arg)->config;
}

static inline void gateway_workers(void *arg, struct admin_workers *ret)
{
    *ret = ((struct gateway *)arg)->workers;
}

static inline void gateway_nothing(void *arg)
{
    (void)arg;
}

static const char gateway_yaml[] =
    "services:\n"
    "  orders: { instances: [\"127.0.0.1:7001\", \"127.0.0.1:7002\"] }\n"
    "  web: { instances: [\"127.0.0.1:7003\"] }\n"
    "rate_limits: { address: { rate: 5/s, apply: all, max_clients: 64 } }\n"
    "routes:\n"
    "  - { path: /orders/, service: orders, methods: [GET], prepend: /v2 }\n"
    "  - { host: shop.example, path: /, service: web }\n"
    "  - { path: /old/, redirect: { status: 308, to: \"https://shop.example$path\" } }\n"
    "  - { path: /void/, service: nobody }\n";

static inline void gateway_use_static(struct gateway *g)
{
    static const struct discovery_address orders[] = {{"127.0.0.1", 7001, 1, NULL, NULL},
                                                      {"127.0.0.1", 7002, 1, NULL, NULL}};
    static const struct discovery_address web[] = {{"127.0.0.1", 7003, 1, NULL, NULL}};
    static const struct discovery_static services[] = {{"web", web, 1}, {"orders", orders, 2}};

    discovery_set_static(g->discovery, services, 2);
}

static inline void gateway_init(struct gateway *g)
{
    struct discovery_options options = {.consul = false, .scope = DISCOVER_USED};
    struct err e = {""};

    memset(g, 0, sizeof *g);
    g->base = event_base_new();
    g->config = config_parse("test.yaml", gateway_yaml, strlen(gateway_yaml), &e);
    if (!g->config)
        fail_msg("%s", e.text);
    g->registry = registry_new(3);
    g->builder = builder_new(g->registry);
    g->discovery = discovery_new(g->base, &options, gateway_nothing, NULL, &e);
    assert_non_null(g->discovery);
    gateway_use_static(g);
    g->snapshot = builder_build(g->builder, g->config, g->discovery, clock_now_ns());
    g->workers = (struct admin_workers){.workers = 3, .accepted = 12, .unrouted = 4};
    g->sources = (struct admin_sources){
        .registry = g->registry,
        .discovery = g->discovery,
        .builder = g->builder,
        .snapshot = gateway_snapshot,
        .config = gateway_config,
        .workers = gateway_workers,
        .started_ns = clock_now_ns(),
        .started_wall_ms = 1764025266123,
        .version = "1.2.3",
        .arg = g,
    };
}

static inline void gateway_release(struct gateway *g)
{
    snapshot_unref(&g->snapshot);
    discovery_free(g->discovery);
    builder_free(g->builder);
    registry_free(g->registry);
    config_unref(&g->config);
    event_base_free(g->base);
}

static inline struct service_state *gateway_service(struct gateway *g, const char *name)
{
    struct service_state *s = registry_find(g->registry, name);

    assert_non_null(s);
    return s;
}

/* Trips the breaker of a service as its workers would. */
static inline void gateway_trip(struct gateway *g, const char *name)
{
    struct service_state *s = gateway_service(g, name);
    uint64_t now = clock_now_ns();
    struct breaker_info info;
    struct rng rng = {.state = 1};

    for (int i = 0; i < 1000; i++) {
        struct breaker_ticket t = breaker_admit(s->breaker, now);

        if (!t.admitted)
            break;
        breaker_report(s->breaker, t, now, &rng, true, NS_PER_MS);
    }
    breaker_info(s->breaker, now, &info);
    assert_int_equal(info.state, BREAKER_OPEN);
}
