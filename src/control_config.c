/* SPDX-License-Identifier: Apache-2.0 */
#include "control_config.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/kv_rows.h"
#include "control_config_state.h"
#include "control_discovery.h"
#include "control_kv.h"
#include "discovery/consul_http.h"
#include "json/text.h"

#include <event2/event.h>
#include <inttypes.h>
#include <string.h>

enum { GATHER_MS = 200 };

enum origin { FROM_NOWHERE, FROM_DISK, FROM_CONSUL };

/* What the prefix held at one time. */
struct version {
    char *prefix; /* owned, as all here */
    struct config_documents *documents;
    uint64_t index;          /* the highest ModifyIndex */
    bool marked, unfinished; /* see kv_rows.h */
    struct bytes body;       /* as Consul sent it */
};

struct control_config {
    struct control_config_options o;
    struct event_base *base;        /* borrowed; NULL before the start */
    struct config_documents *files; /* owned: those in force */
    struct config *watched;         /* ref: whose `consul:` the watch follows; NULL = none */
    struct consul_http *http;       /* owned, as all below */
    struct kv_watch *watch;
    struct event *timer; /* a fresh version is to be tried */
    struct config_state *state;
    struct version *good;                 /* in force; NULL = no documents are */
    struct version *fresh;                /* heard, and not in force: it waits, or was refused */
    enum origin origin;                   /* of `good` */
    int64_t since_ms, saved_ms, heard_ms; /* wall clock; 0 = never */
    bool refused;                         /* Consul has another version than what is in force */
    bool away;                            /* the last request failed */
    char error[1024];                     /* of either; "" = all is well */
};

static void version_free(struct version **v)
{
    struct version *old = *v;

    *v = NULL;
    if (!old)
        return;
    documents_free(&old->documents);
    bytes_free(&old->body);
    free(old->prefix);
    free(old);
}

/* Takes the rows over. */
static struct version *version_of(struct kv_rows *rows, const char *prefix, struct err *e)
{
    struct config_documents *d = rows ? kv_rows_documents(rows, prefix, e) : NULL;
    struct version *v = NULL;

    if (d) {
        v = alloc_or_abort(sizeof *v);
        v->prefix = strdup(prefix);
        v->documents = d;
        if (!v->prefix)
            abort();
        v->index = rows->index;
        v->marked = kv_rows_find(rows, KV_MARK) != NULL;
        v->unfinished = kv_rows_are_unfinished(rows);
    }
    kv_rows_free(&rows);
    return v;
}

static bool same_documents(const struct version *a, const struct version *b)
{
    const struct config_documents *x = a->documents, *y = b->documents;

    if (x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++)
        if (strcmp(x->list[i].name, y->list[i].name) != 0 ||
            !str_eq(x->list[i].text, y->list[i].text))
            return false;
    return true;
}

static const char *prefix_of(const struct control_config *c)
{
    return c->watched->consul.config_prefix;
}

static void complain(struct control_config *c, const char *what, const char *why)
{
    snprintf(c->error, sizeof c->error, "%s%.900s", what, why);
    log_error("control", "configuration in Consul: %s", c->error);
}

/* No mistake: a push of several transactions is under way. */
static void await_the_rest(struct control_config *c)
{
    snprintf(c->error, sizeof c->error,
             "a push has not come to its end yet, what was there before stays in force");
    log_info("control", "configuration in Consul: %s", c->error);
}

static const struct config_documents *documents_of(const struct version *v)
{
    return v ? v->documents : NULL;
}

/* These files and documents come into force together, or nothing changes. */
static int put_into_force(struct control_config *c, const struct config_documents *files,
                          const struct version *v, struct err *e)
{
    struct config *next = config_join(c->o.dir, files, documents_of(v), e);

    if (next && c->o.apply(c->o.arg, next, e) == 0)
        return 0;
    config_unref(&next);
    return -1;
}

/* `fresh` is in force. */
static void use_fresh(struct control_config *c)
{
    version_free(&c->good);
    c->good = c->fresh;
    c->fresh = NULL;
    c->origin = FROM_CONSUL;
    c->since_ms = clock_wall_ms();
    c->refused = false;
    c->error[0] = '\0';
    config_state_put(c->state, c->good->prefix, bytes_str(&c->good->body));
    log_info("control", "configuration in Consul: %zu documents in force, index %" PRIu64,
             c->good->documents->n, c->good->index);
}

/* Consul has just what is in force. */
static void confirm_good(struct control_config *c)
{
    bool first = c->origin != FROM_CONSUL;

    c->good->index = c->fresh->index;
    c->good->marked = c->fresh->marked;
    version_free(&c->fresh);
    c->origin = FROM_CONSUL;
    if (c->refused || c->error[0])
        log_info("control", "configuration in Consul: as it is in force, index %" PRIu64,
                 c->good->index);
    else if (first)
        log_info("control", "configuration in Consul: as on disk, index %" PRIu64, c->good->index);
    c->refused = false;
    c->error[0] = '\0';
}

