/* SPDX-License-Identifier: Apache-2.0 */
/* consul_login.c - shows a JWT to Consul, gets a token for it, and logs out in the end. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "consul_access_parts.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LOGIN_MS = 10000,
    LOGOUT_MS = 3000,
    JWT_MAX = 16384,
    GRACE_MS = 10000, /* beyond the longest blocking query */
};

static void forget(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

static void tell_users(struct consul_access *a, const char *error)
{
    list_each(l, &a->users)
    {
        struct consul_access_user *u = CONTAINER_OF(l, struct consul_access_user, link);

        u->token(u, error);
    }
}

/* The JWT of the file, without white space around it; NULL with *ret_problem set. */
static char *read_jwt(const char *file, const char **ret_problem)
{
    char *jwt = alloc_or_abort(JWT_MAX + 1);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, jwt, JWT_MAX);
    struct str trimmed;

    *ret_problem = n < 0 ? strerror(errno) : "does not hold a JWT";
    if (fd >= 0)
        close(fd);
    trimmed = (struct str){jwt, n > 0 ? (size_t)n : 0};
    while (trimmed.n > 0 && strchr(" \t\r\n", trimmed.p[trimmed.n - 1]))
        trimmed.n--;
    while (trimmed.n > 0 && strchr(" \t\r\n", trimmed.p[0])) {
        trimmed.p++;
        trimmed.n--;
    }
    memmove(jwt, trimmed.p, trimmed.n);
    explicit_bzero(jwt + trimmed.n, JWT_MAX + 1 - trimmed.n);
    for (const char *p = jwt; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            trimmed.n = 0;
    if (trimmed.n == 0 || n >= JWT_MAX)
        forget(&jwt);
    return jwt;
}

static void refused(struct consul_access *a, const char *why)
{
    struct consul_login *l = &a->login;

    consul_lease_refused(&l->lease, clock_now_ns(), &a->rng);
    snprintf(a->status.login_error, sizeof a->status.login_error, "%s", why);
    if (!l->failing)
        log_warn("discovery", "consul: login by method %s: %s; %s", a->o.login_method, why,
                 *token_file_text(a->token) ? "the token of before stays in use"
                                            : "Consul cannot be asked");
    l->failing = true;
    a->status.renew_at_ns = l->lease.due_ns;
    tell_users(a, a->status.login_error);
}

/* How long the token lives, by Consul's own clock; 0 = for ever. */
static uint64_t life_of(const json_t *token)
{
    const char *from = json_string_value(json_object_get(token, "CreateTime"));
    const char *to = json_string_value(json_object_get(token, "ExpirationTime"));
    int64_t from_ns, to_ns;

    if (!to || !consul_time(to, &to_ns))
        return 0;
    if (!from || !consul_time(from, &from_ns))
        from_ns = clock_wall_ms() * (int64_t)NS_PER_MS;
    return to_ns > from_ns ? (uint64_t)(to_ns - from_ns) : 1;
}

/* The token of before goes when no query that was sent with it can be under way any more. */
static void retire_old(struct consul_access *a)
{
    struct consul_login *l = &a->login;
    const char *present = token_file_text(a->token);

    forget(&l->old);
    if (!*present)
        return;
    l->old = strdup(present);
    if (!l->old)
        abort();
    l->old_until_ns = clock_now_ns() + (a->wait_ms * 17 / 16 + GRACE_MS) * NS_PER_MS;
}

static void granted(struct consul_access *a, const json_t *token, const char *secret)
{
    struct consul_login *l = &a->login;

    retire_old(a);
    if (!token_file_put(a->token, secret)) {
        forget(&l->old); /* it stays in use */
        refused(a, "the token that Consul gives is not usable as a header value");
        return;
    }
    consul_lease_granted(&l->lease, life_of(token), clock_now_ns(), &a->rng);
    if (l->failing || a->status.logins == 0)
        log_info("discovery", "consul: logged in by method %s", a->o.login_method);
    l->failing = false;
    a->status.logins++;
    a->status.login_error[0] = '\0';
    a->status.renew_at_ns = l->lease.life_ns ? l->lease.due_ns : 0;
    consul_access_token_changed(a);
    tell_users(a, NULL);
}

static bool is_agents_fault(const char *why)
{
    return strstr(why, "leader") || strstr(why, "rpc error getting client");
}

static void on_login(void *arg, const struct fetch_answer *f)
{
    struct consul_access *a = arg;
    json_t *token = NULL;
    const char *secret;
    char why[256];

    if (f->status == 200)
        token = json_loadb(f->body.p, f->body.n, 0, NULL);
    secret = json_string_value(json_object_get(token, "SecretID"));
    if (secret && *secret) {
        granted(a, token, secret);
        consul_access_outcome(a, a->login.generation, true, 200, false, NULL);
    } else {
        consul_access_describe(a, f, why, sizeof why);
        refused(a, f->status == 200 ? "the answer holds no token" : why);
        if (f->status == 0 || (f->status >= 500 && is_agents_fault(why)))
            consul_access_outcome(a, a->login.generation, true, f->status, f->refused, why);
    }
    json_decref(token);
    forget(&a->login.secret);
}

static char *login_body(const struct consul_access *a, const char *jwt)
{
    json_t *meta = json_object();
    json_t *body;
    char *text;

    for (size_t i = 0; i < a->o.nlogin_meta; i++)
        json_object_set_new(meta, a->o.login_meta[2 * i], json_string(a->o.login_meta[2 * i + 1]));
    body = json_pack("{s:s,s:s,s:o}", "AuthMethod", a->o.login_method, "BearerToken", jwt, "Meta",
                     meta);
    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (!text)
        abort();
    return text;
}

static struct fetch *fetch_for(struct consul_access *a, fetch_done_fn *done)
{
    struct fetch_options o = {0};

    consul_access_options(a, a->agents.at, &o);
    return fetch_new(a->fetcher, &o, done, a);
}

static char *scoped(const struct consul_access *a, const char *path)
{
    char *text;

    if (asprintf(&text, "%s%s%s", path, *a->scope ? "?" : "", a->scope) < 0)
        abort();
    return text;
}

static void log_in(struct consul_access *a)
{
    struct consul_login *l = &a->login;
    const char *problem;
    char *body, *path, why[256];

    consul_lease_begun(&l->lease, clock_now_ns());
    forget(&l->secret);
    l->secret = read_jwt(a->o.login_jwt_file, &problem);
    if (!l->secret) {
        snprintf(why, sizeof why, "the JWT file %s: %s", a->o.login_jwt_file, problem);
        refused(a, why);
        return;
    }
    if (!l->fetch)
        l->fetch = fetch_for(a, on_login);
    l->generation = a->generation;
    body = login_body(a, l->secret);
    path = scoped(a, "/v1/acl/login");
    consul_access_send(a, a->agents.at, l->fetch, "POST", path, str_of(body), NULL, LOGIN_MS);
    forget(&body);
    free(path);
}

static void on_left(void *arg, const struct fetch_answer *f)
{
    struct consul_access *a = arg;

    (void)f;
    forget(&a->login.leaving);
    /* The end is the tick's: the fetcher is still at work here. */
    event_active(a->tick, EV_TIMEOUT, 0);
}

static void log_out(struct consul_access *a, const char *token)
{
    struct consul_login *l = &a->login;
    char *path = scoped(a, "/v1/acl/logout");

    forget(&l->leaving);
    l->leaving = strdup(token);
    if (!l->leaving)
        abort();
    fetch_free(l->leave);
    l->leave = fetch_for(a, on_left);
    consul_access_send(a, a->agents.at, l->leave, "POST", path, STR(""), token, LOGOUT_MS);
    free(path);
}

void consul_login_init(struct consul_access *a)
{
    consul_lease_init(&a->login.lease, clock_now_ns());
    if (a->o.login_method)
        log_in(a);
}

void consul_login_tick(struct consul_access *a, uint64_t now)
{
    struct consul_login *l = &a->login;

    if (!a->o.login_method || a->ending)
        return;
    if (consul_lease_due(&l->lease, now) && !(l->fetch && fetch_busy(l->fetch)))
        log_in(a);
    if (l->old && now >= l->old_until_ns && !(l->leave && fetch_busy(l->leave))) {
        log_out(a, l->old);
        forget(&l->old);
    }
}

bool consul_login_doubt(struct consul_access *a)
{
    struct consul_lease *l = &a->login.lease;

    if (!a->o.login_method || !consul_lease_doubted(l, clock_now_ns()))
        return false;
    /* What is asked now waits for it. */
    l->has = false;
    return true;
}

void consul_login_moved(struct consul_access *a)
{
    struct consul_login *l = &a->login;
    bool was_busy = l->fetch && fetch_busy(l->fetch);

    if (!a->o.login_method)
        return;
    if (was_busy || !consul_access_has_token(a))
        consul_lease_hurry(&l->lease, clock_now_ns());
    fetch_free(l->fetch);
    l->fetch = NULL;
}

bool consul_login_end(struct consul_access *a)
{
    struct consul_login *l = &a->login;

    fetch_free(l->fetch);
    l->fetch = NULL;
    if (!a->o.login_method || !*token_file_text(a->token))
        return false;
    log_out(a, token_file_text(a->token));
    return true;
}

bool consul_login_left(const struct consul_access *a)
{
    return !a->login.leave || !fetch_busy(a->login.leave);
}

void consul_login_release(struct consul_access *a)
{
    struct consul_login *l = &a->login;

    fetch_free(l->fetch);
    fetch_free(l->leave);
    forget(&l->secret);
    forget(&l->old);
    forget(&l->leaving);
}
