/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_http.h"
#include "base/alloc.h"
#include "consul_access_parts.h"

#include <event2/event.h>
#include <stdio.h>

enum {
    BODY_MAX = 64 << 20,
    CONNECTIONS_MAX =
        150, /* the agent closes the 201st of a client address; leave some to others */
    STREAMS_PLANNED = 200,
    /* Over HTTP/1.1 the agent keeps the place of a query that is dropped until its wait ends. */
    DROPPED_MAX = 40,
};

struct consul_http {
    struct consul_access *access;   /* owned reference */
    struct consul_access_user user; /* in access->users */
    struct fetcher *fetcher;        /* owned */
    struct list flying;             /* consul_get in flight */
    struct list waiting;            /* for a token */
    struct list dropped;            /* to be told that nothing comes */
    struct event *tell;             /* owned; tells those in `dropped` */
    char dropped_why[300];
    bool multiplexed; /* false once HTTPS turned out to be without HTTP/2 */
    size_t expected;
    void (*good)(void *arg);
    void *arg;
};

struct consul_get {
    struct consul_http *http; /* borrowed */
    struct list link;         /* in one of its lists while busy */
    struct fetch *fetch;      /* owned; NULL = to be made for the agent in use */
    unsigned agent;           /* generation of that */
    unsigned token;           /* generation of the one that was sent */
    consul_get_done_fn *done;
    void *arg;
    char *method, *path, *body; /* owned; of the request in flight; method NULL = GET */
    size_t body_bytes;
    uint64_t deadline_ms;
    bool json, writes, lead, repeated;
    bool renewed; /* what is told of its being dropped */
    struct consul_answer answer;
};

char *consul_http_encode(const char *text)
{
    return fetch_encode(text);
}

static void limit(struct consul_http *h)
{
    size_t connections = (h->expected + STREAMS_PLANNED - 1) / STREAMS_PLANNED + 1;

    if (!h->multiplexed || connections > CONNECTIONS_MAX)
        connections = CONNECTIONS_MAX;
    fetcher_limit(h->fetcher, (unsigned)connections);
}

static void note_version(struct consul_get *g, const struct fetch_answer *f)
{
    struct consul_http *h = g->http;

    g->answer.multiplexed = f->http2;
    if (h->multiplexed && f->status != 0 && !f->http2) {
        h->multiplexed = false;
        limit(h);
    }
}

static void send_it(struct consul_get *g);

static void wait_for_token(struct consul_get *g)
{
    list_push_back(&g->http->waiting, &g->link);
}

/* 403: with another token it goes once more. One that was replaced while the request was under way
 * needs no look at the file. What another datacenter says is no word on the token: that of a login
 * is good in its own. */
static bool repeat_denied(struct consul_get *g, const struct fetch_answer *f)
{
    struct consul_access *a = g->http->access;
    bool unknown = f->body.n >= 13 && memmem(f->body.p, f->body.n, "ACL not found", 13) &&
                   !strstr(g->path, "dc=");

    if (f->status != 403 || g->repeated ||
        (g->token == a->token_generation && !consul_access_denied(a, unknown)))
        return false;
    g->repeated = true;
    if (consul_access_has_token(a))
        send_it(g);
    else
        wait_for_token(g);
    return true;
}

static void forget_request(struct consul_get *g)
{
    free(g->method);
    free(g->path);
    free(g->body);
    g->method = g->path = g->body = NULL;
}

static void on_done(void *arg, const struct fetch_answer *f)
{
    struct consul_get *g = arg;
    struct consul_access *a = g->http->access;
    struct consul_answer answer;
    unsigned agent = g->agent;
    char text[256] = "";

    list_remove(&g->link);
    note_version(g, f);
    if (repeat_denied(g, f))
        return;
    answer = g->answer;
    answer.status = f->status;
    answer.refused = f->refused;
    answer.shut_out = f->shut_out;
    if (f->status == 200 && (g->json || g->writes)) {
        answer.body = f->body;
    } else {
        consul_access_describe(a, f, text, sizeof text);
        answer.error = text;
    }
    forget_request(g);
    /* Before the call, so that the next request goes to the agent that is chosen for it. */
    consul_access_outcome(a, agent, g->lead, f->status, f->refused, answer.error);
    g->done(g->arg, &answer);
}

static void forget_headers(struct consul_get *g)
{
    memset(&g->answer, 0, sizeof g->answer);
    g->answer.leader_known = true;
    g->json = false;
}

