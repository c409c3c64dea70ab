/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/explain_text.h"

#include <stdlib.h>

static const char usage[] =
    "usage: frontdesk explain METHOD URL [-H 'Name: value']... [--client ADDRESS] [--json]\n"
    "\n"
    "What would the gateway do with this request, and why? Nothing is sent. URL is "
    "http://HOST/PATH,\n"
    "https://HOST/PATH, or a path alone.\n"
    "\n"
    "  -H, --header 'Name: value'   a header field of the request; may be given again\n"
    "      --client ADDRESS         IP address of the client (127.0.0.1)\n"
    "      --json                   the document of the admin endpoint\n" COMMON_USAGE "\n"
    "Exit status: 0 the request would be forwarded or redirected, 1 no answer, 2 wrong usage, 3 "
    "the\n"
    "gateway would refuse it.\n";

enum { OPTION_CLIENT = OPTION_OWN, OPTION_JSON, MAX_HEADERS = 64 };

struct question {
    const char *method, *url, *client;
    const char *headers[MAX_HEADERS];
    size_t nheaders;
};

static void put_parameter(FILE *out, const char *name, const char *value)
{
    if (!value)
        return;
    fputs(name, out);
    url_put(out, value);
}

static char *path_of(const struct question *q)
{
    char *path = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&path, &n);

    if (!out)
        abort();
    put_parameter(out, "/v1/explain?method=", q->method);
    put_parameter(out, "&url=", q->url);
    put_parameter(out, "&client=", q->client);
    for (size_t i = 0; i < q->nheaders; i++)
        put_parameter(out, "&header=", q->headers[i]);
    fclose(out);
    return path;
}

static int ask(const struct admin_options *admin, const struct question *q, bool json)
{
    struct admin_reply reply = {0};
    struct err e;
    struct admin_client *client = admin_client_new(admin, &e);
    char *path = path_of(q);
    struct term t = term_now();
    int status;

    if (!client) {
        status = command_misused("explain", "%s", e.text);
    } else if (admin_get(client, path, &reply, &e) < 0) {
        status = command_failed("%s", e.text);
    } else if (reply.status != 200) {
        status = command_failed("%s", admin_error(&reply));
    } else {
        status = explain_exit(reply.doc);
        if (json)
            command_json(stdout, json_incref(reply.doc), false);
        else
            explain_text(stdout, &t, reply.doc);
    }
    json_decref(reply.doc);
    free(path);
    admin_client_free(&client);
    return status;
}

int explain_command(int argc, char **argv)
{
    static const struct option options[] = {
        COMMON_OPTIONS,
        {"header", required_argument, NULL, 'H'},
        {"client", required_argument, NULL, OPTION_CLIENT},
        {"json", no_argument, NULL, OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct admin_options admin = {.address = ADMIN_ADDRESS};
    struct question q = {.method = NULL};
    bool json = false;
    int o;

    optind = 0;
    while ((o = getopt_long(argc, argv, COMMON_SHORT "H:", options, NULL)) != -1) {
        if (o == 'h')
            return fputs(usage, stdout) < 0;
        if (o == 'H' && q.nheaders == MAX_HEADERS)
            return command_misused("explain", "at most %d header fields", MAX_HEADERS);
        if (o == 'H')
            q.headers[q.nheaders++] = optarg;
        else if (o == OPTION_CLIENT)
            q.client = optarg;
        else if (o == OPTION_JSON)
            json = true;
        else if (!common_option(&admin, o, optarg))
            return command_misused("explain", "wrong usage");
    }
    if (argc - optind != 2)
        return command_misused("explain", "expected a method and a URL");
    q.method = argv[optind];
    q.url = argv[optind + 1];
    return ask(&admin, &q, json);
}
