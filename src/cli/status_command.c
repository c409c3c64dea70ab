/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cli/command.h"
#include "cli/span.h"
#include "cli/status_screen.h"
#include "cli/watch.h"

#include <stdlib.h>

static const char usage[] =
    "usage: frontdesk status [--watch] [--interval 1s] [--json] [SERVICE]\n"
    "\n"
    "What a running gateway says of itself: a line for each service, the worst first; for one\n"
    "SERVICE its instances too.\n"
    "\n"
    "  -w, --watch           draw it again and again, with rates; q ends\n"
    "  -n, --interval TIME   how often (1s)\n"
    "      --json            a document for programs; with --watch one a line\n" COMMON_USAGE "\n"
    "Exit status: 0 all is well, 1 no answer, 2 wrong usage, 3 something needs attention.\n";

enum { OPTION_JSON = OPTION_OWN, AWAY_TIMEOUT_MS = 2000 };

#define SAY_BACK_NS (5 * NS_PER_S)

struct status_run {
    struct admin_client *client;
    const char *address, *service;
    bool json, watch;
    struct status_page *page; /* the last good one; owned */
    struct err error;
    bool away, ever;
    uint64_t away_since_ns, back_until_ns; /* how long it is said that it is back */
};

/* A gateway that has no /v1/breakers of its own is shown without what is forced. */
static struct status_page *look(struct status_run *run, const struct status_page *before)
{
    json_t *status = admin_document(run->client, "/v1/status", &run->error);
    json_t *services = status ? admin_document(run->client, "/v1/services", &run->error) : NULL;
    json_t *breakers = services ? admin_document(run->client, "/v1/breakers", &run->error) : NULL;

    if (breakers)
        return status_page_new(status, services, breakers, clock_now_ns(), before, run->service);
    json_decref(status);
    json_decref(services);
    return NULL;
}

static json_t *unreachable(const struct status_run *run)
{
    return json_pack("{s:b,s:{s:i,s:n,s:s},s:i,s:s}", "reachable", 0, "worst", "attention",
                     (int)ATTENTION_DOWN, "service", "state", "no_answer", "exit", EXIT_FAILED,
                     "error", run->error.text);
}

static void note_answer(struct status_run *run, struct status_page *page)
{
    if (page) {
        if (run->away && run->ever)
            run->back_until_ns = clock_now_ns() + SAY_BACK_NS;
        run->away = false;
        run->ever = true;
        status_page_free(&run->page);
        run->page = page;
        return;
    }
    if (!run->away)
        run->away_since_ns = clock_now_ns();
    run->away = true;
}

static void draw(void *arg, FILE *out, const struct term *t, bool fresh)
{
    struct status_run *run = arg;
    struct screen_state s = {.address = run->address, .instances = run->service != NULL};

    if (fresh) {
        struct status_page *page = look(run, run->page);

        if (!page && watch_stopped(NULL))
            return; /* not away: we are leaving */
        note_answer(run, page);
    }
    if (run->json) {
        command_json(out, run->away ? unreachable(run) : status_page_document(run->page), true);
        return;
    }
    s.came_back = clock_now_ns() < run->back_until_ns;
    if (run->service && run->page && run->page->n == 0)
        s.missing = run->service;
    if (run->away) {
        s.away = run->error.text;
        s.away_ms = (clock_now_ns() - run->away_since_ns) / NS_PER_MS;
    }
    status_screen(out, t, run->page, &s);
    if (t->height == 0)
        putc('\n', out);
}

static int watch(struct status_run *run, struct term *t, uint64_t interval_ms)
{
    struct watch_options o = {
        .interval_ms = interval_ms, .full_screen = !run->json, .draw = draw, .arg = run};

    watch_run(&o, t);
    return run->away || !run->page ? EXIT_FAILED : status_page_exit(run->page);
}

static int once(struct status_run *run, const struct term *t)
{
    struct screen_state s = {.address = run->address, .instances = run->service != NULL};
    struct term all = *t;

    run->page = look(run, NULL);
    if (!run->page) {
        if (run->json)
            command_json(stdout, unreachable(run), false);
        return command_failed("%s", run->error.text);
    }
    if (run->service && run->page->n == 0)
        return command_failed("there is no service %s", run->service);
    all.height = 0;
    if (run->json)
        command_json(stdout, status_page_document(run->page), false);
    else
        status_screen(stdout, &all, run->page, &s);
    return status_page_exit(run->page);
}

int status_command(int argc, char **argv)
{
    static const struct option options[] = {
        COMMON_OPTIONS,
        {"watch", no_argument, NULL, 'w'},
        {"interval", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct admin_options admin = {.address = ADMIN_ADDRESS};
    struct status_run run = {.json = false};
    uint64_t interval_ms = 1000;
    struct term t;
    int o, status;

    optind = 0;
    while ((o = getopt_long(argc, argv, COMMON_SHORT "wn:", options, NULL)) != -1) {
        if (o == 'h')
            return fputs(usage, stdout) < 0;
        if (o == 'w')
            run.watch = true;
        else if (o == OPTION_JSON)
            run.json = true;
        else if (o == 'n' && !(interval_ms = span_parse(optarg)))
            return command_misused("status", "--interval %s: expected a time, as 500ms or 2s",
                                   optarg);
        else if (o != 'n' && !common_option(&admin, o, optarg))
            return command_misused("status", "wrong usage");
    }
    if (argc - optind > 1)
        return command_misused("status", "one service at most");
    run.service = argv[optind];
    run.address = admin.address;
    if (run.watch) {
        admin.timeout_ms = AWAY_TIMEOUT_MS;
        admin.stop = watch_stopped;
    }
    run.client = admin_client_new(&admin, &run.error);
    if (!run.client)
        return command_misused("status", "%s", run.error.text);
    t = term_now();
    status = run.watch ? watch(&run, &t, interval_ms) : once(&run, &t);
    status_page_free(&run.page);
    admin_client_free(&run.client);
    return status;
}
