/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <string.h>

static const char usage[] =
    "usage: frontdesk cache purge --route NAME | --service NAME | --tag WORD | --path PATH | "
    "--all\n"
    "\n"
    "Forgets stored answers of a running gateway:\n"
    "\n"
    "      --route NAME      of this route\n"
    "      --service NAME    of all routes to this service\n"
    "      --tag WORD        that have it in their Cache-Tag or Surrogate-Key\n"
    "      --path PATH       with this path; `/products/*`: with all that begin so\n"
    "      --all             all of them\n"
    "      --token-file FILE the admin token (else $FRONTDESK_TOKEN_FILE, " ADMIN_TOKEN_FILE
    ")\n" COMMON_USAGE "\n"
    "Exit status: 0 done, 1 it could not be done, 2 wrong usage.\n";

enum { OPTION_ROUTE = OPTION_OWN, OPTION_SERVICE, OPTION_TAG, OPTION_PATH, OPTION_ALL };

/* The order as the endpoint wants it; NULL when the option is none of ours. */
static json_t *order_of(int option, const char *value)
{
    switch (option) {
    case OPTION_ROUTE:
        return json_pack("{s:s}", "route", value);
    case OPTION_SERVICE:
        return json_pack("{s:s}", "service", value);
    case OPTION_TAG:
        return json_pack("{s:s}", "tag", value);
    case OPTION_PATH:
        return json_pack("{s:s}", "path", value);
    case OPTION_ALL:
        return json_pack("{s:b}", "all", 1);
    default:
        return NULL;
    }
}

static int purge(const struct admin_options *admin, json_t *order)
{
    struct err e;
    struct admin_client *client = admin_client_new(admin, &e);
    struct admin_reply reply = {0, NULL};
    int status = EXIT_FAILED;

    if (!client || admin_put(client, "/v1/cache/purge", order, &reply, &e) < 0) {
        command_failed("%s", e.text);
    } else if (reply.status != 200) {
        command_failed("%s", admin_error(&reply));
    } else {
        printf("%lld answers purged\n",
               (long long)json_integer_value(json_object_get(reply.doc, "purged")));
        status = EXIT_DONE;
    }
    json_decref(reply.doc);
    admin_client_free(&client);
    return status;
}

int cache_command(int argc, char **argv)
{
    static const struct option options[] = {
        COMMON_OPTIONS,
        {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
        {"route", required_argument, NULL, OPTION_ROUTE},
        {"service", required_argument, NULL, OPTION_SERVICE},
        {"tag", required_argument, NULL, OPTION_TAG},
        {"path", required_argument, NULL, OPTION_PATH},
        {"all", no_argument, NULL, OPTION_ALL},
        {NULL, 0, NULL, 0},
    };
    struct admin_options admin = {.address = ADMIN_ADDRESS};
    json_t *order = NULL;
    int o, status;

    optind = 0;
    while ((o = getopt_long(argc, argv, COMMON_SHORT, options, NULL)) != -1) {
        json_t *next;

        if (o == 'h') {
            json_decref(order);
            return fputs(usage, stdout) < 0;
        }
        if (common_option(&admin, o, optarg))
            continue;
        next = order_of(o, optarg);
        if (!next || order) {
            json_decref(next);
            json_decref(order);
            return command_misused("cache", next ? "one of them at a time" : "wrong usage");
        }
        order = next;
    }
    if (argc - optind != 1 || strcmp(argv[optind], "purge") != 0 || !order) {
        json_decref(order);
        return command_misused("cache", "expected purge, and what");
    }
    status = purge(&admin, order);
    json_decref(order);
    return status;
}
