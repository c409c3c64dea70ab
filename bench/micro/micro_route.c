/* SPDX-License-Identifier: Apache-2.0 */
/* micro_route.c - finding the route of a request in tables of different size. */
#include "base/arena.h"
#include "base/macros.h"
#include "base/rng.h"
#include "micro.h"
#include "route/route.h"

#include <string.h>

enum { ASKED = 64 };

static struct route_table *table;
static struct request requests[ASKED];
static char paths[ASKED][64];

static uint32_t slot(void *arg, const char *service)
{
    (void)arg;
    (void)service;
    return 0;
}

static void on_bad(void *arg, const struct route_conf *conf, const char *why)
{
    (void)arg;
    (void)conf;
    micro_failed(why, __FILE__, __LINE__);
}

/* A prefix for each service, as clusters have it: /svc000042/. */
static void prepare(long n)
{
    static struct target_conf target = {"web", 1};
    struct arena *a = arena_new();
    struct route_conf *confs = ARENA_ARRAY(a, struct route_conf, (size_t)n);
    struct route_input *inputs = ARENA_ARRAY(a, struct route_input, (size_t)n);
    struct rng rng = {7};

    for (long i = 0; i < n; i++) {
        confs[i] = (struct route_conf){.name = arena_printf(a, "svc%06ld", i),
                                       .source = "bench",
                                       .path = arena_printf(a, "/svc%06ld/", i),
                                       .targets = &target,
                                       .ntargets = 1};
        inputs[i] = (struct route_input){.conf = &confs[i]};
    }
    table = route_table_build(inputs, (size_t)n, slot, on_bad, NULL);
    micro_check(route_table_count(table) == (size_t)n);
    arena_free(a);
    for (int i = 0; i < ASKED; i++) {
        snprintf(paths[i], sizeof paths[i], "/svc%06u/orders/17", rng_below(&rng, (uint32_t)n));
        requests[i] = (struct request){.method = METHOD_GET,
                                       .method_name = STR("GET"),
                                       .host = STR("shop.example:8080"),
                                       .path = str_of(paths[i])};
    }
}

static void find(unsigned n)
{
    struct route_match m;

    while (n--) {
        route_find(table, &requests[n % ASKED], &m);
        micro_check(m.route != NULL);
    }
}

static void release(void)
{
    route_table_unref(&table);
}

static const struct micro_case cases[] = {
    {"find route, 10 routes", 1000, prepare, find, release, 10},
    {"find route, 1,000 routes", 1000, prepare, find, release, 1000},
    {"find route, 100,000 routes", 1000, prepare, find, release, 100000},
};

const struct micro_group micro_route = MICRO_GROUP(cases);
