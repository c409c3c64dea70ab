/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - from a folder of files to one checked configuration: read, merge (tree.h), fill in by
 * the tables (sections.h), check what spans several sections. */
#include "config/config.h"

#include "base/log.h"
#include "config/sections.h"
#include "config/tree.h"
#include "config/value.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 8 << 20, MAX_FILES = 10000 };

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

static int fill_in(struct reader *r, const struct node *root)
{
    struct config *c = r->config;
    const struct node *services = node_get(root, "services"), *routes = node_get(root, "routes");

    c->defaults.name = "";
    section_defaults(r, &top_section, c);
    section_defaults(r, &service_section, &c->defaults);
    if (section_read(r, &top_section, root, c) < 0)
        return -1;
    state_dir_finish(r, root);
    if (c->fleet.enabled && !c->consul.enabled)
        return node_error(node_get(root, "fleet"), r->err,
                          "the gateways meet in Consul: needs consul");
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
    tls_warn(c);
    authorities_warn(c);
    return c;
}

static int add_text(struct tree *t, const char *file, const char *text, size_t n, struct err *e)
{
    if (n > MAX_FILE_BYTES)
        return err_set(e, "%s: larger than %d MiB", file, MAX_FILE_BYTES >> 20);
    return tree_add(t, file, text, n, e);
}

struct config *config_parse(const char *name, const char *text, size_t n, struct err *e)
{
    struct arena *scratch = arena_new();
    struct config *c = NULL;
    struct tree t;

    if (!scratch) {
        err_set(e, "out of memory");
        return NULL;
    }
    tree_init(&t, scratch);
    if (add_text(&t, name, text, n, e) == 0)
        c = finish(&t, "", e);
    arena_free(scratch);
    return c;
}

/* Reads at most one byte more than a file may have. */
static int read_all(int fd, char *buf, size_t cap, size_t *ret_n)
{
    size_t used = 0;
    ssize_t n;

    do {
        n = read(fd, buf + used, cap - used);
        used += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && used < cap) || (n < 0 && errno == EINTR));
    *ret_n = used;
    return n < 0 ? -1 : 0;
}

static int add_file(struct tree *t, const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t n, cap = MAX_FILE_BYTES + 1;
    struct stat st;
    char *text;
    int rc;

    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(e, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    text = S_ISREG(st.st_mode) ? malloc(cap) : NULL;
    if (!text)
        rc = err_set(e, "%s: %s", path, S_ISREG(st.st_mode) ? "out of memory" : "not a file");
    else if (read_all(fd, text, cap, &n) < 0)
        rc = err_set(e, "%s: %s", path, strerror(errno));
    else
        rc = add_text(t, path, text, n, e);
    free(text);
    close(fd);
    return rc;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);

    return n > k && strcmp(name + n - k, end) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files that count, sorted; hidden ones and editors' backups do not. */
static int list_files(struct arena *a, const char *dir, const char ***ret_names, size_t *ret_n,
                      struct err *e)
{
    DIR *d = opendir(dir);
    const char **names;
    struct dirent *entry;
    size_t n = 0;

    if (!d)
        return err_set(e, "%s: %s", dir, strerror(errno));
    names = ARENA_ARRAY(a, const char *, MAX_FILES);
    while (n < MAX_FILES && (entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        if (ends_with(entry->d_name, ".yaml") || ends_with(entry->d_name, ".json"))
            names[n++] = arena_strdup(a, entry->d_name);
        else if (ends_with(entry->d_name, ".yml"))
            log_warn("config", "%s/%s is not read: only *.yaml and *.json are", dir, entry->d_name);
    }
    closedir(d);
    if (n == 0 || n == MAX_FILES)
        return err_set(e, n ? "%s: too many files" : "%s: no *.yaml or *.json file", dir);
    qsort(names, n, sizeof *names, by_text);
    *ret_names = names;
    *ret_n = n;
    return 0;
}

static int add_dir(struct tree *t, const char *dir, struct err *e)
{
    const char **names = NULL;
    size_t n = 0;

    if (list_files(t->arena, dir, &names, &n, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        bool slash = dir[strlen(dir) - 1] == '/';

        if (add_file(t, arena_printf(t->arena, "%s%s%s", dir, slash ? "" : "/", names[i]), e) < 0)
            return -1;
    }
    return 0;
}

struct config *config_load(const char *dir, struct err *e)
{
    struct arena *scratch = arena_new();
    struct config *c = NULL;
    struct tree t;

    if (!scratch) {
        err_set(e, "out of memory");
        return NULL;
    }
    tree_init(&t, scratch);
    if (add_dir(&t, dir, e) == 0)
        c = finish(&t, dir, e);
    arena_free(scratch);
    return c;
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

const struct service_conf *config_service(const struct config *c, const char *name)
{
    struct service_conf key = {.name = name};
    const struct service_conf *found =
        c->nservices ? bsearch(&key, c->services, c->nservices, sizeof key, by_service_name) : NULL;

    return found ? found : &c->defaults;
}
