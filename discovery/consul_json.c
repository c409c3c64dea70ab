/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_json.h"
#include "host.h"
#include "instances.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_WEIGHT = 65535 };

/* jansson bounds the nesting itself (JSON_PARSER_MAX_DEPTH, 2048). */
static json_t *parse(struct str body, bool want_array, struct err *e)
{
    json_error_t je;
    json_t *root = json_loadb(body.p ? body.p : "", body.n, JSON_ALLOW_NUL, &je);

    if (!root) {
        err_set(e, "the answer is not JSON: line %d: %s", je.line, je.text);
        return NULL;
    }
    if (want_array ? !json_is_array(root) : !json_is_object(root)) {
        err_set(e, "the answer is JSON, but not %s", want_array ? "an array" : "an object");
        json_decref(root);
        return NULL;
    }
    return root;
}

/* Text of a string value, or NULL; a string with a NUL inside is no text. */
static const char *text_of(const json_t *v)
{
    const char *z = json_string_value(v);

    return z && strlen(z) == json_string_length(v) ? z : NULL;
}

static const char *text(const json_t *object, const char *key)
{
    const char *z = text_of(json_object_get(object, key));

    return z ? z : "";
}

const char *consul_key(struct arena *a, const char *name)
{
    char *key = arena_strdup(a, name);

    for (char *p = key; *p; p++)
        *p = ascii_lower(*p);
    return key;
}

static const char *const *copy_tags(const json_t *array, struct arena *a, unsigned *ret_n)
{
    const char **tags = ARENA_ARRAY(a, const char *, json_array_size(array));
    unsigned n = 0;

    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *tag = text_of(json_array_get(array, i));

        if (tag)
            tags[n++] = arena_strdup(a, tag);
    }
    *ret_n = n;
    return tags;
}

static int compare_listed(const void *a, const void *b)
{
    const struct consul_listed *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static void join_tags(struct arena *a, struct consul_listed *to, const struct consul_listed *from)
{
    const char **tags = ARENA_ARRAY(a, const char *, to->ntags + from->ntags);

    for (unsigned i = 0; i < to->ntags; i++)
        tags[i] = to->tags[i];
    for (unsigned i = 0; i < from->ntags; i++)
        tags[to->ntags + i] = from->tags[i];
    to->tags = tags;
    to->ntags += from->ntags;
}

int consul_json_services(struct str body, struct arena *a, struct consul_services *ret,
                         struct err *e)
{
    json_t *root = parse(body, false, e), *value;
    const char *name;
    struct consul_listed *items;
    unsigned n = 0, kept = 0;

    if (!root)
        return -1;
    items = ARENA_ARRAY(a, struct consul_listed, json_object_size(root));
    json_object_foreach(root, name, value)
    {
        if (!*name)
            continue;
        if (!json_is_array(value) && !json_is_null(value)) {
            err_set(e, "the answer is JSON, but the tags of \"%.64s\" are not a list", name);
            json_decref(root);
            return -1;
        }
        items[n].name = consul_key(a, name);
        items[n].tags = copy_tags(value, a, &items[n].ntags);
        n++;
    }
    json_decref(root);
    qsort(items, n, sizeof *items, compare_listed);
    for (unsigned i = 0; i < n; i++) {
        if (kept > 0 && strcmp(items[kept - 1].name, items[i].name) == 0)
            join_tags(a, &items[kept - 1], &items[i]);
        else
            items[kept++] = items[i];
    }
    *ret = (struct consul_services){items, kept};
    return 0;
}

static enum health check_health(const json_t *check)
{
    const char *id = text(check, "CheckID"), *status = text(check, "Status");

    if (strcmp(id, "_node_maintenance") == 0 ||
        str_starts(str_of(id), STR("_service_maintenance:")))
        return HEALTH_MAINTENANCE;
    if (strcmp(status, "passing") == 0)
        return HEALTH_PASSING;
    if (strcmp(status, "warning") == 0)
        return HEALTH_WARNING;
    return HEALTH_CRITICAL;
}

static void read_checks(const json_t *checks, struct arena *a, struct instance *i)
{
    const char *worst = "";

    i->health = HEALTH_PASSING;
    for (size_t k = 0; k < json_array_size(checks); k++) {
        const json_t *check = json_array_get(checks, k);
        enum health h = json_is_object(check) ? check_health(check) : HEALTH_PASSING;

        if (h > i->health) {
            i->health = h;
            worst = text(check, "Name");
            if (!*worst)
                worst = text(check, "CheckID");
        }
    }
    i->check = arena_strdup(a, worst);
}

static uint32_t clamp_weight(json_int_t w)
{
    return w < 0 ? 0 : w > MAX_WEIGHT ? MAX_WEIGHT : (uint32_t)w;
}

/* Consul refuses a passing weight of zero, so zero means that no weights were given. A critical
 * instance keeps the weight that it would have: it takes part while a panic threshold is in force.
 */
static uint32_t weight_for(const json_t *weights, enum health h)
{
    const json_t *warning = json_object_get(weights, "Warning");
    json_int_t passing = json_integer_value(json_object_get(weights, "Passing"));
    bool given = passing > 0;

    switch (h) {
    case HEALTH_PASSING:
    case HEALTH_CRITICAL:
        return given ? clamp_weight(passing) : 1;
    case HEALTH_WARNING:
        return given && json_is_integer(warning) ? clamp_weight(json_integer_value(warning)) : 1;
    case HEALTH_MAINTENANCE:
        break;
    }
    return 0;
}

static void read_meta(json_t *meta, struct arena *a, struct instance *i)
{
    struct instance_meta *items = ARENA_ARRAY(a, struct instance_meta, json_object_size(meta));
    const char *key;
    json_t *value;

    json_object_foreach(meta, key, value)
    {
        const char *z = text_of(value);

        if (z)
            items[i->nmeta++] = (struct instance_meta){arena_strdup(a, key), arena_strdup(a, z)};
    }
    i->meta = items;
}

static bool skip(struct consul_health *h, const char *node, const char *id, const char *why,
                 const char *what)
{
    if (h->skipped++ == 0)
        snprintf(h->skipped_why, sizeof h->skipped_why, "node=%.48s id=%.48s: %s \"%.48s\"", node,
                 id, why, what);
    return false;
}

static bool read_instance(const json_t *entry, const char *zone_key, struct arena *a,
                          struct consul_health *h, struct instance *i)
{
    const json_t *node = json_object_get(entry, "Node"),
                 *service = json_object_get(entry, "Service"),
                 *port = json_object_get(service, "Port");
    const char *name = text(node, "Node"), *id = text(service, "ID"),
               *address = text(service, "Address");
    json_int_t create = json_integer_value(json_object_get(service, "CreateIndex"));
    char number[24];

    if (*text(service, "Kind"))
        return false;
    if (!json_is_object(service))
        return skip(h, name, id, "not a service", "");
    if (!*address)
        address = text(node, "Address");
    if (!host_valid(address))
        return skip(h, name, id, "bad address", address);
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(port));
    if (json_integer_value(port) < 1 || json_integer_value(port) > 65535)
        return skip(h, name, id, "bad port", number);

    i->node = arena_strdup(a, name);
    i->id = arena_strdup(a, *id ? id : text(service, "Service"));
    i->address = arena_strdup(a, address);
    i->port = (uint16_t)json_integer_value(port);
    i->create_index = create > 0 ? (uint64_t)create : 0;
    read_checks(json_object_get(entry, "Checks"), a, i);
    i->weight = weight_for(json_object_get(service, "Weights"), i->health);
    i->zone = arena_strdup(a, zone_key ? text(json_object_get(node, "Meta"), zone_key) : "");
    i->datacenter = arena_strdup(a, text(node, "Datacenter"));
    i->tags = copy_tags(json_object_get(service, "Tags"), a, &i->ntags);
    read_meta(json_object_get(service, "Meta"), a, i);
    return true;
}

