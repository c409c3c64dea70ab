/* SPDX-License-Identifier: Apache-2.0 */
/* catalog_command.c - what of Consul's word a gateway does not believe (yet), who left and why; and
 * the order to believe it. */
#include "cli/command.h"
#include "cli/status_page.h"

#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: frontdesk catalog [show] [SERVICE]\n"
    "       frontdesk catalog accept SERVICE | --all\n"
    "\n"
    "show: what Consul says that is not believed (yet), and which instances left rotation or the\n"
    "catalog and why, the newest first; of all services, or of one.\n"
    "accept: what Consul lists is true. Instances that are kept although they are listed no "
    "longer\n"
    "are let go at once.\n"
    "\n"
    "      --all             of all services\n"
    "      --json            show: a document for programs\n"
    "      --token-file FILE accept: the admin token (else $FRONTDESK_TOKEN_FILE, " ADMIN_TOKEN_FILE
    ")\n" COMMON_USAGE "\n"
    "Exit status: 0 done, 1 no answer or it could not be done, 2 wrong usage, 3 show: something "
    "is\n"
    "not believed.\n";

enum { OPTION_ALL = OPTION_OWN, OPTION_JSON, NEWEST = 3 /* removals of each service among all */ };

struct catalog_run {
    struct admin_options admin;
    const char *service; /* NULL = all */
    bool json;
};

/* "22:00:03" of "2026-11-25T22:00:03.123Z" */
static void put_clock(FILE *out, const struct term *t, const char *time)
{
    if (strlen(time) >= 19)
        text_put(out, t, time + 11, 8);
    else
        fputs("-", out);
}

static long long held_of(const json_t *service)
{
    return (long long)doc_int(json_object_get(service, "held"), "instances");
}

static void put_held(FILE *out, const struct term *t, const json_t *service)
{
    const json_t *held = json_object_get(service, "held");

    if (held_of(service) > 0) {
        fprintf(out, "  %lld held since ", held_of(service));
        put_clock(out, t, doc_text(held, "since"));
        fputs(": ", out);
        text_put(out, t, doc_text(held, "why"), TEXT_ALL);
        if (json_is_string(json_object_get(held, "believed_at"))) {
            fputs("; not before ", out);
            put_clock(out, t, doc_text(held, "believed_at"));
        }
        putc('\n', out);
    }
    if (doc_int(service, "damped") > 0)
        fprintf(out, "  %lld damped: their checks come and go\n",
                (long long)doc_int(service, "damped"));
}

static void put_removal(FILE *out, const struct term *t, const json_t *r)
{
    fputs("  ", out);
    put_clock(out, t, doc_text(r, "at"));
    putc(' ', out);
    text_cell(out, t, doc_text(r, "reason"), 13);
    text_put(out, t, doc_text(r, "node"), TEXT_ALL);
    putc('/', out);
    text_put(out, t, doc_text(r, "id"), TEXT_ALL);
    putc(' ', out);
    text_put(out, t, doc_text(r, "address"), TEXT_ALL);
    fprintf(out, ":%lld", (long long)doc_int(r, "port"));
    if (json_is_string(json_object_get(r, "check"))) {
        fputs(": ", out);
        text_put(out, t, doc_text(r, "check"), TEXT_ALL);
    }
    if (doc_int(r, "held_ms") > 0)
        fprintf(out, " (%s after %lld.%lld s)",
                json_is_true(json_object_get(r, "accepted")) ? "accepted" : "confirmed",
                (long long)doc_int(r, "held_ms") / 1000,
                (long long)doc_int(r, "held_ms") % 1000 / 100);
    putc('\n', out);
}

static bool is_interesting(const json_t *service)
{
    return held_of(service) > 0 || doc_int(service, "damped") > 0 ||
           json_array_size(json_object_get(service, "removals")) > 0;
}

static void put_service(FILE *out, const struct term *t, const json_t *service, size_t most)
{
    const json_t *removals = json_object_get(service, "removals");
    size_t n = json_array_size(removals);

    text_bold(out, t, doc_text(service, "name"));
    putc('\n', out);
    put_held(out, t, service);
    for (size_t i = 0; i < n && i < most; i++)
        put_removal(out, t, json_array_get(removals, i));
    if (n > most)
        fprintf(out, "  and %zu more: frontdesk catalog SERVICE\n", n - most);
    if (!is_interesting(service))
        fputs("  all that Consul says is believed, nobody left\n", out);
}

