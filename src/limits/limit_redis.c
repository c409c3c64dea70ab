/* SPDX-License-Identifier: Apache-2.0 */
#include "limits/limit_redis.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/token_file.h"
#include "limits/limit_script.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_PAUSE_MS = 100,
    LONGEST_PAUSE_MS = 10000,
    GREETING_MS = 2000, /* to connect, log in and load the script */
    MOST_FAILURES = 5,  /* in a row */
    MOST_CALLS = 4096,  /* under way */
    KEY_MAX = 256,
    NUMBER_MAX = 32
};

struct limit_redis {
    struct event_base *base; /* borrowed */
    struct event *timer;     /* owned: the end of a pause or of a greeting; or drop a connection */
    struct limit_redis_status *status; /* borrowed; NULL = never configured */
    struct redis_conf conf;            /* strings owned, see keep() */
    bool configured;
    redisAsyncContext *context; /* owned by hiredis; NULL = none */
    char sha[41];               /* of the script; "" = not greeted yet */
    uint64_t pause_ms;          /* the next one */
    unsigned failures;          /* in a row */
    unsigned calls;
};

struct limit_redis_call {
    struct limit_redis *r;
    limit_redis_done_fn *done; /* NULL = nobody waits any more */
    void *arg;
    unsigned n;
    bool whole_script; /* it went along with the call */
    struct limit_clock clock;
    enum rate_limit_kind kinds[MAX_REQUEST_LIMITS];
    uint64_t windows[MAX_REQUEST_LIMITS];
    size_t lengths[MAX_REQUEST_LIMITS];
    char keys[MAX_REQUEST_LIMITS][KEY_MAX];
    char numbers[MAX_REQUEST_LIMITS][2][NUMBER_MAX];
    bool shadow[MAX_REQUEST_LIMITS];
};

static bool is_up(const struct limit_redis *r)
{
    return r->context && r->sha[0];
}

static void set_timer(struct limit_redis *r, uint64_t ms)
{
    struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

    event_add(r->timer, &tv);
}

/* One line for the whole gateway when the first worker loses it, one when all have it again. */
static void tell(struct limit_redis *r, bool up, const char *why)
{
    if (up && atomic_load(&r->status->connected) == atomic_load(&r->status->workers) &&
        atomic_exchange(&r->status->told, false))
        log_info("limits", "Redis %s is back: shared limits are counted there", r->conf.address);
    if (!up && !atomic_exchange(&r->status->told, true))
        log_warn("limits", "Redis %s: %s; shared limits are counted by this gateway alone",
                 r->conf.address, why);
}

/* The connection is gone, or will be when hiredis has left its callback. */
static void lost(struct limit_redis *r, const char *why)
{
    r->context = NULL;
    if (r->sha[0])
        atomic_fetch_sub_explicit(&r->status->connected, 1, memory_order_relaxed);
    r->sha[0] = '\0';
    r->failures = r->calls = 0;
    atomic_fetch_add_explicit(&r->status->failures, 1, memory_order_relaxed);
    tell(r, false, why);
    set_timer(r, r->pause_ms);
    r->pause_ms = r->pause_ms * 2 < LONGEST_PAUSE_MS ? r->pause_ms * 2 : LONGEST_PAUSE_MS;
}

static void drop(struct limit_redis *r, const char *why)
{
    redisAsyncContext *c = r->context;

    if (!c)
        return;
    lost(r, why);
    c->data = NULL;
    redisAsyncFree(c);
}

/* Several in a row are as good as no connection. */
static void count_failure(struct limit_redis *r, const char *why)
{
    if (++r->failures >= MOST_FAILURES)
        drop(r, why);
}

static void on_connected(const redisAsyncContext *c, int status)
{
    struct limit_redis *r = c->data;

    if (r && status != REDIS_OK)
        lost(r, "no connection");
}

static void on_disconnected(const redisAsyncContext *c, int status)
{
    struct limit_redis *r = c->data;

    (void)status;
    if (r && r->context == c)
        lost(r, "the connection broke");
}

