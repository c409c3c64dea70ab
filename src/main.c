/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"
#include "base/err.h"
#include "base/log.h"
#include "check_consul.h"
#include "cli/command.h"
#include "config/config.h"
#include "config_command.h"
#include "control.h"
#include "migrate_command.h"
#include "policy/credentials.h"
#include "tls/server.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "frontdesk - API gateway for Consul clusters\n"
    "\n"
    "usage: frontdesk run      [-c DIR]      run the gateway (DIR: /etc/frontdesk)\n"
    "       frontdesk check    [-c DIR] [--consul]\n"
    "                                        read and check the configuration only; then ask\n"
    "                                        Consul which rights the token has\n"
    "       frontdesk status   [--watch] [--json] [SERVICE]\n"
    "                                        what a running gateway says of itself\n"
    "       frontdesk breakers [--all] [--json] [SERVICE]\n"
    "                                        the circuit breakers that are not closed\n"
    "       frontdesk breaker  open|close|auto|reset|shadow|disable SERVICE[/INSTANCE]\n"
    "                          --reason \"...\" [--for 10m]\n"
    "                                        take one in hand\n"
    "       frontdesk explain  METHOD URL [-H 'Name: value']... [--client ADDRESS]\n"
    "                                        where would this request go, and why?\n"
    "       frontdesk cache    purge --route NAME | --service NAME | --tag WORD | --path PATH | "
    "--all\n"
    "                                        forget stored answers\n"
    "       frontdesk catalog  [show] [SERVICE] | accept SERVICE | accept --all\n"
    "                                        what Consul is not believed about, and who left\n"
    "       frontdesk config   push|diff|pull -c DIR [--base DIR] [--prefix PREFIX]\n"
    "                                        the configuration in Consul, and a folder of files\n"
    "       frontdesk query    EXPRESSION [FILE]\n"
    "                                        try an expression on a JSON document\n"
    "       frontdesk migrate  [--consul ADDRESS | -c DIR] [--json]\n"
    "                                        what the tags of fabio and Traefik become\n"
    "       frontdesk api-key  new|hash      make an API key, and the entry that it is known by\n"
    "       frontdesk --version | --help\n"
    "\n"
    "All but run, check, config, query, migrate and api-key ask the admin endpoint of a running "
    "gateway: -a "
    "HOST:PORT\n"
    "(127.0.0.1:9901). frontdesk COMMAND --help says more. For run, SIGHUP reloads the\n"
    "configuration, SIGTERM drains and ends, SIGUSR1 reopens the access log.\n";

/* Can the files of the listeners be used? */
static int check_listeners(const struct config *c, struct err *e)
{
    for (size_t i = 0; i < c->nlisteners; i++) {
        const struct listener_conf *l = &c->listeners[i];
        struct tls_server *s = NULL;

        if (l->tls.enabled && !(s = tls_server_new(l->address, &l->tls, NULL, e)))
            return -1;
        tls_server_unref(&s);
    }
    return 0;
}

/* Can the files of API keys and passwords? What is in Consul is not asked for. */
static int check_credentials(struct config *c, struct err *e)
{
    struct credentials *all;

    log_set_level(LOG_WARN);
    all = credentials_new(c, NULL, NULL, e);
    if (!all)
        return -1;
    credentials_free(&all);
    return 0;
}

static int check(const char *dir, bool ask_consul)
{
    struct err e;
    struct config *c = config_load(dir, &e);
    int status = EXIT_DONE;

    if (c && (admin_check(&c->admin, &e) < 0 || check_listeners(c, &e) < 0 ||
              check_credentials(c, &e) < 0))
        config_unref(&c);
    if (!c)
        return command_failed("%s", e.text);
    printf("%s: good: %zu listeners, %zu services, %zu routes, Consul %s\n", dir, c->nlisteners,
           c->nservices, c->nroutes, c->consul.enabled ? c->consul.address : "not used");
    if (ask_consul && c->consul.enabled && check_consul(c) != 0)
        status = EXIT_FAILED;
    config_unref(&c);
    return status;
}

static int misused(void)
{
    fputs(usage, stderr);
    return EXIT_USAGE;
}

/* run and check. *consul NULL: there is no such option. */
static int read_options(int argc, char **argv, const char **dir, bool *consul)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {"consul", no_argument, NULL, 'C'},
        {NULL, 0, NULL, 0},
    };
    int o;

    while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (o == 'h')
            return fputs(usage, stdout) < 0;
        if (o == 'c')
            *dir = optarg;
        else if (o == 'C' && consul)
            *consul = true;
        else
            return misused();
    }
    return optind == argc ? -1 : misused();
}

static int run_command(int argc, char **argv)
{
    const char *dir = "/etc/frontdesk";
    int status = read_options(argc, argv, &dir, NULL);

    return status < 0 ? control_run(dir) : status;
}

static int check_command(int argc, char **argv)
{
    const char *dir = "/etc/frontdesk";
    bool consul = false;
    int status = read_options(argc, argv, &dir, &consul);

    return status < 0 ? check(dir, consul) : status;
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", run_command},           {"check", check_command},     {"status", status_command},
    {"breakers", breakers_command}, {"breaker", breaker_command}, {"explain", explain_command},
    {"api-key", api_key_command},   {"config", config_command},   {"cache", cache_command},
    {"catalog", catalog_command},   {"query", query_command},     {"migrate", migrate_command},
};

/* An option with its value may stand before the command: -c DIR, -a ADDRESS. Puts the command
 * first. */
static void command_first(int argc, char **argv)
{
    static const char *const with_value[] = {"-c", "--config", "-a", "--admin"};
    int at = 1;

    for (size_t i = 0; at + 2 < argc && i < ARRAY_LEN(with_value);)
        if (strcmp(argv[at], with_value[i]) == 0) {
            at += 2;
            i = 0;
        } else {
            i++;
        }
    char *name = argv[at];
    memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof *argv);
    argv[1] = name;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return misused();
    command_first(argc, argv);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)
        return printf("frontdesk %s\n", FRONTDESK_VERSION) < 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return fputs(usage, stdout) < 0;
    return misused();
}
