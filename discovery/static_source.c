/* SPDX-License-Identifier: Apache-2.0 */
#include "static_source.h"
#include "base/log.h"
#include "host.h"
#include "instances.h"

#include <string.h>

static const char *const *one_tag(struct arena *a, const char *tag)
{
    const char **tags = ARENA_ARRAY(a, const char *, 1);

    tags[0] = arena_strdup(a, tag);
    return tags;
}

static void fill(struct arena *a, const struct discovery_address *from, struct instance *to)
{
    to->node = "";
    to->check = "";
    to->id = arena_printf(a, strchr(from->host, ':') ? "[%s]:%u" : "%s:%u", from->host,
                          (unsigned)from->port);
    to->address = arena_strdup(a, from->host);
    to->zone = arena_strdup(a, from->zone ? from->zone : "");
    to->datacenter = "";
    to->port = from->port;
    to->weight = from->weight;
    to->health = HEALTH_PASSING;
    if (from->tag) {
        to->tags = one_tag(a, from->tag);
        to->ntags = 1;
    }
}

struct instance_set *static_source_build(const struct discovery_static *s, const char *key,
                                         struct instance **ret_items)
{
    struct arena *a = arena_new();
    struct instance *items = ARENA_ARRAY(a, struct instance, s->ninstances);
    unsigned n = 0;

    for (size_t i = 0; i < s->ninstances; i++) {
        const struct discovery_address *from = &s->instances[i];

        if (from->port != 0 && host_valid(from->host))
            fill(a, from, &items[n++]);
        else
            log_warn("discovery", "service=%s: bad static address \"%s\" port %u: left out", key,
                     from->host, (unsigned)from->port);
    }
    *ret_items = items;
    return instance_set_new(a, key, items, instances_sort(items, n));
}
