/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "config/config.h"
#include "control.h"
#include "status_command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "frontdesk - API gateway for Consul clusters\n"
    "\n"
    "usage: frontdesk run    [-c DIR]       run the gateway (DIR: /etc/frontdesk)\n"
    "       frontdesk check  [-c DIR]       read and check the configuration only\n"
    "       frontdesk status [-a HOST:PORT] [SERVICE]\n"
    "                                       what a running gateway says of itself\n"
    "       frontdesk --version | --help\n"
    "\n"
    "SIGHUP reloads the configuration, SIGTERM drains and ends, SIGUSR1 reopens the access log.\n";

static int check(const char *dir)
{
    struct err e;
    struct config *c = config_load(dir, &e);

    if (!c) {
        fprintf(stderr, "frontdesk: %s\n", e.text);
        return 1;
    }
    printf("%s: good: %zu listeners, %zu services, %zu routes, Consul %s\n", dir, c->nlisteners,
           c->nservices, c->nroutes, c->consul.enabled ? c->consul.address : "not used");
    config_unref(&c);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"admin", required_argument, NULL, 'a'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *dir = "/etc/frontdesk", *admin = "127.0.0.1:9901", *command;
    int o;

    while ((o = getopt_long(argc, argv, "c:a:vh", options, NULL)) != -1) {
        switch (o) {
        case 'c':
            dir = optarg;
            break;
        case 'a':
            admin = optarg;
            break;
        case 'v':
            printf("frontdesk %s\n", FRONTDESK_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    command = optind < argc ? argv[optind] : "";
    if (strcmp(command, "run") == 0)
        return control_run(dir);
    if (strcmp(command, "check") == 0)
        return check(dir);
    if (strcmp(command, "status") == 0)
        return status_command(admin, optind + 1 < argc ? argv[optind + 1] : NULL);
    fputs(usage, stderr);
    return 2;
}
