/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an answer of Consul. The first byte chooses which answer it is taken for. */
#include "discovery/consul_json.h"
#include "discovery/instances.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_services(struct str body, struct arena *a)
{
    struct consul_services list;
    struct err e;

    if (consul_json_services(body, a, &list, &e) != 0)
        return;
    for (unsigned i = 1; i < list.n; i++)
        assert(strcmp(list.items[i - 1].name, list.items[i].name) < 0);
}

typedef int health_fn(struct str body, const char *zone_key, struct arena *a,
                      struct consul_health *ret, struct err *e);

static void as_health(struct str body, struct arena *a, health_fn *read)
{
    struct consul_health h;
    struct err e;

    if (read(body, "zone", a, &h, &e) != 0)
        return;
    for (unsigned i = 0; i < h.n; i++) {
        assert(h.items[i].port != 0 && *h.items[i].address && h.items[i].datacenter);
        assert(h.items[i].health != HEALTH_MAINTENANCE || h.items[i].weight == 0);
        assert(i == 0 || instance_compare(&h.items[i - 1], &h.items[i]) < 0);
    }
    assert(h.skipped == 0 || *h.skipped_why);
}

static void as_checks(struct str body, struct arena *a)
{
    struct consul_checks list;
    struct err e;

    if (consul_json_checks(body, a, &list, &e) != 0)
        return;
    for (unsigned i = 1; i < list.n; i++)
        assert(consul_check_compare(&list.items[i - 1], &list.items[i]) <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a;
    struct str body;

    if (size == 0)
        return 0;
    a = arena_new();
    body = (struct str){(const char *)data + 1, size - 1};
    switch (data[0] % 4) {
    case 0:
        as_services(body, a);
        break;
    case 1:
        as_health(body, a, consul_json_health);
        break;
    case 2:
        as_checks(body, a);
        break;
    default:
        as_health(body, a, consul_json_prepared);
        break;
    }
    arena_free(a);
    return 0;
}