static void on_header(void *arg, struct str name, struct str value)
{
    struct consul_get *g = arg;

    if (name.n == 0)
        forget_headers(g);
    else if (str_ieq(name, STR("X-Consul-Index")))
        g->answer.has_index = str_to_u64(value, &g->answer.index);
    else if (str_ieq(name, STR("X-Consul-KnownLeader")))
        g->answer.leader_known = !str_ieq(value, STR("false"));
    else if (str_ieq(name, STR("X-Consul-LastContact")))
        (void)str_to_u64(value, &g->answer.last_contact_ms);
    else if (str_ieq(name, STR("X-Consul-Results-Filtered-By-ACLs")))
        g->answer.filtered = str_ieq(value, STR("true"));
    else if (str_ieq(name, STR("Content-Type")))
        g->json = str_istarts(value, STR("application/json"));
}

static void drop(struct consul_get *g)
{
    list_remove(&g->link);
    list_push_back(&g->http->dropped, &g->link);
    event_active(g->http->tell, EV_TIMEOUT, 0);
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
    struct consul_http *h = arg;
    struct list now, *l;

    (void)fd;
    (void)what;
    /* Only those of now: who asks again at once may be dropped again. */
    list_init(&now);
    while ((l = list_pop(&h->dropped)))
        list_push_back(&now, l);
    while ((l = list_pop(&now))) {
        struct consul_get *g = CONTAINER_OF(l, struct consul_get, link);
        struct consul_answer answer = {
            .error = h->dropped_why, .renewed = g->renewed, .leader_known = true};

        g->renewed = false;
        forget_request(g);
        g->done(g->arg, &answer);
    }
}

static void on_moved(struct consul_access_user *u)
{
    struct consul_http *h = CONTAINER_OF(u, struct consul_http, user);
    const char *address = consul_access_agent(h->access)->text;

    snprintf(h->dropped_why, sizeof h->dropped_why, "another agent is asked from now on: %s",
             address);
    h->multiplexed = consul_access_agent(h->access)->https;
    limit(h);
    list_each_safe(l, next, &h->flying)
    {
        struct consul_get *g = CONTAINER_OF(l, struct consul_get, link);

        fetch_free(g->fetch);
        g->fetch = NULL;
        drop(g);
    }
}

static void on_token(struct consul_access_user *u, const char *error)
{
    struct consul_http *h = CONTAINER_OF(u, struct consul_http, user);
    struct list now, *l;

    if (error)
        snprintf(h->dropped_why, sizeof h->dropped_why, "no token: login: %s", error);
    list_init(&now);
    while ((l = list_pop(&h->waiting)))
        list_push_back(&now, l);
    while ((l = list_pop(&now))) {
        struct consul_get *g = CONTAINER_OF(l, struct consul_get, link);

        if (error)
            drop(g);
        else
            send_it(g);
    }
}

/* What is being waited for was asked when less could be seen, and no change will wake it. */
static void drop_blocking(struct consul_http *h)
{
    size_t n = 0;

    list_each(l, &h->flying)
    {
        n++;
    }
    if (!h->multiplexed && n > DROPPED_MAX)
        return;
    snprintf(h->dropped_why, sizeof h->dropped_why, "the token has its rights again: asked anew");
    list_each_safe(l, next, &h->flying)
    {
        struct consul_get *g = CONTAINER_OF(l, struct consul_get, link);

        if (g->method || !strstr(g->path, "index="))
            continue;
        g->renewed = true;
        fetch_free(g->fetch);
        g->fetch = NULL;
        drop(g);
    }
}

static void on_good(struct consul_access_user *u, bool regained)
{
    struct consul_http *h = CONTAINER_OF(u, struct consul_http, user);

    if (regained)
        drop_blocking(h);
    if (h->good)
        h->good(h->arg);
}

void consul_http_when_good(struct consul_http *h, void (*fn)(void *arg), void *arg)
{
    h->good = fn;
    h->arg = arg;
}

struct consul_http *consul_http_new(struct event_base *base, const struct discovery_options *o,
                                    struct err *e)
{
    struct consul_access *access = consul_access_get(base, o, e);
    struct consul_http *h;

    if (!access)
        return NULL;
    h = alloc_or_abort(sizeof *h);
    h->access = access;
    h->fetcher = fetcher_new(base);
    h->user.moved = on_moved;
    h->user.token = on_token;
    h->user.good = on_good;
    list_push_back(&access->users, &h->user.link);
    list_init(&h->flying);
    list_init(&h->waiting);
    list_init(&h->dropped);
    h->tell = event_new(base, -1, 0, on_tell, h);
    if (!h->tell)
        abort();
    h->multiplexed = consul_access_agent(access)->https;
    h->expected = 1;
    fetcher_limit(h->fetcher, CONNECTIONS_MAX);
    limit(h);
    return h;
}

