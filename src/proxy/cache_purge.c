/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/cache_purge.h"
#include "cache/cache.h"

#include <stdlib.h>

struct purge {
    const struct cache_purge_order *order;
    const char **routes; /* of the service, by name; owned */
    size_t nroutes;
};

static bool has_word(struct str list, char separator, const char *word)
{
    struct str item;

    while (str_next(&list, separator, &item))
        if (str_eq(item, str_of(word)))
            return true;
    return false;
}

static bool has_tag(const struct cache_entry *e, const char *tag)
{
    for (unsigned i = 0; i < e->nheaders; i++)
        if ((str_ieq(e->headers[i].name, STR("cache-tag")) &&
             has_word(e->headers[i].value, ',', tag)) ||
            (str_ieq(e->headers[i].name, STR("surrogate-key")) &&
             has_word(e->headers[i].value, ' ', tag)))
            return true;
    return false;
}

static bool has_path(const struct cache_entry *e, const char *path)
{
    size_t n = strlen(path);

    if (n > 0 && path[n - 1] == '*')
        return str_starts(e->key.path, (struct str){path, n - 1});
    return str_eq(e->key.path, str_of(path));
}

static bool is_of_service(const struct purge *p, const struct cache_entry *e)
{
    for (size_t i = 0; i < p->nroutes; i++)
        if (str_eq(e->key.scope, str_of(p->routes[i])))
            return true;
    return false;
}

static bool is_meant(void *arg, const struct cache_entry *e)
{
    const struct purge *p = arg;
    const struct cache_purge_order *o = p->order;

    return o->all || (o->route && str_eq(e->key.scope, str_of(o->route))) ||
           (o->tag && has_tag(e, o->tag)) || (o->path && has_path(e, o->path)) ||
           (o->service && is_of_service(p, e));
}

static void add_routes(struct purge *p, const struct snapshot *s)
{
    size_t n = route_table_count(s->routes);

    p->routes = calloc(n ? n : 1, sizeof *p->routes);
    if (!p->routes)
        abort();
    for (size_t i = 0; i < n; i++) {
        const struct route_conf *c = route_table_at(s->routes, i)->conf;

        for (size_t t = 0; t < c->ntargets; t++)
            if (strcmp(c->targets[t].service, p->order->service) == 0) {
                p->routes[p->nroutes++] = c->name;
                break;
            }
    }
}

size_t cache_purge_run(struct cache *c, const struct snapshot *s, const struct cache_purge_order *o)
{
    struct purge p = {.order = o};
    size_t n;

    if (o->service)
        add_routes(&p, s);
    n = cache_purge(c, is_meant, &p);
    free(p.routes);
    return n;
}