static void on_greeted(redisAsyncContext *c, void *answer, void *arg)
{
    struct limit_redis *r = c->data;
    const redisReply *reply = answer;
    bool is_script = arg != NULL;

    if (!r || r->context != c || !reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        drop(r, reply->str);
        return;
    }
    if (!is_script || reply->type != REDIS_REPLY_STRING || (size_t)reply->len >= sizeof r->sha)
        return;
    memcpy(r->sha, reply->str, (size_t)reply->len + 1);
    event_del(r->timer);
    atomic_fetch_add_explicit(&r->status->connected, 1, memory_order_relaxed);
    tell(r, true, NULL);
}

static void greet(struct limit_redis *r)
{
    redisAsyncContext *c = r->context;
    struct token_file *password =
        r->conf.password_file ? token_file_new("limits", r->conf.password_file, NULL) : NULL;

    if (password && r->conf.username)
        redisAsyncCommand(c, on_greeted, NULL, "AUTH %s %s", r->conf.username,
                          token_file_text(password));
    else if (password)
        redisAsyncCommand(c, on_greeted, NULL, "AUTH %s", token_file_text(password));
    token_file_free(password);
    if (r->conf.database)
        redisAsyncCommand(c, on_greeted, NULL, "SELECT %u", r->conf.database);
    redisAsyncCommand(c, on_greeted, r, "SCRIPT LOAD %b", limit_script, sizeof limit_script - 1);
}

static void connect_now(struct limit_redis *r)
{
    redisAsyncContext *c = r->conf.path ? redisAsyncConnectUnix(r->conf.path)
                                        : redisAsyncConnect(r->conf.host, r->conf.port);

    if (!c || c->err || redisLibeventAttach(c, r->base) != REDIS_OK) {
        if (c)
            redisAsyncFree(c);
        lost(r, "no connection");
        return;
    }
    c->data = r;
    r->context = c;
    set_timer(r, GREETING_MS);
    redisAsyncSetConnectCallback(c, on_connected);
    redisAsyncSetDisconnectCallback(c, on_disconnected);
    greet(r);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct limit_redis *r = arg;

    (void)fd;
    (void)events;
    if (r->context)
        drop(r, r->sha[0] ? "answers come too late" : "it does not answer");
    else if (r->configured)
        connect_now(r);
}

struct limit_redis *limit_redis_new(struct event_base *base)
{
    struct limit_redis *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->base = base;
    r->timer = event_new(base, -1, 0, on_timer, r);
    if (!r->timer) {
        free(r);
        return NULL;
    }
    return r;
}

static char *copy(const char *text)
{
    char *p = text ? strdup(text) : NULL;

    if (text && !p)
        abort();
    return p;
}

static void forget(struct redis_conf *c)
{
    free((void *)(uintptr_t)c->address);
    free((void *)(uintptr_t)c->host);
    free((void *)(uintptr_t)c->path);
    free((void *)(uintptr_t)c->username);
    free((void *)(uintptr_t)c->password_file);
    free((void *)(uintptr_t)c->prefix);
    *c = (struct redis_conf){.address = NULL};
}

static void keep(struct redis_conf *to, const struct redis_conf *c)
{
    *to = *c;
    to->address = copy(c->address);
    to->host = copy(c->host);
    to->path = copy(c->path);
    to->username = copy(c->username);
    to->password_file = copy(c->password_file);
    to->prefix = copy(c->prefix);
}

static bool same_server(const struct redis_conf *a, const struct redis_conf *b)
{
    return str_same(a->address, b->address) && str_same(a->username, b->username) &&
           str_same(a->password_file, b->password_file) && a->database == b->database;
}