void consul_http_free(struct consul_http *h)
{
    if (!h)
        return;
    list_remove(&h->user.link);
    fetcher_free(h->fetcher);
    event_free(h->tell);
    consul_access_put(h->access);
    free(h);
}

void consul_http_expect(struct consul_http *h, size_t n)
{
    h->expected = n;
    if (h->multiplexed)
        limit(h);
}

void consul_http_keep(struct consul_http *h, unsigned n)
{
    if (!h->multiplexed)
        fetcher_keep(h->fetcher, n);
}

bool consul_http_refresh_token(struct consul_http *h, bool in_any_case)
{
    if (!token_file_refresh(h->access->token, in_any_case))
        return false;
    consul_access_token_changed(h->access);
    return true;
}

const struct consul_access_status *consul_http_access(const struct consul_http *h)
{
    return &h->access->status;
}

bool consul_http_trusted(const struct consul_http *h)
{
    return h->access->status.trusted;
}

void consul_http_check_soon(struct consul_http *h)
{
    consul_self_check_soon(h->access);
}

void consul_http_check(struct consul_http *h, struct consul_wish *w)
{
    struct consul_self_check *c = &h->access->check;

    if (!list_empty(&w->link))
        return;
    w->asked = false;
    list_push_back(&c->wishes, &w->link);
    if (c->running)
        return;
    c->due_ns = 0;
    event_active(h->access->tick, EV_TIMEOUT, 0);
}

struct consul_get *consul_get_new(struct consul_http *h, consul_get_done_fn *done, void *arg)
{
    struct consul_get *g = alloc_or_abort(sizeof *g);

    g->http = h;
    g->done = done;
    g->arg = arg;
    list_init(&g->link);
    return g;
}

void consul_get_leads(struct consul_get *g)
{
    g->lead = true;
}

void consul_get_free(struct consul_get *g)
{
    if (!g)
        return;
    list_remove(&g->link);
    fetch_free(g->fetch);
    forget_request(g);
    free(g);
}

/* To the agent in use, with the token in use. */
static void send_it(struct consul_get *g)
{
    struct consul_http *h = g->http;
    struct consul_access *a = h->access;
    bool another = g->agent != a->generation;

    if (another) {
        fetch_free(g->fetch);
        g->fetch = NULL;
    }
    if (!g->fetch) {
        struct fetch_options o = {
            .max_body = BODY_MAX,
            .share_http2 = consul_access_agent(a)->https,
            .on_header = on_header,
        };

        consul_access_options(a, a->agents.at, &o);
        g->fetch = fetch_new(h->fetcher, &o, on_done, g);
    }
    g->agent = a->generation;
    g->token = a->token_generation;
    forget_headers(g);
    list_push_back(&h->flying, &g->link);
    consul_access_send(a, a->agents.at, g->fetch, g->method, g->path,
                       (struct str){g->body, g->body_bytes}, token_file_text(a->token),
                       g->deadline_ms);
}

static char *copy(const char *p, size_t n)
{
    char *c = alloc_or_abort(n + 1);

    if (n > 0)
        memcpy(c, p, n);
    return c;
}

static void start(struct consul_get *g, const char *method, const char *path, struct str body,
                  uint64_t deadline_ms)
{
    struct consul_access *a = g->http->access;

    g->method = method ? copy(method, strlen(method)) : NULL;
    g->path = copy(path, strlen(path));
    g->body = copy(body.p, body.n);
    g->body_bytes = body.n;
    g->deadline_ms = deadline_ms;
    g->repeated = false;
    if (consul_access_has_token(a)) {
        send_it(g);
    } else if (a->login.lease.failures == 0) {
        wait_for_token(g);
    } else {
        snprintf(g->http->dropped_why, sizeof g->http->dropped_why, "no token: login: %s",
                 a->status.login_error);
        drop(g);
    }
}

void consul_get_start(struct consul_get *g, const char *path, uint64_t deadline_ms)
{
    g->writes = false;
    start(g, NULL, path, STR(""), deadline_ms);
}

void consul_write_start(struct consul_get *g, const char *method, const char *path, struct str body,
                        uint64_t deadline_ms)
{
    g->writes = true;
    start(g, method, path, body, deadline_ms);
}

bool consul_get_busy(const struct consul_get *g)
{
    return !list_empty(&g->link);
}
