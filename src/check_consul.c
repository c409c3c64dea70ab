/* SPDX-License-Identifier: Apache-2.0 */
#include "check_consul.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/term_text.h"
#include "control_discovery.h"
#include "discovery/consul_http.h"
#include "discovery/consul_trust.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A check is made of a few requests of 10 s each at most. */
enum { GIVE_UP_MS = 15000, LOGOUT_MS = 2000 };

static void on_checked(void *arg, bool trusted, const char *why)
{
    (void)trusted;
    (void)why;
    *(bool *)arg = true;
}

/* A line of what is partly in the agent's words. */
static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
    struct term t = term_now();
    va_list args;
    char *text;
    int n;

    va_start(args, fmt);
    n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        abort();
    text_put(stdout, &t, text, TEXT_ALL);
    putchar('\n');
    free(text);
}

static void print_token(const struct consul_access_status *s)
{
    char when[32] = "";

    say("  agent    %s%s", s->agents[s->agent],
        s->no_verify ? " (its certificate is NOT verified)" : "");
    if (s->switch_why[0])
        say("           instead of %s", s->switch_why);
    if (strcmp(s->token_from, "none") == 0)
        say("  token    none");
    else
        say("  token    from %s%s%s%s%s%s", s->token_from, s->accessor[0] ? ", accessor " : "",
            s->accessor, s->policies[0] ? " (" : "", s->policies, s->policies[0] ? ")" : "");
    if (s->expires_s) {
        clock_format(s->expires_s * 1000, when);
        say("  expires  %s", when);
    }
}

static bool is_missing(const struct consul_access_status *s, const struct consul_missing *row)
{
    for (unsigned i = 0; i < s->nmissing; i++)
        if (strcmp(s->missing[i].rule, row->rule) == 0)
            return true;
    return false;
}

static void print_rights(const struct consul_access_status *s)
{
    for (unsigned i = 0; i < s->nrights; i++) {
        const struct consul_missing *row = &s->asked[i];
        bool missing = is_missing(s, row);

        say("  %-8s %-34s for %s%s", missing ? "MISSING" : "ok", row->right, row->what_for,
            row->optional ? " (optional)" : "");
        if (missing)
            say("           add to the policy: %s", row->rule);
    }
}

static int print_all(const struct consul_access_status *s)
{
    print_token(s);
    if (s->login_error[0]) {
        say("  FAILED   login: %s", s->login_error);
        return 1;
    }
    if (!s->trusted && s->nmissing == 0) {
        say("  FAILED   %s", s->problem[0] ? s->problem : "no answer in time");
        return 1;
    }
    if (s->acls == CONSUL_ACLS_OFF)
        say("  ok       everything: ACLs are off");
    else
        print_rights(s);
    return s->nmissing > s->noptional;
}

int check_consul(const struct config *c)
{
    struct discovery_options o = control_discovery_options(c);
    uint64_t until_ns = clock_now_ns() + GIVE_UP_MS * NS_PER_MS;
    struct event_base *base = event_base_new();
    bool answered = false;
    struct consul_wish wish;
    struct consul_http *http;
    struct err e;
    int ret;

    say("Consul:");
    log_set_level(LOG_ERROR);
    if (!base)
        abort();
    http = consul_http_new(base, &o, &e);
    if (!http) {
        say("  FAILED   %s", e.text);
        event_base_free(base);
        return 1;
    }
    consul_wish_init(&wish, on_checked, &answered);
    consul_http_check(http, &wish);
    /* The access has a timer of its own, so the loop turns. */
    while (!answered && !consul_http_access(http)->login_error[0] && clock_now_ns() < until_ns)
        event_base_loop(base, EVLOOP_ONCE);
    ret = print_all(consul_http_access(http));
    consul_wish_drop(&wish);
    consul_http_free(http);
    consul_access_finish(base, LOGOUT_MS);
    event_base_free(base);
    return ret;
}