static void leave(struct limit_redis *r)
{
    redisAsyncContext *c = r->context;

    event_del(r->timer);
    if (r->sha[0])
        atomic_fetch_sub_explicit(&r->status->connected, 1, memory_order_relaxed);
    if (r->configured)
        atomic_fetch_sub_explicit(&r->status->workers, 1, memory_order_relaxed);
    r->context = NULL;
    r->sha[0] = '\0';
    r->calls = 0;
    r->configured = false;
    if (c) {
        c->data = NULL;
        redisAsyncFree(c);
    }
}

void limit_redis_configure(struct limit_redis *r, const struct redis_conf *c,
                           struct limit_redis_status *status)
{
    bool same = r->configured && c->address && same_server(&r->conf, c);

    r->status = status;
    if (!same)
        leave(r);
    forget(&r->conf);
    keep(&r->conf, c);
    if (same || !c->address)
        return;
    r->configured = true;
    r->pause_ms = FIRST_PAUSE_MS;
    r->failures = 0;
    atomic_fetch_add_explicit(&status->workers, 1, memory_order_relaxed);
    connect_now(r);
}

void limit_redis_free(struct limit_redis **rp)
{
    struct limit_redis *r = *rp;

    *rp = NULL;
    if (!r)
        return;
    leave(r);
    forget(&r->conf);
    event_free(r->timer);
    free(r);
}

uint64_t limit_redis_timeout_ms(const struct limit_redis *r)
{
    return r->conf.timeout_ms;
}

void limit_redis_client(const void *text, size_t n, char ret[LIMIT_REDIS_KEY_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};

    EVP_Digest(text, n, digest, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 16; i++) {
        ret[2 * i] = hex[digest[i] >> 4];
        ret[2 * i + 1] = hex[digest[i] & 15];
    }
    ret[32] = '\0';
}

/* PREFIX NAME ":" DIGEST, and for a quota ":" WINDOW. False when it is too long to be one. */
static bool prepare(struct limit_redis_call *call, unsigned i, const struct limit_redis_ask *ask)
{
    const struct limit_rule *rule = &ask->entry->rule;
    const char *prefix = call->r->conf.prefix, *name = ask->entry->conf->name;
    int64_t end_s = 0;
    int n;

    call->kinds[i] = rule->kind;
    call->shadow[i] = ask->entry->conf->shadow;
    if (rule->kind == LIMIT_RATE) {
        n = snprintf(call->keys[i], KEY_MAX, "%s%s:%s", prefix, name, ask->client);
        snprintf(call->numbers[i][0], NUMBER_MAX, "%.3f", (double)rule->interval_ns / 1000);
        snprintf(call->numbers[i][1], NUMBER_MAX, "%.3f", (double)rule->ahead_ns / 1000);
    } else {
        call->windows[i] = limit_window(rule->period, call->clock.wall_s, &end_s);
        n = snprintf(call->keys[i], KEY_MAX, "%s%s:%s:%" PRIu64, prefix, name, ask->client,
                     call->windows[i]);
        snprintf(call->numbers[i][0], NUMBER_MAX, "%" PRIu64, rule->amount);
        snprintf(call->numbers[i][1], NUMBER_MAX, "%" PRId64, end_s - call->clock.wall_s + 1);
    }
    call->lengths[i] = (size_t)n;
    return n > 0 && n < KEY_MAX;
}

static void on_answer(redisAsyncContext *c, void *answer, void *arg);

static int send_call(struct limit_redis_call *call)
{
    const char *argv[3 + MAX_REQUEST_LIMITS * 5];
    size_t lengths[ARRAY_LEN(argv)];
    char count[NUMBER_MAX];
    int argc = 3;

    snprintf(count, sizeof count, "%u", call->n);
    argv[0] = call->whole_script ? "EVAL" : "EVALSHA";
    argv[1] = call->whole_script ? limit_script : call->r->sha;
    argv[2] = count;
    for (unsigned i = 0; i < call->n; i++)
        argv[argc++] = call->keys[i];
    for (unsigned i = 0; i < call->n; i++) {
        argv[argc++] = call->kinds[i] == LIMIT_RATE ? "r" : "q";
        argv[argc++] = call->numbers[i][0];
        argv[argc++] = call->numbers[i][1];
        argv[argc++] = call->shadow[i] ? "1" : "0";
    }
    for (int i = 0; i < argc; i++)
        lengths[i] = strlen(argv[i]);
    return redisAsyncCommandArgv(call->r->context, on_answer, call, argc, argv, lengths);
}

