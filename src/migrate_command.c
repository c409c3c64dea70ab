/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate_command.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/migrate_document.h"
#include "cli/migrate_yaml.h"
#include "config_store.h"
#include "discovery/consul_http.h"
#include "discovery/consul_json.h"
#include "route/tags_library.h"

#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: frontdesk migrate [--consul ADDRESS | -c DIR] [--json]\n"
    "\n"
    "Reads the catalog of Consul and fabio's commands in its KV store, and prints what each tag of "
    "fabio\n"
    "and Traefik becomes: a file of conf.d with the routes, and in its comments what would behave\n"
    "differently or is left out, and why. Changes nothing.\n"
    "\n"
    "      --consul ADDRESS  the agent: HOST:PORT, http://..., https://..., unix:///PATH\n"
    "  -c, --config DIR      the configuration of a gateway, which says where Consul is and what\n"
    "                        tags begin with\n"
    "      --json            one document instead\n"
    "  -h, --help\n"
    "\n"
    "Without both, $CONSUL_HTTP_ADDR and the like say where Consul is; the others of them hold in "
    "any\n"
    "case ($CONSUL_HTTP_TOKEN, $CONSUL_CACERT, ...).\n"
    "Exit status: 0 all is as it was, 1 something differs or is left out, 2 the catalog cannot be "
    "read.\n";

enum { OPTION_CONSUL = OPTION_OWN, OPTION_JSON };
enum { CLEAN, UNCLEAN, UNREAD };

static struct config *config_of(const char *address, struct err *e)
{
    static const char no_section[] = "consul: {}\n";
    json_t *doc;
    char *text;
    struct config *c;

    if (!address)
        return config_parse("environment", no_section, sizeof no_section - 1, e);
    doc = json_pack("{s:{s:s}}", "consul", "address", address);
    text = doc ? json_dumps(doc, 0) : NULL;
    if (!text) {
        err_set(e, "the address is no text");
        return NULL;
    }
    c = config_parse("--consul", text, strlen(text), e);
    free(text);
    json_decref(doc);
    return c;
}

/* All three kinds of tags and commands are looked for, whatever the gateway reads of them. */
static void widen(struct consul_conf *c)
{
    c->expose = EXPOSE_TAGGED;
    c->tag_prefix = "";
    if (!c->fabio_prefix[0])
        c->fabio_prefix = "urlprefix-";
    if (!c->traefik_prefix[0])
        c->traefik_prefix = "traefik.";
    if (!c->fabio_kv)
        c->fabio_kv = "fabio/config";
}

static bool is_tagged(const struct consul_conf *c, const struct consul_listed *listed)
{
    for (unsigned i = 0; i < listed->ntags; i++) {
        struct str tag = str_trim(str_of(listed->tags[i]));

        if (str_starts(tag, str_of(c->fabio_prefix)) || str_istarts(tag, str_of(c->traefik_prefix)))
            return true;
    }
    return false;
}

static const char *path_of(struct arena *a, const struct consul_conf *c, const char *head,
                           const char *name)
{
    char *encoded = consul_http_encode(name);
    char *dc = c->datacenter ? consul_http_encode(c->datacenter) : NULL;
    const char *path =
        arena_printf(a, "%s%s?stale%s%s", head, encoded, dc ? "&dc=" : "", dc ? dc : "");

    free(encoded);
    free(dc);
    return path;
}

static int read_service(struct config_store *store, const struct consul_conf *c,
                        struct migrate_service *s, const char *name, struct arena *a, struct err *e)
{
    struct instance_set *set = ARENA_NEW(a, struct instance_set);
    struct consul_health health;
    struct str body;

    if (config_store_get(store, path_of(a, c, "/v1/health/service/", name), &body, e) < 0 ||
        consul_json_health(body, NULL, a, &health, e) < 0)
        return -1;
    /* Whether a name can be resolved is of no interest here. */
    for (unsigned i = 0; i < health.n; i++)
        health.items[i].sockaddr_len = sizeof(struct sockaddr_in);
    *set = (struct instance_set){
        .service = arena_strdup(a, name), .items = health.items, .n = health.n};
    s->set = set;
    return 0;
}

static int read_services(struct config_store *store, struct migrate_catalog *m, struct arena *a,
                         struct err *e)
{
    struct consul_services list;
    struct str body;