static json_t *document_of(const json_t *service)
{
    static const char *const keys[] = {"name", "held", "damped", "removals"};
    json_t *doc = json_object();

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        json_object_set(doc, keys[i], json_object_get(service, keys[i]));
    return doc;
}

static int show_all(const struct catalog_run *run, const json_t *services)
{
    struct term t = term_now();
    json_t *list = json_array(), *s;
    int status = EXIT_DONE;
    size_t i, shown = 0;

    json_array_foreach(services, i, s)
    {
        bool wanted = !run->service || strcmp(doc_text(s, "name"), run->service) == 0;

        if (!wanted || (!run->service && !is_interesting(s)))
            continue;
        shown++;
        status = held_of(s) > 0 ? EXIT_ATTENTION : status;
        json_array_append_new(list, document_of(s));
        if (!run->json)
            put_service(stdout, &t, s, run->service ? SIZE_MAX : NEWEST);
    }
    if (run->json)
        command_json(stdout, json_pack("{s:o}", "services", json_incref(list)), false);
    else if (shown == 0 && !run->service)
        puts("all that Consul says is believed, nobody left");
    json_decref(list);
    if (shown == 0 && run->service)
        return command_failed("there is no service %s", run->service);
    return status;
}

static int show(const struct catalog_run *run)
{
    struct err e;
    struct admin_client *client = admin_client_new(&run->admin, &e);
    json_t *doc = client ? admin_document(client, "/v1/services", &e) : NULL;
    int status = doc ? show_all(run, json_object_get(doc, "services")) : EXIT_FAILED;

    if (!doc)
        command_failed("%s", e.text);
    json_decref(doc);
    admin_client_free(&client);
    return status;
}

static int accept_it(const struct catalog_run *run)
{
    struct err e;
    struct admin_client *client = admin_client_new(&run->admin, &e);
    struct admin_reply reply = {0, NULL};
    json_t *order =
        run->service ? json_pack("{s:s}", "service", run->service) : json_pack("{s:b}", "all", 1);
    int status = EXIT_FAILED;

    if (!order) {
        command_failed("the name of the service is no UTF-8");
    } else if (!client || admin_put(client, "/v1/catalog/accept", order, &reply, &e) < 0) {
        command_failed("%s", e.text);
    } else if (reply.status != 200) {
        command_failed("%s", admin_error(&reply));
    } else {
        printf("%lld instances let go\n", (long long)doc_int(reply.doc, "accepted"));
        status = EXIT_DONE;
    }
    json_decref(order);
    json_decref(reply.doc);
    admin_client_free(&client);
    return status;
}

static int run_words(struct catalog_run *run, int argc, char **argv, bool all)
{
    const char *word = argc > 0 ? argv[0] : "show";
    bool accept = strcmp(word, "accept") == 0;

    if (argc > 0 && (accept || strcmp(word, "show") == 0)) {
        argc--;
        argv++;
    }
    if (argc > 1)
        return command_misused("catalog", "one service at most");
    run->service = argc == 1 ? argv[0] : NULL;
    if (!accept && all)
        return command_misused("catalog", "--all is for accept");
    if (!accept)
        return show(run);
    if (!run->service == !all || run->json)
        return command_misused("catalog", "accept: expected a service, or --all");
    return accept_it(run);
}

int catalog_command(int argc, char **argv)
{
    static const struct option options[] = {
        COMMON_OPTIONS,
        {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
        {"all", no_argument, NULL, OPTION_ALL},
        {"json", no_argument, NULL, OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct catalog_run run = {.admin = {.address = ADMIN_ADDRESS}};
    bool all = false;
    int o;

    optind = 0;
    while ((o = getopt_long(argc, argv, COMMON_SHORT, options, NULL)) != -1) {
        if (o == 'h')
            return fputs(usage, stdout) < 0;
        if (o == OPTION_ALL)
            all = true;
        else if (o == OPTION_JSON)
            run.json = true;
        else if (!common_option(&run.admin, o, optarg))
            return command_misused("catalog", "wrong usage");
    }
    return run_words(&run, argc - optind, argv + optind, all);
}