struct limit_redis_call *limit_redis_ask(struct limit_redis *r, const struct limit_redis_ask *asks,
                                         unsigned n, const struct limit_clock *clock,
                                         limit_redis_done_fn *done, void *arg)
{
    struct limit_redis_call *call;

    if (!is_up(r) || r->calls >= MOST_CALLS || !(call = malloc(sizeof *call)))
        return NULL;
    call->r = r;
    call->done = done;
    call->arg = arg;
    call->n = n;
    call->clock = *clock;
    call->whole_script = false;
    for (unsigned i = 0; i < n; i++)
        if (!prepare(call, i, &asks[i])) {
            free(call);
            return NULL;
        }
    if (send_call(call) != REDIS_OK) {
        free(call);
        return NULL;
    }
    r->calls++;
    return call;
}

void limit_redis_give_up(struct limit_redis_call **cp, bool late)
{
    struct limit_redis_call *call = *cp;

    *cp = NULL;
    if (!call)
        return;
    call->done = NULL;
    if (!late)
        return;
    atomic_fetch_add_explicit(&call->r->status->late, 1, memory_order_relaxed);
    /* Not from here: others who wait would be called under the feet of the caller. */
    if (++call->r->failures >= MOST_FAILURES && is_up(call->r))
        event_active(call->r->timer, 0, 0);
}

/* An answer of the script as numbers of the local table; false when it is something else. */
static bool take_answer(const struct limit_redis_call *call, const redisReply *reply,
                        struct limit_redis_answer *ret)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 + 2 * (size_t)call->n)
        return false;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_INTEGER || reply->element[i]->integer < 0)
            return false;
    ret->passes = reply->element[0]->integer == 1;
    for (unsigned i = 0; i < call->n; i++) {
        uint64_t number = (uint64_t)reply->element[2 * i + 2]->integer;

        ret->each[i] = reply->element[2 * i + 1]->integer == 1;
        /* Counted from when it was asked: never more than Redis will still say. */
        ret->values[i] = call->kinds[i] == LIMIT_RATE
                             ? call->clock.now_ns + number * 1000
                             : call->windows[i] << QUOTA_COUNT_BITS | number;
        if (ret->values[i] >= LIMIT_VALUE_END - 1)
            return false;
    }
    ret->decided = true;
    return true;
}

static void finish(struct limit_redis_call *call, const struct limit_redis_answer *a)
{
    if (call->done)
        call->done(call->arg, a);
    free(call);
}

/* A Redis that was restarted has forgotten the script: the text goes along then. */
static bool send_again(struct limit_redis_call *call, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "NOSCRIPT", 8) != 0 ||
        call->whole_script || !call->done)
        return false;
    call->whole_script = true;
    return send_call(call) == REDIS_OK;
}

static void on_answer(redisAsyncContext *c, void *data, void *arg)
{
    struct limit_redis_call *call = arg;
    struct limit_redis *r = c->data;
    struct limit_redis_answer a = {.decided = false};
    const redisReply *reply = data;

    /* Without `r` the connection was given up, and perhaps with it the struct. */
    if (reply && r && send_again(call, reply))
        return;
    if (r && r->calls > 0)
        r->calls--;
    if (reply && r && !take_answer(call, reply, &a)) {
        count_failure(r, reply->type == REDIS_REPLY_ERROR ? reply->str : "an unexpected answer");
    } else if (a.decided && call->done) { /* one that is too late does not count as good */
        atomic_fetch_add_explicit(&r->status->decided, 1, memory_order_relaxed);
        r->failures = 0;
        r->pause_ms = FIRST_PAUSE_MS;
    }
    finish(call, &a);
}
