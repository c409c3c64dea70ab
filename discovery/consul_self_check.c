/* SPDX-License-Identifier: Apache-2.0 */
/* consul_self_check.c - looks into what the token may: is it known (SELF)? Which rights has it
 * (RIGHTS)? Where that cannot be asked, or a right is not held for every name: which services are
 * listed (LIST), and are there instances of one of them (HEALTH)? Of several agents: is it of the
 * cluster of the one before (PEERS)? */
#include "base/clock.h"
#include "base/log.h"
#include "consul_access_parts.h"
#include "consul_json.h"
#include "consul_peers.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum step { SELF, RIGHTS, LIST, HEALTH, PEERS };
enum { EVERY_MS = 60000, EVERY_BAD_MS = 5000, DEADLINE_MS = 10000, SERVICES = 0, NODES = 1 };

static void next_step(struct consul_access *a, enum step step);

void consul_wish_init(struct consul_wish *w, consul_checked_fn *fn, void *arg)
{
    *w = (struct consul_wish){.fn = fn, .arg = arg};
    list_init(&w->link);
}

void consul_wish_drop(struct consul_wish *w)
{
    list_remove(&w->link);
}

/* The rows of the status: one for each right, missing or not. */
static void fill_row(struct consul_missing *row, const struct consul_right *r)
{
    consul_right_name(r, row->right, sizeof row->right);
    consul_right_rule(r, row->rule, sizeof row->rule);
    snprintf(row->what_for, sizeof row->what_for, "%s", r->what_for);
    row->optional = r->optional;
}

static void fill_rows(struct consul_access *a, bool all_allowed)
{
    struct consul_self_check *c = &a->check;
    struct consul_access_status *s = &a->status;

    s->nmissing = s->noptional = 0;
    s->nrights = (unsigned)c->nfeatures;
    s->asked = c->rows;
    for (size_t i = 0; i < c->nfeatures; i++) {
        fill_row(&c->rows[i], &c->asked[i]);
        if (all_allowed || c->allowed[i])
            continue;
        s->missing[s->nmissing++] = c->rows[i];
        s->noptional += c->rows[i].optional;
    }
}

static void log_changes(struct consul_access *a)
{
    struct consul_access_status *s = &a->status;
    char line[sizeof a->check.said] = "";
    size_t n = 0;

    for (unsigned i = 0; i < s->nmissing && n < sizeof line; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%s (for %s; rule: %s)", i ? ", " : "",
                              s->missing[i].right, s->missing[i].what_for, s->missing[i].rule);
    if (s->nmissing == 0)
        snprintf(line, sizeof line, "%s", s->problem);
    if (strcmp(line, a->check.said) == 0)
        return;
    if (s->nmissing > 0)
        log_warn("discovery", "consul: %s %s",
                 !*token_file_text(a->token) ? "no token is given, and without one these "
                                               "rights are missing:"
                                             : "the token lacks",
                 line);
    else if (line[0])
        log_warn("discovery", "consul: %s", line);
    else
        log_info("discovery", "consul: no right is missing");
    snprintf(a->check.said, sizeof a->check.said, "%s", line);
}

/* What is wrong with reading the catalog, in a few words. */
static void set_problem(struct consul_access *a)
{
    struct consul_access_status *s = &a->status;
    const bool *allowed = a->check.allowed;
    const char *who = !*token_file_text(a->token) ? "no token is given, and nobody without one has"
                                                  : "the token lacks";

    s->problem[0] = '\0';
    if (!allowed[SERVICES] || !allowed[NODES])
        snprintf(s->problem, sizeof s->problem, "%s %s%s%s", who,
                 allowed[SERVICES] ? "" : "service:read",
                 !allowed[SERVICES] && !allowed[NODES] ? " and " : "",
                 allowed[NODES] ? "" : "node:read");
    else if (a->check.stranger)
        snprintf(s->problem, sizeof s->problem,
                 "%.100s is of another cluster than the agent before it: they have no server in "
                 "common (a reload accepts it)",
                 consul_access_agent(a)->text);
}

/* Each wish hears of the catalog as a whole, and of its own service. */
static void answer(struct consul_access *a, struct consul_wish *w)
{
    bool trusted = a->status.trusted;
    const struct consul_self_check *c = &a->check;
    char why[256];

    snprintf(why, sizeof why, "%s", a->status.problem);
    /* A right for this name alone is as good; one for all but this one is not. */
    if (trusted && w->at && !c->allowed[w->at]) {
        trusted = false;
        snprintf(why, sizeof why, "the token lacks service:read on %s", w->service);
    }
    w->asked = false;
    w->fn(w->arg, trusted, why);
}

