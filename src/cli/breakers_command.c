/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/breakers_text.h"
#include "cli/command.h"

#include <stdlib.h>

static const char usage[] =
    "usage: frontdesk breakers [--all] [--json] [SERVICE]\n"
    "\n"
    "The breakers that are not closed, of services and of instances; for one SERVICE its "
    "instances\n"
    "and what has happened, the newest first.\n"
    "\n"
    "      --all             the closed ones, too\n"
    "      --json            the document of the admin endpoint\n" COMMON_USAGE "\n"
    "Exit status: 0 all are closed, 1 no answer, 2 wrong usage, 3 one is not.\n";

enum { OPTION_ALL = OPTION_OWN, OPTION_JSON };

static json_t *fetch(const struct admin_options *admin, const char *service, struct err *e)
{
    struct admin_client *client = admin_client_new(admin, e);
    char *path = NULL;
    size_t n = 0;
    FILE *out = client ? open_memstream(&path, &n) : NULL;
    json_t *doc = NULL;

    if (out) {
        fputs("/v1/breakers", out);
        if (service) {
            putc('/', out);
            url_put(out, service);
        }
        fclose(out);
        doc = admin_document(client, path, e);
    }
    free(path);
    admin_client_free(&client);
    return doc;
}

static int show(const json_t *doc, const char *service, bool all)
{
    struct term t = term_now();

    if (service)
        return breakers_one(stdout, &t, doc) ? EXIT_ATTENTION : EXIT_DONE;
    return breakers_table(stdout, &t, json_object_get(doc, "breakers"), all) ? EXIT_ATTENTION
                                                                             : EXIT_DONE;
}

int breakers_command(int argc, char **argv)
{
    static const struct option options[] = {
        COMMON_OPTIONS,
        {"all", no_argument, NULL, OPTION_ALL},
        {"json", no_argument, NULL, OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct admin_options admin = {.address = ADMIN_ADDRESS};
    bool all = false, json = false;
    struct err e;
    json_t *doc;
    int o, status;

    optind = 0;
    while ((o = getopt_long(argc, argv, COMMON_SHORT, options, NULL)) != -1) {
        if (o == 'h')
            return fputs(usage, stdout) < 0;
        if (o == OPTION_ALL)
            all = true;
        else if (o == OPTION_JSON)
            json = true;
        else if (!common_option(&admin, o, optarg))
            return command_misused("breakers", "wrong usage");
    }
    if (argc - optind > 1)
        return command_misused("breakers", "one service at most");
    doc = fetch(&admin, argv[optind], &e);
    if (!doc)
        return command_failed("%s", e.text);
    status = breakers_exit(doc);
    if (json) {
        command_json(stdout, doc, false);
        return status;
    }
    status = show(doc, argv[optind], all);
    json_decref(doc);
    return status;
}
