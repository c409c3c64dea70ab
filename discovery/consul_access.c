/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_access.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "consul_access_parts.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { TICK_MS = 250 };

/* Of the control thread. Those that are ending are in it too. */
static struct list all = {&all, &all};

static const char *text(const char *z)
{
    return z ? z : "";
}

/* Everything that makes one access another one, but the rights. Holds secrets. */
static char *make_key(const struct discovery_options *o)
{
    const struct consul_access_options *x = &o->access;
    char *key = NULL;
    size_t n;
    FILE *f = open_memstream(&key, &n);

    if (!f)
        abort();
    fprintf(f, "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%d\n%s\n%s\n%s\n%s\n%" PRIu64 "\n%" PRIu64 "\n",
            text(o->address), text(o->token_file), text(o->token), text(o->ca_file),
            text(o->cert_file), text(o->key_file), text(x->ca_path), text(x->server_name),
            x->no_verify, text(x->ns), text(x->partition), text(x->login_method),
            text(x->login_jwt_file), x->fail_back_ms, o->wait_ms);
    for (size_t i = 0; i < x->nmore; i++)
        fprintf(f, "%s\n", x->more[i]);
    for (size_t i = 0; i < x->nlogin_meta; i++)
        fprintf(f, "%s=%s\n", x->login_meta[2 * i], x->login_meta[2 * i + 1]);
    if (fclose(f) != 0)
        abort();
    return key;
}

static const char *keep(struct consul_access *a, const char *z)
{
    return z && *z ? arena_strdup(a->arena, z) : NULL;
}

static void copy_settings(struct consul_access *a, const struct discovery_options *o)
{
    struct consul_access_options *x = &a->o;
    size_t nmeta = 2 * o->access.nlogin_meta;
    const char **meta = ARENA_ARRAY(a->arena, const char *, nmeta);

    *x = o->access;
    x->more = NULL;
    x->ca_path = keep(a, x->ca_path);
    x->login_method = keep(a, x->login_method);
    x->login_jwt_file = keep(a, x->login_jwt_file);
    for (size_t i = 0; i < nmeta; i++)
        meta[i] = arena_strdup(a->arena, o->access.login_meta[i]);
    x->login_meta = meta;
    a->wait_ms = o->wait_ms;
    a->ca_file = keep(a, o->ca_file);
    a->cert_file = keep(a, o->cert_file);
    a->key_file = keep(a, o->key_file);
}

static void make_scope(struct consul_access *a, const struct consul_access_options *x)
{
    char *ns = x->ns && *x->ns ? fetch_encode(x->ns) : NULL;
    char *partition = x->partition && *x->partition ? fetch_encode(x->partition) : NULL;

    if (asprintf(&a->scope, "%s%s%s%s%s", ns ? "ns=" : "", text(ns), ns && partition ? "&" : "",
                 partition ? "partition=" : "", text(partition)) < 0)
        abort();
    free(ns);
    free(partition);
}

static int add_agents(struct consul_access *a, const struct discovery_options *o, struct err *e)
{
    unsigned n = 0;

    if (o->access.nmore >= CONSUL_AGENTS_MAX)
        return err_set(e, "consul: more than %d addresses", CONSUL_AGENTS_MAX);
    for (size_t i = 0; i <= o->access.nmore; i++, n++) {
        const char *address = i == 0 ? text(o->address) : o->access.more[i - 1];

        if (consul_address_init(&a->addresses[n], address, o->access.server_name, e) < 0)
            return -1;
        a->status.agents[n] = a->addresses[n].text;
        a->status.nagents = n + 1;
    }
    consul_agents_init(&a->agents, n, clock_now_ns());
    a->answers = true;
    a->status.agent_since_ns = a->agents.since_ns;
    return 0;
}

const struct consul_address *consul_access_agent(const struct consul_access *a)
{
    return &a->addresses[a->agents.at];
}

void consul_access_options(const struct consul_access *a, unsigned agent, struct fetch_options *o)
{
    o->unix_path = a->addresses[agent].unix_path;
    o->connect_to = a->addresses[agent].connect_to;
    o->ca_file = a->ca_file;
    o->ca_path = a->o.ca_path;
    o->cert_file = a->cert_file;
    o->key_file = a->key_file;
    o->no_verify = a->o.no_verify;
}