static void answer_wishes(struct consul_access *a)
{
    struct list done, *l;

    list_init(&done);
    list_each_safe(w, next, &a->check.wishes)
    {
        if (!CONTAINER_OF(w, struct consul_wish, link)->asked)
            continue;
        list_remove(w);
        list_push_back(&done, w);
    }
    while ((l = list_pop(&done)))
        answer(a, CONTAINER_OF(l, struct consul_wish, link));
}

static void stop_running(struct consul_self_check *c)
{
    c->running = false;
    arena_free(c->arena);
    c->arena = NULL;
}

static void finish(struct consul_access *a)
{
    struct consul_self_check *c = &a->check;
    bool good = a->status.trusted && a->status.nmissing == a->status.noptional;

    stop_running(c);
    c->finished_ns = clock_now_ns();
    c->due_ns = c->finished_ns + (good ? EVERY_MS : EVERY_BAD_MS) * NS_PER_MS;
    log_changes(a);
    answer_wishes(a);
    if (list_empty(&c->wishes))
        return;
    c->due_ns = 0;
    event_active(a->tick, EV_TIMEOUT, 0);
}

static void tell_good(struct consul_access *a)
{
    struct consul_self_check *c = &a->check;

    if (!c->lacked && c->told_token == a->token_generation)
        return;
    c->told_token = a->token_generation;
    list_each(l, &a->users)
    {
        struct consul_access_user *u = CONTAINER_OF(l, struct consul_access_user, link);

        u->good(u, c->lacked);
    }
}

static void finish_judged(struct consul_access *a)
{
    fill_rows(a, false);
    set_problem(a);
    a->status.trusted = a->status.problem[0] == '\0';
    a->status.checked_ns = clock_now_ns();
    a->status.judged = true;
    if (a->status.trusted)
        tell_good(a);
    a->check.lacked = !a->status.trusted;
    finish(a);
}

/* The rights are known; of several agents, one thing more. */
static void judge(struct consul_access *a)
{
    if (a->agents.n > 1)
        next_step(a, PEERS);
    else
        finish_judged(a);
}

static void judge_off(struct consul_access *a)
{
    a->status.acls = CONSUL_ACLS_OFF;
    memset(a->check.allowed, true, sizeof a->check.allowed);
    judge(a);
}

static void keep_peers(struct consul_access *a, struct str body)
{
    struct consul_self_check *c = &a->check;

    free(c->peers);
    c->peers = strndup(body.p, body.n);
    if (!c->peers)
        abort();
    c->peers_agent = a->generation;
}

/* Where one stays, a cluster that was built anew is a matter of its indexes. */
static void after_peers(struct consul_access *a, const struct fetch_answer *f)
{
    struct consul_self_check *c = &a->check;
    enum consul_kin kin =
        f->status == 200 ? consul_peers_compare(c->peers, f->body) : CONSUL_KIN_UNKNOWN;

    if (kin != CONSUL_KIN_UNKNOWN)
        c->stranger = kin == CONSUL_KIN_STRANGER && c->peers_agent != a->generation;
    if (kin != CONSUL_KIN_UNKNOWN && !c->stranger)
        keep_peers(a, f->body);
    finish_judged(a);
}

/* The rights are as unknown as before. */
static void finish_failed(struct consul_access *a, const char *why)
{
    list_each(l, &a->check.wishes)
    {
        CONTAINER_OF(l, struct consul_wish, link)->asked = true;
    }
    a->status.trusted = a->status.judged = false;
    snprintf(a->status.problem, sizeof a->status.problem, "%s", why);
    finish(a);
}

static void finish_unknown_token(struct consul_access *a)
{
    memset(a->check.allowed, false, sizeof a->check.allowed);
    fill_rows(a, true);
    a->status.acls = CONSUL_ACLS_ON;
    a->status.checked_ns = clock_now_ns();
    a->status.accessor[0] = a->status.policies[0] = '\0';
    a->check.lacked = true;
    consul_login_doubt(a);
    finish_failed(a, "Consul does not know the token: it is wrong, was deleted, or has expired");
    a->status.judged = true;
}

static void take_facts(struct consul_access *a)
{
    struct consul_access_status *s = &a->status;

    snprintf(s->accessor, sizeof s->accessor, "%s", a->check.facts.accessor);
    snprintf(s->policies, sizeof s->policies, "%s", a->check.facts.policies);
    s->expires_s = a->check.facts.expires_s;
}

