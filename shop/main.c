/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - one instance of one service of the shop: its options, start and end. */
#include "kind.h"
#include "registration.h"
#include "server.h"
#include "store.h"

#include <curl/curl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: shop --service NAME [options]\n"
    "  --service NAME    users, products, orders, payments, notifications, shipping, or any other\n"
    "                    name: a service that begins empty and takes every JSON object\n"
    "  --port N          0 or nothing picks a free one\n"
    "  --address A       to listen on and to register, 127.0.0.1 by default\n"
    "  --instance ID     sent as X-Instance; NAME-PORT by default\n"
    "  --consul URL      registers there (http://127.0.0.1:8500); without it: nowhere\n"
    "  --tags A,B        instead of frontdesk.path=/PATH/\n"
    "  --journal FILE    instances with the same file share their items\n";

struct options {
    const char *service, *address, *consul, *journal;
    char *instance, *tags; /* owned; NULL = made from the others */
    long port;
};

struct life {
    struct event_base *base;
    struct registration *registration;
};

static bool options_parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"service", required_argument, NULL, 's'}, {"port", required_argument, NULL, 'p'},
        {"address", required_argument, NULL, 'a'}, {"instance", required_argument, NULL, 'i'},
        {"consul", required_argument, NULL, 'c'},  {"tags", required_argument, NULL, 't'},
        {"journal", required_argument, NULL, 'j'}, {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 's':
            o->service = optarg;
            break;
        case 'p':
            o->port = strtol(optarg, NULL, 10);
            break;
        case 'a':
            o->address = optarg;
            break;
        case 'i':
            free(o->instance);
            o->instance = strdup(optarg);
            break;
        case 'c':
            o->consul = optarg;
            break;
        case 't':
            free(o->tags);
            o->tags = strdup(optarg);
            break;
        case 'j':
            o->journal = optarg;
            break;
        default:
            return false;
        }
    }
    return optind == argc && o->service != NULL && o->service[0] != '\0' && o->port >= 0 &&
           o->port <= 65535;
}

/* First off the list, then a moment for requests that are on their way, then the end. */
static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct life *life = arg;
    struct timeval moment = {.tv_sec = 0, .tv_usec = 300000};

    (void)fd;
    (void)what;
    registration_stop(life->registration);
    life->registration = NULL;
    event_base_loopexit(life->base, &moment);
}

static int serve(struct options *o, const struct kind *kind, struct store *store)
{
    struct life life = {.base = event_base_new()};
    struct event *term = evsignal_new(life.base, SIGTERM, on_stop, &life);
    struct event *interrupt = evsignal_new(life.base, SIGINT, on_stop, &life);
    char name[128];
    struct server *server;

    /* The name may hold the port, which is known only when it is bound. */
    snprintf(name, sizeof(name), "%s", o->instance != NULL ? o->instance : "");
    server = server_start(life.base, kind, store, name, o->address, (uint16_t)o->port);
    if (server == NULL)
        goto out;
    if (o->instance == NULL)
        snprintf(name, sizeof(name), "%s-%u", o->service, server_port(server));
    evsignal_add(term, NULL);
    evsignal_add(interrupt, NULL);
    printf("%s: http://%s:%u/%s/\n", name, o->address, server_port(server), kind->path);
    fflush(stdout);
    if (o->consul != NULL)
        life.registration = registration_start(&(struct registration_input){
            .consul = o->consul,
            .service = o->service,
            .instance = name,
            .address = o->address,
            .tags = o->tags,
            .port = server_port(server),
        });
    event_base_dispatch(life.base);
out:
    server_stop(server);
    event_free(term);
    event_free(interrupt);
    event_base_free(life.base);
    return server != NULL ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o = {.address = "127.0.0.1"};
    const struct kind *kind;
    struct store *store;
    int status;

    if (!options_parse(argc, argv, &o)) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    srandom((unsigned)(getpid() ^ time(NULL)));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    kind = kind_find(o.service);
    if (o.tags == NULL && asprintf(&o.tags, "frontdesk.path=/%s/", kind->path) < 0)
        return 1;
    store = store_open(kind, o.journal);
    status = store != NULL ? serve(&o, kind, store) : 1;
    store_close(store);
    free(o.instance);
    free(o.tags);
    curl_global_cleanup();
    return status;
}