/* Namespaces and partitions concern what is in the catalog, not the agent or the servers. */
static bool is_scoped(const char *path)
{
    static const char *const apart[] = {"/v1/status/", "/v1/internal/", "/v1/agent/self",
                                        "/v1/acl/", "/v1/operator/"};

    for (size_t i = 0; i < ARRAY_LEN(apart); i++)
        if (strncmp(path, apart[i], strlen(apart[i])) == 0)
            return false;
    return !strstr(path, "?ns=") && !strstr(path, "&ns=") && !strstr(path, "?partition=") &&
           !strstr(path, "&partition=");
}

static char *make_url(const struct consul_access *a, unsigned agent, const char *path)
{
    bool scoped = a->scope[0] && is_scoped(path);
    const char *query = strchr(path, '?');
    const char *join = !scoped ? "" : !query ? "?" : query[1] ? "&" : "";
    char *url;

    if (scoped && query && path[strlen(path) - 1] == '&')
        join = "";
    if (asprintf(&url, "%s%s%s%s", a->addresses[agent].url, path, join, scoped ? a->scope : "") < 0)
        abort();
    return url;
}

void consul_access_send(struct consul_access *a, unsigned agent, struct fetch *f,
                        const char *method, const char *path, struct str body, const char *token,
                        uint64_t deadline_ms)
{
    char header[4200], *url = make_url(a, agent, path);
    const char *headers[] = {NULL, NULL};
    struct fetch_request q = {
        .method = method, .url = url, .headers = headers, .body = body, .deadline_ms = deadline_ms};

    if (token && *token) {
        snprintf(header, sizeof header, "X-Consul-Token: %s", token);
        headers[0] = header;
    }
    fetch_start(f, &q);
    explicit_bzero(header, sizeof header);
    free(url);
}

static void mask(char *line, const char *secret)
{
    size_t n = secret ? strlen(secret) : 0;

    for (char *p = n ? strstr(line, secret) : NULL; p; p = strstr(p, secret))
        memset(p, '*', n);
}

void consul_access_describe(const struct consul_access *a, const struct fetch_answer *f, char *line,
                            size_t room)
{
    int shown = f->body.n < 160 ? (int)f->body.n : 160;
    bool no_namespaces = false;

    if (f->error)
        snprintf(line, room, "%s", f->error);
    else if (f->status != 200)
        snprintf(line, room, "HTTP %d: %.*s", f->status, shown, shown ? f->body.p : "");
    else
        snprintf(line, room, "HTTP 200, but the body is not JSON");
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    token_file_mask(a->token, line);
    mask(line, a->login.secret);
    mask(line, a->login.old);
    mask(line, a->login.leaving);
    no_namespaces = f->status == 400 && a->scope[0] && strstr(line, "Enterprise feature");
    if (no_namespaces)
        snprintf(line, room,
                 "HTTP 400: this Consul has no namespaces (they are part of Consul "
                 "Enterprise): take `namespace` and `partition` away");
}

bool consul_access_has_token(const struct consul_access *a)
{
    return !a->o.login_method || a->login.lease.has;
}

void consul_access_token_changed(struct consul_access *a)
{
    a->token_generation++;
    consul_self_check_restart(a);
}

bool consul_access_denied(struct consul_access *a, bool unknown)
{
    uint64_t now = clock_now_ns();

    consul_self_check_soon(a);
    if (a->o.login_method) {
        if (!unknown || !consul_login_doubt(a))
            return false;
        consul_login_tick(a, now);
        return true;
    }
    if (!token_file_refresh(a->token, true))
        return false;
    consul_access_token_changed(a);
    return true;
}

static void forget_key(char *key)
{
    explicit_bzero(key, strlen(key));
    free(key);
}

static void release(struct consul_access *a)
{
    list_remove(&a->link);
    if (a->tick) {
        event_free(a->tick);
        consul_login_release(a);
        consul_self_check_release(a);
    }
    consul_pulse_release(a);
    fetcher_free(a->fetcher);
    token_file_free(a->token);
    for (unsigned i = 0; i < a->status.nagents; i++)
        consul_address_release(&a->addresses[i]);
    arena_free(a->arena);
    free(a->scope);
    forget_key(a->key);
    free(a);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct consul_access *a = arg;
    uint64_t now = clock_now_ns();

    (void)fd;
    (void)what;
    if (a->ending) {
        if (consul_login_left(a))
            release(a);
        return;
    }
    consul_login_tick(a, now);
    if (token_file_refresh(a->token, false)) {
        log_info("discovery", "consul: the token was read again");
        consul_access_token_changed(a);
    }
    consul_pulse_tick(a, now);
    consul_self_check_tick(a, now);
}