/* An answer in which nothing looks like an instance is not Consul's, and so no word that there are
 * none. */
static bool is_foreign(const json_t *array)
{
    for (size_t k = 0; k < json_array_size(array); k++) {
        const json_t *entry = json_array_get(array, k);

        if (json_is_object(json_object_get(entry, "Node")) &&
            json_is_object(json_object_get(entry, "Service")))
            return false;
    }
    return json_array_size(array) > 0;
}

static int read_instances(const json_t *array, const char *zone_key, struct arena *a,
                          struct consul_health *ret, struct err *e)
{
    if (is_foreign(array))
        return err_set(e, "the answer is JSON, but not instances");
    memset(ret, 0, sizeof *ret);
    ret->items = ARENA_ARRAY(a, struct instance, json_array_size(array));
    for (size_t k = 0; k < json_array_size(array); k++)
        if (read_instance(json_array_get(array, k), zone_key, a, ret, &ret->items[ret->n]))
            ret->n++;
    ret->n = instances_sort(ret->items, ret->n);
    return 0;
}

int consul_json_health(struct str body, const char *zone_key, struct arena *a,
                       struct consul_health *ret, struct err *e)
{
    json_t *root = parse(body, true, e);
    int result = root ? read_instances(root, zone_key, a, ret, e) : -1;

    json_decref(root);
    return result;
}

int consul_json_prepared(struct str body, const char *zone_key, struct arena *a,
                         struct consul_health *ret, struct err *e)
{
    json_t *root = parse(body, false, e), *nodes = json_object_get(root, "Nodes");
    int result = -1;

    /* Consul writes null for a list without anything in it. */
    if (json_is_array(nodes) || json_is_null(nodes))
        result = read_instances(nodes, zone_key, a, ret, e);
    else if (root)
        err_set(e, "the answer is JSON, but not that of a prepared query");
    json_decref(root);
    return result;
}

int consul_check_compare(const struct consul_check *a, const struct consul_check *b)
{
    int c = strcmp(a->node, b->node);

    if (c == 0)
        c = strcmp(a->id, b->id);
    return c != 0 ? c : strcmp(a->service, b->service);
}

static int compare_checks(const void *a, const void *b)
{
    return consul_check_compare(a, b);
}

int consul_json_checks(struct str body, struct arena *a, struct consul_checks *ret, struct err *e)
{
    json_t *root = parse(body, true, e);

    if (!root)
        return -1;
    ret->n = 0;
    ret->items = ARENA_ARRAY(a, struct consul_check, json_array_size(root));
    for (size_t k = 0; k < json_array_size(root); k++) {
        const json_t *check = json_array_get(root, k);

        if (json_is_object(check))
            ret->items[ret->n++] = (struct consul_check){arena_strdup(a, text(check, "Node")),
                                                         arena_strdup(a, text(check, "CheckID")),
                                                         consul_key(a, text(check, "ServiceName"))};
    }
    json_decref(root);
    qsort(ret->items, ret->n, sizeof *ret->items, compare_checks);
    return 0;
}