static void try_fresh(struct control_config *c)
{
    struct err e;

    if (c->good && same_documents(c->good, c->fresh)) {
        confirm_good(c);
    } else if (put_into_force(c, c->files, c->fresh, &e) == 0) {
        use_fresh(c);
    } else {
        c->refused = true;
        complain(c,
                 c->good ? "refused, what was there before stays in force: " : "refused: ", e.text);
    }
    c->o.changed(c->o.arg);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct control_config *c = arg;

    (void)fd;
    (void)events;
    if (c->fresh)
        try_fresh(c);
}

static bool vanished(const struct control_config *c, const struct version *v)
{
    return v->documents->n == 0 && !v->marked && c->good && c->good->documents->n > 0;
}

/* Another body, which may be of the past unless it is complete. False: it is not taken. */
static bool take(struct control_config *c, struct str body, bool complete)
{
    struct timeval wait = {0, c->good ? GATHER_MS * 1000 : 0};
    struct err e;
    struct version *v;

    if (!complete && c->good)
        return false;
    v = version_of(kv_rows_parse(body, prefix_of(c), &e), prefix_of(c), &e);
    version_free(&c->fresh);
    c->refused = !v || v->unfinished || vanished(c, v);
    if (!v)
        complain(c, "refused: ", e.text);
    else if (v->unfinished)
        await_the_rest(c);
    else if (c->refused)
        complain(c, "all keys are gone, what was there before stays in force. If that is meant, ",
                 "push an empty folder, or write the key " KV_MARK " below the prefix");
    if (c->refused) {
        version_free(&v);
        return true;
    }
    if (!bytes_add_str(&v->body, body))
        abort();
    c->fresh = v;
    if (!evtimer_pending(c->timer, NULL))
        evtimer_add(c->timer, &wait);
    return true;
}

/* What is refused is the greater trouble. */
static void cannot_read(struct control_config *c, const char *error, bool first)
{
    if (c->refused)
        return;
    snprintf(c->error, sizeof c->error, "cannot be read: %.900s", error);
    if (first)
        log_error("control", "configuration in Consul: %s", c->error);
}

static bool on_news(void *arg, enum kv_news news, struct str body, bool complete, const char *error)
{
    struct control_config *c = arg;
    bool was_away = c->away;

    c->away = news == KV_FAILED;
    if (news == KV_FAILED) {
        cannot_read(c, error, !was_away);
        return true;
    }
    c->heard_ms = clock_wall_ms();
    if (was_away && !c->refused) {
        c->error[0] = '\0';
        log_info("control", "configuration in Consul: can be read again");
    }
    return news == KV_CHANGED ? take(c, body, complete) : true;
}

static void stop_watching(struct control_config *c)
{
    kv_watch_free(c->watch);
    consul_http_free(c->http);
    config_unref(&c->watched);
    c->watch = NULL;
    c->http = NULL;
    c->away = false;
    if (c->timer)
        event_del(c->timer);
}

static bool same_watch(const struct control_config *c, const struct config *next)
{
    return c->watched && control_discovery_same(c->watched, next) &&
           str_same(c->watched->consul.config_prefix, next->consul.config_prefix);
}

/* What is in force stays until the new place has answered. */
static void watch(struct control_config *c, struct config *now)
{
    struct discovery_options o = control_discovery_options(now);
    /* A server that lags would show a gateway that starts the configuration before the last push,
     * or none: nobody waits for an answer while there is no leader, since what is known stays. */
    struct kv_options kv = {now->consul.config_prefix, false, now->consul.wait_ms};
    struct err e;

    stop_watching(c);
    version_free(&c->fresh);
    c->heard_ms = 0;
    c->refused = false;
    c->error[0] = '\0';
    c->watched = config_ref(now);
    c->http = consul_http_new(c->base, &o, &e);
    /* The settings were good enough for discovery, which comes first. */
    if (c->http)
        c->watch = kv_watch_new(c->base, c->http, &kv, on_news, c);
    else
        complain(c, "cannot be read: ", e.text);
}

static void forget_documents(struct control_config *c)
{
    stop_watching(c);
    version_free(&c->good);
    version_free(&c->fresh);
    c->origin = FROM_NOWHERE;
    c->since_ms = c->saved_ms = c->heard_ms = 0;
    c->refused = false;
    c->error[0] = '\0';
}