static const char *token_source(const struct discovery_options *o)
{
    if (o->access.login_method && *o->access.login_method)
        return "login";
    if (o->token_file && *o->token_file)
        return "file";
    return o->token && *o->token ? "environment" : "none";
}

static void set_up(struct consul_access *a, const struct discovery_options *o)
{
    struct timeval tick = {0, TICK_MS * 1000};
    bool login;

    copy_settings(a, o);
    make_scope(a, &o->access);
    login = a->o.login_method != NULL;
    a->token = token_file_new("discovery", login ? NULL : o->token_file, login ? NULL : o->token);
    a->fetcher = fetcher_new(a->base);
    a->rng.state = clock_now_ns() ^ (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)a;
    a->status.token_from = token_source(o);
    a->status.no_verify = a->o.no_verify;
    if (a->o.no_verify)
        log_warn("discovery",
                 "consul: the agent's certificate is NOT verified: whoever sits between "
                 "can read the token and forge the catalog");
    consul_login_init(a);
    consul_self_check_init(a);
    consul_self_check_require(a, o->access.rights, o->access.nrights);
    a->tick = event_new(a->base, -1, EV_PERSIST, on_tick, a);
    if (!a->tick)
        abort();
    event_add(a->tick, &tick);
    event_active(a->tick, EV_TIMEOUT, 0);
}

static struct consul_access *find(const struct event_base *base, const char *key)
{
    list_each(l, &all)
    {
        struct consul_access *a = CONTAINER_OF(l, struct consul_access, link);

        if (!a->ending && a->base == base && strcmp(a->key, key) == 0)
            return a;
    }
    return NULL;
}

struct consul_access *consul_access_get(struct event_base *base, const struct discovery_options *o,
                                        struct err *e)
{
    char *key = make_key(o);
    struct consul_access *a = find(base, key);

    if (a) {
        a->refs++;
        forget_key(key);
        return a;
    }
    a = alloc_or_abort(sizeof *a);
    a->key = key;
    a->base = base;
    a->refs = 1;
    a->arena = arena_new();
    list_init(&a->users);
    list_push_back(&all, &a->link);
    if (add_agents(a, o, e) < 0) {
        release(a);
        return NULL;
    }
    set_up(a, o);
    return a;
}

void consul_access_put(struct consul_access *a)
{
    if (--a->refs > 0)
        return;
    a->ending = true;
    consul_self_check_release(a);
    if (!consul_login_end(a))
        release(a);
}

void consul_access_require(const struct discovery_options *o)
{
    char *key = make_key(o);

    list_each(l, &all)
    {
        struct consul_access *a = CONTAINER_OF(l, struct consul_access, link);

        if (!a->ending && strcmp(a->key, key) == 0)
            consul_self_check_require(a, o->access.rights, o->access.nrights);
    }
    forget_key(key);
}

void consul_access_reload(void)
{
    list_each(l, &all)
    {
        struct consul_access *a = CONTAINER_OF(l, struct consul_access, link);

        if (a->ending)
            continue;
        if (a->o.login_method)
            consul_lease_hurry(&a->login.lease, clock_now_ns());
        else if (token_file_refresh(a->token, true))
            consul_access_token_changed(a);
        consul_self_check_accept(a);
    }
}

static bool any_ending(const struct event_base *base)
{
    list_each(l, &all)
    {
        const struct consul_access *a = CONTAINER_OF(l, struct consul_access, link);

        if (a->ending && a->base == base)
            return true;
    }
    return false;
}

void consul_access_finish(struct event_base *base, uint64_t timeout_ms)
{
    uint64_t end = clock_now_ns() + timeout_ms * NS_PER_MS;

    /* Each has a timer, so the loop turns. */
    while (any_ending(base) && clock_now_ns() < end)
        event_base_loop(base, EVLOOP_ONCE);
    list_each_safe(l, next, &all)
    {
        struct consul_access *a = CONTAINER_OF(l, struct consul_access, link);

        if (a->ending && a->base == base)
            release(a);
    }
}