static void after_self(struct consul_access *a, const struct fetch_answer *f)
{
    struct consul_self_check *c = &a->check;
    struct err e;

    if (f->status == 401) {
        judge_off(a);
        return;
    }
    /* 403 without a token: nobody in particular, with the rights of the anonymous token. */
    if (f->status == 403 && *token_file_text(a->token)) {
        finish_unknown_token(a);
        return;
    }
    a->status.acls = CONSUL_ACLS_ON;
    memset(&c->facts, 0, sizeof c->facts);
    if (f->status == 200 && consul_token_facts(f->body, &c->facts, &e) < 0)
        memset(&c->facts, 0, sizeof c->facts);
    take_facts(a);
    next_step(a, RIGHTS);
}

static void after_rights(struct consul_access *a, const struct fetch_answer *f)
{
    struct consul_self_check *c = &a->check;
    struct err e;

    if (f->status == 401) {
        judge_off(a);
    } else if (f->status == 403) {
        finish_unknown_token(a);
    } else if (f->status == 200 &&
               consul_rights_answer(f->body, c->asked, c->nasked, c->allowed, &e) == 0) {
        if (c->allowed[SERVICES] && c->allowed[NODES])
            judge(a);
        else
            next_step(a, LIST);
    } else {
        /* It cannot be asked here. Nothing is said against what cannot be seen. */
        memset(c->allowed, true, sizeof c->allowed);
        c->allowed[SERVICES] = c->allowed[NODES] = false;
        next_step(a, LIST);
    }
}

/* The right to register a service lists it, which says nothing of the others. */
static bool is_own(const struct consul_access *a, const char *name)
{
    const struct consul_self_check *c = &a->check;

    for (size_t i = 0; i < c->nfeatures; i++)
        if (strcmp(c->asked[i].resource, "service") == 0 && *c->asked[i].segment &&
            strcmp(c->asked[i].segment, name) == 0)
            return true;
    return false;
}

static void choose_listed(struct consul_access *a, const struct consul_services *list)
{
    struct consul_self_check *c = &a->check;

    c->nlisted = c->at_listed = 0;
    for (unsigned i = 0; i < list->n && c->nlisted < ARRAY_LEN(c->listed); i++)
        if (!is_own(a, list->items[i].name))
            c->listed[c->nlisted++] = list->items[i].name;
}

static void after_list(struct consul_access *a, const struct fetch_answer *f)
{
    struct consul_self_check *c = &a->check;
    struct consul_services list;
    struct err e;
    char why[200];

    if (f->status == 403) {
        finish_unknown_token(a);
        return;
    }
    if (f->status != 200 || consul_json_services(f->body, c->arena, &list, &e) < 0) {
        consul_access_describe(a, f, why, sizeof why);
        finish_failed(a, why);
        return;
    }
    choose_listed(a, &list);
    c->allowed[SERVICES] |= c->nlisted > 0;
    if (c->nlisted == 0 || c->allowed[NODES])
        judge(a);
    else
        next_step(a, HEALTH);
}

static void after_health(struct consul_access *a, const struct fetch_answer *f)
{
    struct consul_self_check *c = &a->check;
    char why[200];

    if (f->status != 200) {
        consul_access_describe(a, f, why, sizeof why);
        finish_failed(a, why);
        return;
    }
    c->allowed[NODES] = f->body.n > 4; /* "[]", with or without white space */
    if (!c->allowed[NODES] && ++c->at_listed < c->nlisted)
        next_step(a, HEALTH);
    else
        judge(a);
}

static void on_answer(void *arg, const struct fetch_answer *f)
{
    static void (*const after[])(struct consul_access *, const struct fetch_answer *) = {
        after_self, after_rights, after_list, after_health, after_peers};
    struct consul_access *a = arg;
    char why[200];

    if (f->status == 0 || f->status == 429 || (f->status >= 500 && a->check.step != RIGHTS)) {
        unsigned agent = a->generation;

        consul_access_describe(a, f, why, sizeof why);
        consul_access_outcome(a, agent, false, f->status, f->refused, why);
        /* Else another agent is asked, and it begins anew. */
        if (agent == a->generation)
            finish_failed(a, why);
        return;
    }
    after[a->check.step](a, f);
}