/* Where the good ones are kept. */
static void use_state(struct control_config *c, const struct config *now)
{
    const char *dir = now->consul.config_prefix ? now->state_dir : NULL;

    if (config_state_is_in(c->state, dir))
        return;
    config_state_free(c->state);
    c->state = dir ? config_state_new(c->base, dir, "config") : NULL;
    if (c->good && c->origin == FROM_CONSUL)
        config_state_put(c->state, c->good->prefix, bytes_str(&c->good->body));
}

static void start_from_disk(struct control_config *c, const struct config *now)
{
    const char *prefix = now->consul.config_prefix;
    struct err e = {""};
    struct kv_rows *rows = config_state_read(now->state_dir, "config", prefix, &c->saved_ms);
    struct version *v = rows ? version_of(rows, prefix, &e) : NULL;
    char when[32];

    if (!v)
        return;
    if (put_into_force(c, c->files, v, &e) < 0) {
        log_warn("control", "the configuration on disk is not used: %s", e.text);
        version_free(&v);
        return;
    }
    c->good = v;
    c->origin = FROM_DISK;
    c->since_ms = clock_wall_ms();
    clock_format(c->saved_ms, when);
    log_info("control", "configuration in Consul: %zu documents from disk, as they were %s",
             v->documents->n, when);
}

struct control_config *control_config_new(const struct control_config_options *o)
{
    struct control_config *c = alloc_or_abort(sizeof *c);

    c->o = *o;
    return c;
}

void control_config_free(struct control_config *c)
{
    if (!c)
        return;
    forget_documents(c);
    config_state_free(c->state);
    if (c->timer)
        event_free(c->timer);
    documents_free(&c->files);
    free(c);
}

struct config *control_config_first(struct control_config *c, struct err *e)
{
    c->files = documents_read(c->o.dir, false, e);
    return c->files ? config_join(c->o.dir, c->files, NULL, e) : NULL;
}

void control_config_start(struct control_config *c, struct event_base *base, struct config *now)
{
    c->base = base;
    c->timer = evtimer_new(base, on_timer, c);
    if (!c->timer)
        abort();
    if (!now->consul.config_prefix)
        return;
    config_ref(now); /* another one may take its place */
    if (now->state_dir)
        start_from_disk(c, now);
    watch(c, now);
    use_state(c, now);
    config_unref(&now);
}

/* The newest documents that do with these files. */
static int reload_documents(struct control_config *c, const struct config_documents *files,
                            struct err *e)
{
    bool fresh = c->fresh != NULL;

    if (fresh && put_into_force(c, files, c->fresh, e) == 0) {
        use_fresh(c);
        return 0;
    }
    if (fresh)
        complain(c, "refused, what was there before stays in force: ", e->text);
    c->refused |= fresh;
    return put_into_force(c, files, c->good, e);
}

int control_config_reload(struct control_config *c, struct err *e)
{
    struct config_documents *files = documents_read(c->o.dir, false, e);
    struct config *alone = files ? config_join(c->o.dir, files, NULL, e) : NULL;
    bool documents = alone && alone->consul.config_prefix;
    int rc = -1;

    if (documents)
        rc = reload_documents(c, files, e);
    else if (alone)
        rc = put_into_force(c, files, NULL, e);
    if (rc < 0) {
        config_unref(&alone);
        documents_free(&files);
        return -1;
    }
    documents_free(&c->files);
    c->files = files;
    if (!documents)
        forget_documents(c);
    else if (!same_watch(c, alone))
        watch(c, alone);
    use_state(c, alone);
    config_unref(&alone);
    return 0;
}

void control_config_stop(struct control_config *c)
{
    kv_watch_free(c->watch);
    c->watch = NULL;
    if (c->timer)
        event_del(c->timer);
}

const char *control_config_awaited(const struct control_config *c)
{
    if (!c->watched || c->good)
        return NULL;
    return c->refused ? "configuration unknown: what is in Consul was refused"
                      : "configuration unknown: Consul has not said it yet";
}

json_t *control_config_document(const struct control_config *c)
{
    static const char *const origins[] = {"none", "disk", "consul"};

    if (!c->watched)
        return json_null();
    return json_pack(
        "{s:s,s:s,s:I,s:I,s:o,s:o,s:o,s:b,s:b,s:o}", "prefix", prefix_of(c), "source",
        origins[c->origin], "documents", (json_int_t)(c->good ? c->good->documents->n : 0), "index",
        (json_int_t)(c->good ? c->good->index : 0), "since", json_wall_time(c->since_ms), "saved",
        c->origin == FROM_DISK ? json_wall_time(c->saved_ms) : json_null(), "heard",
        json_wall_time(c->heard_ms), "connected", c->heard_ms && !c->away, "refused", c->refused,
        "last_error", c->error[0] ? json_text(c->error) : json_null());
}
