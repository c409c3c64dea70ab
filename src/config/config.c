/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - from documents to one checked configuration: merge (tree.h), fill in by the tables
 * (sections.h), check what spans several sections. */
#include "config/config.h"

#include "base/log.h"
#include "config/documents.h"
#include "config/sections.h"
#include "config/tree.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

static int by_service_name(const void *a, const void *b)
{
    return strcmp(((const struct service_conf *)a)->name, ((const struct service_conf *)b)->name);
}

static int services_read(struct reader *r, const struct node *n)
{
    struct config *c = r->config;
    struct service_conf *s;

    if (node_is_null(n))
        return 0;
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "services by name");
    s = c->services = ARENA_ARRAY(r->arena, struct service_conf, n->n);
    node_each(it, n)
    {
        *s = c->defaults;
        s->name = arena_strdup(r->arena, it->key);
        if (value_name_problem(it->key))
            return node_error(it, r->err, "\"%.60s\" %s", it->key, value_name_problem(it->key));
        if (service_read(r, it, s) < 0)
            return -1;
        s++;
    }
    c->nservices = n->n;
    qsort(c->services, c->nservices, sizeof *c->services, by_service_name);
    return 0;
}

static int by_name_text(const void *a, const void *b)
{
    const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
    int order = strcmp(x->text, y->text);

    return order ? order : (x->seq > y->seq) - (x->seq < y->seq);
}

/* Only names that people gave: those made from host and path may repeat (one route for GET, one
 * for POST). */
static int check_route_names(struct reader *r, const struct node *routes)
{
    const struct node **names = ARENA_ARRAY(r->scratch, const struct node *, routes->n);
    size_t n = 0;

    node_each(it, routes)
    {
        names[n] = node_get(it, "name");
        n += names[n] != NULL;
    }
    qsort(names, n, sizeof *names, by_name_text);
    for (size_t i = 1; i < n; i++)
        if (strcmp(names[i]->text, names[i - 1]->text) == 0)
            return node_error(names[i], r->err, "\"%.60s\" is also the name of the route at %s:%u",
                              names[i]->text, names[i - 1]->file, names[i - 1]->line);
    return 0;
}

static int routes_read(struct reader *r, const struct node *n)
{
    struct config *c = r->config;

    if (node_is_null(n))
        return 0;
    c->routes =
        list_read(r, n, "a list of routes", MAX_ROUTES, sizeof *c->routes, route_read, &c->nroutes);
    return c->routes ? check_route_names(r, n) : -1;
}

static void warn_services(const struct config *c)
{
    for (size_t i = 0; i < c->nservices; i++) {
        const struct service_conf *s = &c->services[i];

        if (strcmp(s->balance.policy, "consistent_hash") == 0 && !s->balance.hash_source)
            log_warn("config", "service %s: consistent_hash without balance.hash picks at random",
                     s->name);
    }
}

static void warn_instances(const struct config *c, const struct route_conf *route,
                           const char *service)
{
    if (config_service(c, service)->ninstances == 0)
        log_warn("config",
                 "%s: service %s has no instances, and there is no consul section to find some",
                 route->source, service);
}

static void warn_fallbacks(const struct config *c, const struct route_conf *route,
                           const struct fallback_list *list)
{
    for (size_t i = 0; list && i < list->n; i++)
        if (list->items[i].kind == FALLBACK_SERVICE)
            warn_instances(c, route, list->items[i].service);
}

static void warn_routes(const struct config *c)
{
    for (size_t i = 0; i < c->nroutes; i++) {
        const struct route_conf *route = &c->routes[i];

        for (size_t t = 0; !c->consul.enabled && t < route->ntargets; t++) {
            const struct service_conf *s = config_service(c, route->targets[t].service);

            warn_instances(c, route, route->targets[t].service);
            warn_fallbacks(c, route, fallback_list_of(route, s));
        }
    }
}

/* A query on the outer one would get the keys of both with each change of one. */
static void warn_prefixes(const struct config *c)
{
    const char *fleet = c->fleet.prefix, *documents = c->consul.config_prefix;
    size_t n = c->fleet.enabled ? strlen(fleet) : 0;

    if (n > 0 && documents && strncmp(documents, fleet, n) == 0 && documents[n] == '/')
        log_warn(
            "config",
            "consul.config_prefix %s lies within fleet.prefix %s: with each breaker that "
            "changes anywhere, every gateway is sent all of the configuration. Keep them apart",
            documents, fleet);
}

static void warn_admin(const struct config *c)
{
    const struct admin_conf *a = &c->admin;

    if (!a->address || strncmp(a->host, "127.", 4) == 0 || strcmp(a->host, "::1") == 0)
        return;
    log_warn("config", "admin.address %s is not loopback: who reaches it can read everything",
             a->address);
    if (a->token_file && !a->tls_cert)
        log_warn("config", "admin.token_file without admin.tls: the token crosses the network in "
                           "the clear");
}

