/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/breaker_order.h"
#include "cli/command.h"

#include <stdlib.h>

static const char usage[] =
    "usage: frontdesk breaker ACTION SERVICE[/INSTANCE] --reason \"...\" [--for 10m]\n"
    "\n"
    "Takes a breaker in hand, for a time and with a reason:\n"
    "\n"
    "  open      refuse all requests to the service; an instance: take it out of rotation\n"
    "  close     let all requests pass, whatever happens; an instance: keep it in rotation\n"
    "  shadow    the breaker works, but refuses nothing\n"
    "  disable   no breaker\n"
    "  auto      back to the breaker's own judgement; an instance: back in rotation\n"
    "  reset     the same, and all counts as new\n"
    "\n"
    "      --for TIME        how long: 30s, 10m, 2h, at most 7d (10m)\n"
    "      --reason TEXT     why; needed for open, close, shadow and disable\n"
    "      --author NAME     who (the certificate's name, or you at this host)\n"
    "      --fleet           on all gateways of the fleet\n"
    "      --even-last       open the last instance in rotation, too\n"
    "      --service NAME, --instance ID, --node NODE\n"
    "                        instead of SERVICE/INSTANCE, for names with a '/'\n"
    "      --token-file FILE the admin token (else $FRONTDESK_TOKEN_FILE, " ADMIN_TOKEN_FILE
    ")\n" COMMON_USAGE "\n"
    "Exit status: 0 done, 1 it could not be done, 2 wrong usage.\n";

enum {
    OPTION_FOR = OPTION_OWN,
    OPTION_REASON,
    OPTION_AUTHOR,
    OPTION_FLEET,
    OPTION_EVEN_LAST,
    OPTION_SERVICE,
    OPTION_INSTANCE,
    OPTION_NODE
};

static bool own_option(struct breaker_order *order, int option, const char *value)
{
    switch (option) {
    case OPTION_FOR:
        order->ttl = value;
        return true;
    case OPTION_REASON:
        order->reason = value;
        return true;
    case OPTION_AUTHOR:
        order->author = value;
        return true;
    case OPTION_FLEET:
        order->fleet = true;
        return true;
    case OPTION_EVEN_LAST:
        order->even_last = true;
        return true;
    case OPTION_SERVICE:
        order->service = value;
        return true;
    case OPTION_INSTANCE:
        order->instance = value;
        return true;
    case OPTION_NODE:
        order->node = value;
        return true;
    }
    return false;
}

static int say(const struct breaker_order *order, const json_t *answer)
{
    struct term t = term_now();
    char *text = breaker_order_told(order, answer);

    if (text) {
        text_put(stdout, &t, text, TEXT_ALL);
        putchar('\n');
    }
    free(text);
    return EXIT_DONE;
}

static int carry_out(const struct admin_options *admin, const struct breaker_order *order)
{
    struct err e;
    struct admin_client *client = admin_client_new(admin, &e);
    json_t *body = breaker_order_body(order);
    char *path = breaker_order_path(order);
    struct admin_reply reply = {0};
    int status;

    if (client && breaker_order_exposed(admin->address) && admin_token_file(admin))
        fputs("warning: the token is not encrypted on its way: use an https:// address\n", stderr);
    if (!client)
        status = command_misused("breaker", "%s", e.text);
    else if (admin_put(client, path, body, &reply, &e) < 0)
        status = command_failed("%s", e.text);
    else if (reply.status == 200)
        status = say(order, reply.doc);
    else {
        const char *reason = json_string_value(json_object_get(reply.doc, "reason"));
        const char *hint = breaker_order_hint(reply.status, reason, admin_token_file(admin));

        status = command_failed("%s", admin_error(&reply));
        if (*hint)
            fprintf(stderr, "hint: %s\n", hint);
    }
    json_decref(reply.doc);
    json_decref(body);
    free(path);
    admin_client_free(&client);
    return status;
}

static int read_arguments(int argc, char **argv, struct breaker_order *order, struct err *e)
{
    if (argc < 1)
        return err_set(e, "expected an action and a service");
    order->action = argv[0];
    if (argc > 2)
        return err_set(e, "%s: one service or instance at a time", argv[2]);
    if (argc == 2 && breaker_order_target(order, argv[1], e) < 0)
        return -1;
    return breaker_order_check(order, e);
}

int breaker_command(int argc, char **argv)
{
    static const struct option options[] = {
        COMMON_OPTIONS,
        {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
        {"for", required_argument, NULL, OPTION_FOR},
        {"reason", required_argument, NULL, OPTION_REASON},
        {"author", required_argument, NULL, OPTION_AUTHOR},
        {"fleet", no_argument, NULL, OPTION_FLEET},
        {"even-last", no_argument, NULL, OPTION_EVEN_LAST},
        {"service", required_argument, NULL, OPTION_SERVICE},
        {"instance", required_argument, NULL, OPTION_INSTANCE},
        {"node", required_argument, NULL, OPTION_NODE},
        {NULL, 0, NULL, 0},
    };
    struct admin_options admin = {.address = ADMIN_ADDRESS};
    struct breaker_order order = {.action = NULL};
    char *author = breaker_author();
    struct err e;
    int o, status;

    optind = 0;
    while ((o = getopt_long(argc, argv, COMMON_SHORT, options, NULL)) != -1) {
        if (o == 'h') {
            fputs(usage, stdout);
            free(author);
            return EXIT_DONE;
        }
        if (!common_option(&admin, o, optarg) && !own_option(&order, o, optarg)) {
            free(author);
            return command_misused("breaker", "wrong usage");
        }
    }
    /* A certificate says by itself who it is. */
    if (!order.author && !admin.cert)
        order.author = author;
    if (read_arguments(argc - optind, argv + optind, &order, &e) < 0)
        status = command_misused("breaker", "%s", e.text);
    else
        status = carry_out(&admin, &order);
    free(author);
    return status;
}