static void next_step(struct consul_access *a, enum step step)
{
    struct consul_self_check *c = &a->check;
    const char *method = step == RIGHTS ? "POST" : NULL;
    char *body = NULL, *name = NULL, *path = NULL;

    c->step = (int)step;
    if (step == RIGHTS)
        body = consul_rights_question(c->asked, c->nasked);
    if (step == HEALTH) {
        name = fetch_encode(c->listed[c->at_listed]);
        if (asprintf(&path, "/v1/health/service/%s?stale", name) < 0)
            abort();
    }
    consul_access_send(a, a->agents.at, c->fetch, method,
                       step == SELF     ? "/v1/acl/token/self"
                       : step == RIGHTS ? "/v1/internal/acl/authorize"
                       : step == LIST   ? "/v1/catalog/services?stale"
                       : step == PEERS  ? "/v1/status/peers"
                                        : path,
                       str_of(body), token_file_text(a->token), DEADLINE_MS);
    free(body);
    free(name);
    free(path);
}

/* Those who wish may name a service; what does not fit waits for the next run. */
static void ask_for_wishes(struct consul_self_check *c)
{
    c->nasked = c->nfeatures;
    list_each(l, &c->wishes)
    {
        struct consul_wish *w = CONTAINER_OF(l, struct consul_wish, link);

        w->asked = !w->service || c->nasked < CONSUL_RIGHTS_ASKED;
        w->at = 0;
        if (!w->service || !w->asked)
            continue;
        w->at = c->nasked;
        c->asked[c->nasked] = (struct consul_right){
            .resource = "service", .access = "read", .what_for = "its instances"};
        snprintf(c->asked[c->nasked].segment, sizeof c->asked->segment, "%s", w->service);
        c->nasked++;
    }
}

static void begin(struct consul_access *a)
{
    struct consul_self_check *c = &a->check;
    struct fetch_options o = {.max_body = 64 << 20};

    consul_access_options(a, a->agents.at, &o);
    fetch_free(c->fetch);
    c->fetch = fetch_new(a->fetcher, &o, on_answer, a);
    c->arena = arena_new();
    c->running = true;
    ask_for_wishes(c);
    next_step(a, SELF);
}

void consul_self_check_init(struct consul_access *a)
{
    struct consul_self_check *c = &a->check;

    list_init(&c->wishes);
    c->asked[SERVICES] = (struct consul_right){
        .resource = "service", .access = "read", .what_for = "the list of services"};
    c->asked[NODES] = (struct consul_right){
        .resource = "node", .access = "read", .what_for = "the instances of services"};
    c->nfeatures = 2;
}

void consul_self_check_restart(struct consul_access *a)
{
    struct consul_self_check *c = &a->check;

    a->status.trusted = false;
    c->due_ns = 0;
    if (!c->running)
        return;
    fetch_free(c->fetch);
    c->fetch = NULL;
    stop_running(c);
}

static bool same_rights(const struct consul_self_check *c, const struct consul_right *rights,
                        size_t n)
{
    char one[200], other[200];

    if (c->nfeatures != n + 2)
        return false;
    for (size_t i = 0; i < n; i++) {
        consul_right_rule(&c->asked[i + 2], one, sizeof one);
        consul_right_rule(&rights[i], other, sizeof other);
        if (strcmp(one, other) != 0)
            return false;
    }
    return true;
}

void consul_self_check_require(struct consul_access *a, const struct consul_right *rights, size_t n)
{
    struct consul_self_check *c = &a->check;

    if (same_rights(c, rights, n))
        return;
    consul_self_check_restart(a);
    arena_free(c->texts);
    c->texts = arena_new();
    for (size_t i = 0; i < n; i++) {
        struct consul_right *r = &c->asked[i + 2];

        *r = rights[i];
        r->resource = arena_strdup(c->texts, r->resource);
        r->access = arena_strdup(c->texts, r->access);
        r->what_for = arena_strdup(c->texts, r->what_for);
    }
    c->nfeatures = n + 2;
    a->status.nrights = a->status.nmissing = 0;
}

void consul_self_check_tick(struct consul_access *a, uint64_t now_ns)
{
    if (!a->check.running && now_ns >= a->check.due_ns && consul_access_has_token(a))
        begin(a);
}

void consul_self_check_accept(struct consul_access *a)
{
    free(a->check.peers);
    a->check.peers = NULL;
    consul_self_check_restart(a);
}

void consul_self_check_soon(struct consul_access *a)
{
    uint64_t next_ns = a->check.finished_ns + EVERY_BAD_MS * NS_PER_MS;

    if (a->check.due_ns > next_ns)
        a->check.due_ns = next_ns;
}

void consul_self_check_release(struct consul_access *a)
{
    struct consul_self_check *c = &a->check;

    fetch_free(c->fetch);
    c->fetch = NULL;
    while (c->wishes.next && list_pop(&c->wishes))
        ;
    arena_free(c->arena);
    c->arena = NULL;
    arena_free(c->texts);
    c->texts = NULL;
    free(c->peers);
    c->peers = NULL;
}