/* Wanted before its section is read. */
static const char *shared_files_of(const struct node *root)
{
    const struct node *consul = node_get(root, "consul"), *files = NULL;

    if (consul && consul->kind == NODE_MAP)
        files = node_get(consul, "config_files");
    return files && files->kind == NODE_TEXT && !node_is_null(files) ? files->text : NULL;
}

static int fill_in(struct reader *r, const struct node *root)
{
    struct config *c = r->config;
    const struct node *services = node_get(root, "services"), *routes = node_get(root, "routes");

    c->defaults.name = "";
    r->shared_files = shared_files_of(root);
    section_defaults(r, &top_section, c);
    section_defaults(r, &service_section, &c->defaults);
    if (section_read(r, &top_section, root, c) < 0)
        return -1;
    state_dir_finish(r, root);
    if (c->fleet.enabled && !c->consul.enabled)
        return node_error(node_get(root, "fleet"), r->err,
                          "the gateways meet in Consul: needs consul");
    if (registration_check(r, root) < 0)
        return -1;
    if (rate_limits_finish(r, root) < 0)
        return -1;
    if (api_keys_finish(r, root) < 0)
        return -1;
    if (policies_finish(r, root) < 0)
        return -1;
    tls_guard(r);
    if (services && services_read(r, services) < 0)
        return -1;
    return routes ? routes_read(r, routes) : 0;
}

/* Takes over a tree that is complete but not merged. */
static struct config *finish(struct tree *t, const char *dir, struct err *e)
{
    struct arena *arena = arena_new();
    struct reader r = {.arena = arena, .scratch = t->arena, .err = e};
    struct config *c;

    if (!arena) {
        err_set(e, "out of memory");
        return NULL;
    }
    c = r.config = ARENA_NEW(arena, struct config);
    c->arena = arena;
    c->refs = 1;
    c->dir = arena_strdup(arena, dir);
    if (tree_merge(t, e) < 0 || fill_in(&r, &t->root) < 0) {
        config_unref(&c);
        return NULL;
    }
    policies_warn(c);
    warn_services(c);
    warn_routes(c);
    warn_admin(c);
    warn_prefixes(c);
    tls_warn(c);
    authorities_warn(c);
    return c;
}

static struct config *build(const char *dir, const struct config_documents *files,
                            const struct config_documents *shared, struct err *e)
{
    struct arena *scratch = arena_new();
    struct config *c = NULL;
    struct tree t;

    if (!scratch) {
        err_set(e, "out of memory");
        return NULL;
    }
    tree_init(&t, scratch);
    if (documents_add(&t, files, false, e) == 0 && documents_add(&t, shared, true, e) == 0)
        c = finish(&t, dir, e);
    arena_free(scratch);
    return c;
}

struct config *config_parse(const char *name, const char *text, size_t n, struct err *e)
{
    struct config_document one = {name, {text, n}};
    struct config_documents files = {.list = &one, .n = 1};

    return build("", &files, NULL, e);
}

struct config *config_load(const char *dir, struct err *e)
{
    struct config_documents *files = documents_read(dir, false, e);
    struct config *c = files ? build(dir, files, NULL, e) : NULL;

    documents_free(&files);
    return c;
}

struct config *config_join(const char *dir, const struct config_documents *files,
                           const struct config_documents *shared, struct err *e)
{
    return build(dir, files, shared, e);
}

struct config *config_ref(struct config *c)
{
    c->refs++;
    return c;
}

void config_unref(struct config **c)
{
    struct config *old = *c;

    *c = NULL;
    if (old && --old->refs == 0)
        arena_free(old->arena);
}

static const struct service_conf *find_service(const struct config *c, const char *name)
{
    struct service_conf key = {.name = name};

    return c->nservices ? bsearch(&key, c->services, c->nservices, sizeof key, by_service_name)
                        : NULL;
}

const struct service_conf *config_service(const struct config *c, const char *name)
{
    const struct service_conf *found = find_service(c, name);
    const char *mark = strpbrk(name, ":@+");
    char base[256];

    if (found || !mark)
        return found ? found : &c->defaults;
    /* "web:v2@dc2" is "web:v2" elsewhere, and that is a part of "web". */
    mark = strpbrk(name, "@+");
    for (int i = 0; i < 2 && !found; i++, mark = strchr(name, ':'))
        if (mark && (size_t)(mark - name) < sizeof base) {
            memcpy(base, name, (size_t)(mark - name));
            base[mark - name] = '\0';
            found = find_service(c, base);
        }
    return found ? found : &c->defaults;
}
