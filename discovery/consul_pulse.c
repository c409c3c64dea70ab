/* SPDX-License-Identifier: Apache-2.0 */
/* consul_pulse.c - of several agents: asks the one in use who leads, so that one that hangs or is
 * cut off is noticed; and others, whether to move to them. Moves. */
#include "base/clock.h"
#include "base/log.h"
#include "consul_access_parts.h"

#include <stdio.h>

enum { EVERY_MS = 5000, DEADLINE_MS = 5000 };

/* While all are away they are tried in turn, many times a second: that is one change. */
static void note_move(struct consul_access *a, unsigned from, const char *why)
{
    if (!a->answers)
        return;
    a->answers = false;
    a->status.switches++;
    a->status.switched_wall_ms = clock_wall_ms();
    snprintf(a->status.switch_why, sizeof a->status.switch_why, "%s: %s", a->addresses[from].text,
             why);
    log_warn("discovery", "consul %s is asked from now on; %s", consul_access_agent(a)->text,
             a->status.switch_why);
}

static void note_answer(struct consul_access *a)
{
    if (!a->answers && a->status.switches > 0)
        log_info("discovery", "consul %s: answers", consul_access_agent(a)->text);
    a->answers = true;
}

static void move(struct consul_access *a, unsigned from, const char *why)
{
    a->generation++;
    a->status.agent = a->agents.at;
    a->status.agent_since_ns = a->agents.since_ns;
    note_move(a, from, why);
    consul_pulse_release(a);
    consul_login_moved(a);
    list_each(l, &a->users)
    {
        struct consul_access_user *u = CONTAINER_OF(l, struct consul_access_user, link);

        u->moved(u);
    }
    consul_self_check_restart(a);
}

void consul_access_outcome(struct consul_access *a, unsigned generation, bool lead, int status,
                           bool refused, const char *error)
{
    enum consul_outcome outcome = refused                        ? CONSUL_REFUSED
                                  : status == 0 || status >= 500 ? CONSUL_FAILED
                                                                 : CONSUL_ANSWERED;
    unsigned from = a->agents.at;

    if (generation != a->generation || (!lead && outcome != CONSUL_REFUSED))
        return;
    if (outcome == CONSUL_ANSWERED)
        note_answer(a);
    if (consul_agents_report(&a->agents, outcome, clock_now_ns()))
        move(a, from, error ? error : "it fails");
}

static enum consul_pulse pulse_of(const struct fetch_answer *f)
{
    if (f->status == 0)
        return CONSUL_SILENT;
    /* The address of the leader in quotes. */
    return f->status == 200 && f->body.n > 2 && f->body.p[1] != '"' ? CONSUL_WELL
                                                                    : CONSUL_LEADERLESS;
}

static void take(struct consul_access *a, unsigned agent, const struct fetch_answer *f)
{
    bool leaderless = a->agents.leaderless >= CONSUL_AGENT_ERRORS;
    unsigned from = a->agents.at;

    if (consul_agents_pulse(&a->agents, agent, pulse_of(f), a->o.fail_back_ms, clock_now_ns()))
        move(a, from,
             agent == from ? "it does not answer"
             : leaderless  ? "it knows no leader"
                           : "the preferred agent is well again");
}

static void on_present(void *arg, const struct fetch_answer *f)
{
    struct consul_access *a = arg;

    take(a, a->agents.at, f);
}

static void on_other(void *arg, const struct fetch_answer *f)
{
    struct consul_access *a = arg;

    take(a, a->looking_at, f);
}

static void ask(struct consul_access *a, struct fetch **fetch, unsigned agent, fetch_done_fn *done)
{
    struct fetch_options o = {0};

    if (*fetch && fetch_busy(*fetch))
        return;
    /* Anew each time: the other one is not always the same. */
    fetch_free(*fetch);
    consul_access_options(a, agent, &o);
    *fetch = fetch_new(a->fetcher, &o, done, a);
    consul_access_send(a, agent, *fetch, NULL, "/v1/status/leader", STR(""), NULL, DEADLINE_MS);
}

void consul_pulse_tick(struct consul_access *a, uint64_t now_ns)
{
    uint64_t every_ms = EVERY_MS;

    if (a->agents.n == 1 || now_ns < a->pulse_at_ns)
        return;
    if (a->o.fail_back_ms > 0 && a->o.fail_back_ms / 4 < every_ms)
        every_ms = a->o.fail_back_ms / 4;
    a->pulse_at_ns = now_ns + every_ms * NS_PER_MS;
    ask(a, &a->pulse, a->agents.at, on_present);
    if (a->pulse_other && fetch_busy(a->pulse_other))
        return;
    a->looking_at = consul_agents_look(&a->agents, a->o.fail_back_ms);
    if (a->looking_at != a->agents.at)
        ask(a, &a->pulse_other, a->looking_at, on_other);
}

void consul_pulse_release(struct consul_access *a)
{
    fetch_free(a->pulse);
    fetch_free(a->pulse_other);
    a->pulse = a->pulse_other = NULL;
}