    if (config_store_get(store, path_of(a, m->consul, "/v1/catalog/services", ""), &body, e) < 0 ||
        consul_json_services(body, a, &list, e) < 0)
        return -1;
    m->services = ARENA_ARRAY(a, struct migrate_service, list.n);
    for (unsigned i = 0; i < list.n; i++) {
        if (!is_tagged(m->consul, &list.items[i]))
            continue;
        if (read_service(store, m->consul, &m->services[m->n], list.items[i].name, a, e) < 0)
            return -1;
        m->n++;
    }
    return 0;
}

/* What the token may not read is no reason to say nothing about the rest. */
static struct fabio_commands *read_commands(struct config_store *store, struct migrate_catalog *m,
                                            struct arena *a)
{
    const char *prefix = m->consul->fabio_kv;
    struct fabio_commands *commands;
    struct err e;
    struct kv_rows *rows = config_store_read(store, prefix, &e);
    struct fabio_text *texts;
    size_t n = 0;

    if (!rows) {
        m->commands_why = arena_strdup(a, e.text);
        return NULL;
    }
    texts = ARENA_ARRAY(a, struct fabio_text, rows->n);
    for (size_t i = 0; i < rows->n; i++)
        if (rows->list[i].key[0] == '\0' || rows->list[i].key[0] == '/')
            texts[n++] = (struct fabio_text){arena_printf(a, "%s%s", prefix, rows->list[i].key),
                                             rows->list[i].text};
    commands = fabio_commands_parse(texts, n);
    kv_rows_free(&rows);
    return commands;
}

static void merge(struct migrate_catalog *m, struct arena *a)
{
    struct fabio_service *services = ARENA_ARRAY(a, struct fabio_service, m->n);
    const struct instance_set **sets = ARENA_ARRAY(a, const struct instance_set *, m->n);
    struct tag_library *library;

    for (size_t i = 0; i < m->n; i++)
        sets[i] = m->services[i].set;
    library = tags_library_new(sets, m->n, m->consul);
    for (size_t i = 0; i < m->n; i++)
        tags_parse_with(sets[i], m->consul, library, a, &m->services[i].routes);

    for (size_t i = 0; i < m->n; i++)
        services[i] = (struct fabio_service){m->services[i].set, m->services[i].routes.targets,
                                             m->services[i].routes.ninputs == 0};
    fabio_merge(services, m->n, m->commands, m->consul, a, &m->merged);
    tags_library_free(&library);
}

static json_t *read_all(const struct config *c, const struct consul_conf *consul, struct arena *a,
                        struct err *e)
{
    struct migrate_catalog m = {.from = c->consul.address, .consul = consul};
    struct config_store *store = config_store_new(c, e);
    struct fabio_commands *commands;
    json_t *doc = NULL;

    if (store && read_services(store, &m, a, e) == 0) {
        commands = read_commands(store, &m, a);
        m.commands = commands;
        merge(&m, a);
        doc = migrate_document(&m);
        fabio_commands_unref(&commands);
    }
    config_store_free(store);
    return doc;
}

static int migrate(const char *dir, const char *address, bool json)
{
    struct err e;
    struct config *c = dir ? config_load(dir, &e) : config_of(address, &e);
    struct consul_conf consul;
    struct arena *a = arena_new();
    struct term t = term_now();
    json_t *doc = NULL;
    int status = UNREAD;

    if (c && !c->consul.enabled)
        err_set(&e, "%s: there is no consul section", dir);
    if (c && c->consul.enabled) {
        consul = c->consul;
        widen(&consul);
        doc = read_all(c, &consul, a, &e);
    }
    if (doc) {
        status = migrate_is_clean(doc) ? CLEAN : UNCLEAN;
        if (!json)
            migrate_yaml(stdout, &t, doc);
        else
            command_json(stdout, json_incref(doc), false);
        json_decref(doc);
    } else {
        command_failed("%s", e.text);
    }
    arena_free(a);
    config_unref(&c);
    return status;
}

int migrate_command(int argc, char **argv)
{
    static const struct option options[] = {{"consul", required_argument, NULL, OPTION_CONSUL},
                                            {"config", required_argument, NULL, 'c'},
                                            {"json", no_argument, NULL, OPTION_JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *dir = NULL, *address = NULL;
    bool json = false;
    int o;

    log_set_level(LOG_ERROR);
    while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (o) {
        case 'h':
            fputs(usage, stdout);
            return EXIT_DONE;
        case 'c':
            dir = optarg;
            break;
        case OPTION_CONSUL:
            address = optarg;
            break;
        case OPTION_JSON:
            json = true;
            break;
        default:
            return command_misused("migrate", "unknown option");
        }
    }
    if (optind < argc || (dir && address))
        return command_misused("migrate", "expected --consul or -c, and nothing else");
    return migrate(dir, address, json);
}
