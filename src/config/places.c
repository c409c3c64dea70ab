/* SPDX-License-Identifier: Apache-2.0 */
/* places.c - where in Consul the instances of a service are: `datacenters:`, `places:` and
 * `failover:`. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

enum { PLACES_MAX = 16, TEXT_MAX = 500 };

static const char *text_problem(const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n > TEXT_MAX)
        return "must have 1 to 500 characters";
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return "holds a control character";
    return NULL;
}

static const struct field place_fields[] = {
    STRING("service", place_conf, service, NULL, text_problem,
           "Name of the service there; unset = that of the entry."),
    STRING("datacenter", place_conf, datacenter, NULL, value_name_problem,
           "Its datacenter; unset or `local` = where `consul` asks."),
    STRING("filter", place_conf, filter, NULL, text_problem,
           "Only instances that this expression of Consul's is true for, as `Service.Meta.version "
           "== \"2\"`."),
    STRING("query", place_conf, query, NULL, value_name_problem,
           "Name or id of a prepared query to ask in place of a service, every 5 s."),
    BOOLEAN("only_passing", place_conf, only_passing, "false",
            "Instances with a check that warns take no new requests."),
    STRING("namespace", place_conf, ns, NULL, value_name_problem,
           "Its namespace (Consul Enterprise)."),
    STRING("partition", place_conf, partition, NULL, value_name_problem,
           "Its admin partition (Consul Enterprise)."),
    STRING("peer", place_conf, peer, NULL, value_name_problem,
           "The peer that it is imported from (Consul 1.13 and later)."),
};
const struct section place_section = {place_fields, ARRAY_LEN(place_fields)};

static const struct field failover_fields[] = {
    PERCENT("min_healthy", service_conf, places.min_healthy, 0, "0",
            "A place is used while at least this share of its instances takes requests, and at "
            "least one."),
    DURATION("fail_back", service_conf, places.fail_back_ms, 0, 24 * HOURS, "30s",
             "A better place is gone back to when it has been healthy for so long."),
    BOOLEAN("on_breaker", service_conf, places.on_breaker, "true",
            "A place is also left when the service's breaker opens: for `fail_back`, and twice as "
            "long each further time, up to 10 min."),
};
const struct section place_failover_section = {failover_fields, ARRAY_LEN(failover_fields)};

static void forget_local(struct place_conf *p)
{
    if (p->datacenter && strcmp(p->datacenter, "local") == 0)
        p->datacenter = NULL;
}

static int datacenter_read(struct reader *r, const struct node *n, void *at)
{
    struct place_conf *p = at;

    section_defaults(r, &place_section, p);
    p->datacenter = text_read(r, n, "the name of a datacenter, or local", value_name_problem);
    if (!p->datacenter)
        return -1;
    forget_local(p);
    return 0;
}

static int place_read(struct reader *r, const struct node *n, void *at)
{
    struct place_conf *p = at;

    section_defaults(r, &place_section, p);
    if (section_read(r, &place_section, n, p) < 0)
        return -1;
    forget_local(p);
    if (p->query && (p->service || p->filter || p->peer))
        return node_error(n, r->err, "a query says by itself which service, filter and peer");
    if (p->peer && p->datacenter)
        return node_error(n, r->err, "what a peer exports is in no datacenter of this cluster");
    return 0;
}

static int list_of_places(struct reader *r, const struct node *n, const char *what,
                          field_read_fn *item, struct places_conf *ret)
{
    ret->items = list_read(r, n, what, PLACES_MAX, sizeof *ret->items, item, &ret->n);
    if (!ret->items)
        return -1;
    if (ret->n == 0)
        return node_error(n, r->err, "an empty list is nowhere; leave the key out");
    return 0;
}

int service_datacenters_read(struct reader *r, const struct node *n, void *at)
{
    struct service_conf *s = at;

    return list_of_places(r, n, "a list of datacenters", datacenter_read, &s->places);
}

int service_places_read(struct reader *r, const struct node *n, void *at)
{
    struct service_conf *s = at;

    return list_of_places(r, n, "a list of places", place_read, &s->places);
}

static bool same_place(const struct place_conf *a, const struct place_conf *b)
{
    return str_same(a->service, b->service) && str_same(a->datacenter, b->datacenter) &&
           str_same(a->filter, b->filter) && str_same(a->query, b->query) &&
           str_same(a->ns, b->ns) && str_same(a->partition, b->partition) &&
           str_same(a->peer, b->peer);
}

int places_check(struct reader *r, const struct node *n, struct service_conf *s)
{
    const struct node *datacenters = node_get(n, "datacenters"), *places = node_get(n, "places");
    const struct node *which = datacenters ? datacenters : places;

    if (!which)
        return 0;
    if (datacenters && places)
        return node_error(places, r->err, "datacenters is short for places: one of the two");
    if (s->ninstances > 0)
        return node_error(which, r->err,
                          "the service has fixed instances; places are looked up in Consul");
    for (size_t i = 0; i < s->places.n; i++) {
        if (!s->places.items[i].service && !s->places.items[i].query)
            s->places.items[i].service = s->name;
        for (size_t j = 0; j < i; j++)
            if (same_place(&s->places.items[i], &s->places.items[j]))
                return node_error(which, r->err, "number %zu of the list is there twice", j + 1);
    }
    return 0;
}
