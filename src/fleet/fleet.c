/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "discovery/consul_http.h"
#include "fleet/fleet_apply.h"
#include "fleet/fleet_member.h"
#include "fleet/fleet_say.h"
#include "fleet/fleet_watch.h"
#include "json/text.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 200,
    SAY_EVERY_MS = 10000,
    CALL_MS = 5000,
    PENDING_MAX = 64,
    TIDY_AFTER_MS = 5000
};

/* A write to the store that is on its way or waits: a word, or the end of one. */
struct pending {
    struct list link;
    char *path, *body;      /* owned; body NULL = DELETE */
    uint64_t give_up_at_ns; /* nobody needs it after that */
};

struct fleet {
    struct fleet_options o; /* strings in it are owned below */
    char *prefix, *version, *address;
    struct consul_http *http;
    struct consul_get *get;    /* for one call at a time */
    enum fleet_call in_flight; /* of the member; NONE: of `pending` when busy */
    struct fleet_watch *watch;
    struct event *tick;
    struct fleet_member member;
    struct fleet_applied *applied;
    struct fleet_view *view; /* the last good one, or NULL */
    struct list pending;
    unsigned npending;
    char *said; /* what the key should say; owned */
    uint64_t say_at_ns, tidy_at_ns, journal_seen;
    bool watching; /* the last look was good */
    uint64_t heard_ns;
    int64_t heard_wall_ms;
    char call_error[256], watch_error[256];
    struct rng rng;
};

static char *copy(const char *text)
{
    char *c = strdup(text ? text : "");

    if (!c)
        abort();
    return c;
}

static char *format(const char *fmt, ...) PRINTF_LIKE(1, 2);
static char *format(const char *fmt, ...)
{
    char *text;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        abort();
    va_end(args);
    return text;
}

static void pending_drop(struct fleet *f, struct pending *p)
{
    list_remove(&p->link);
    f->npending--;
    free(p->path);
    free(p->body);
    free(p);
}

/* Takes over both texts. A later write to the same key replaces one that waits. */
static void pending_add(struct fleet *f, char *path, char *body, uint64_t give_up_at_ns)
{
    struct pending *p = alloc_or_abort(sizeof *p);

    p->path = path;
    p->body = body;
    p->give_up_at_ns = give_up_at_ns;
    list_push_back(&f->pending, &p->link);
    f->npending++;
    for (struct list *l = f->pending.next, *next = l->next; l != &p->link; l = next, next = l->next)
        if (strcmp(CONTAINER_OF(l, struct pending, link)->path, path) == 0 &&
            !(l == f->pending.next && consul_get_busy(f->get) && f->in_flight == FLEET_CALL_NONE))
            pending_drop(f, CONTAINER_OF(l, struct pending, link));
}

static char *key_path(const struct fleet *f, const char *part, const char *name)
{
    char *prefix = consul_http_encode(f->prefix), *last = consul_http_encode(name), *path;

    path = format("/v1/kv/%s/%s/%s", prefix, part, last);
    free(prefix);
    free(last);
    return path;
}

static void send_pending(struct fleet *f)
{
    struct pending *p = CONTAINER_OF(f->pending.next, struct pending, link);

    f->in_flight = FLEET_CALL_NONE;
    consul_write_start(f->get, p->body ? "PUT" : "DELETE", p->path, str_of(p->body), CALL_MS);
}

static void pending_done(struct fleet *f, const struct consul_answer *a)
{
    struct pending *p = CONTAINER_OF(f->pending.next, struct pending, link);

    if (a->status == 200) {
        f->call_error[0] = '\0';
        pending_drop(f, p);
        return;
    }
    snprintf(f->call_error, sizeof f->call_error, "%s",
             a->status == 403
                 ? "the token may not write the fleet's words: it needs key_prefix write"
                 : a->error);
    /* Tried again with a later tick, after the member's own calls. */
    if (clock_now_ns() >= p->give_up_at_ns)
        pending_drop(f, p);
}

static void say(struct fleet *f, uint64_t now_ns)
{
    struct arena *a = arena_new();
    struct fleet_gateway g = {.address = f->address, .version = f->version};
    uint64_t newest = journal_newest(registry_journal(f->o.registry));
    char *text;

    f->journal_seen = newest;
    f->say_at_ns = now_ns + SAY_EVERY_MS * NS_PER_MS;
    fleet_say(f->o.snapshot(f->o.arg), now_ns, clock_wall_ms(), a, &g);
    text = fleet_gateway_text(&g);
    arena_free(a);
    if (!f->said || strcmp(text, f->said) != 0)
        fleet_member_changed(&f->member);
    free(f->said);
    f->said = text;
}

/* Takes over the document, NULL when a name in it is no UTF-8. */
static char *to_text(json_t *doc)
{
    char *text = json_dumps(doc, JSON_COMPACT);

    json_decref(doc);
    return text ? text : copy("{}");
}

static char *session_body(const struct fleet *f)
{
    char ttl[32], name[FLEET_MEMBER_NAME_MAX + 16];

    snprintf(ttl, sizeof ttl, "%" PRIu64 "ms", f->member.session_ttl_ms);
    snprintf(name, sizeof name, "frontdesk %s", f->member.base);
    return to_text(json_pack("{s:s,s:s,s:s,s:s}", "Name", name, "TTL", ttl, "Behavior", "delete",
                             "LockDelay", "0s"));
}

static void send_member(struct fleet *f, enum fleet_call call)
{
    char *path = NULL, *body = NULL;

    switch (call) {
    case FLEET_CALL_SESSION:
        path = copy("/v1/session/create");
        body = session_body(f);
        break;
    case FLEET_CALL_KEY:
        body = key_path(f, "gateways", f->member.name);
        path = format("%s?acquire=%s", body, f->member.session);
        free(body);
        body = copy(f->said);
        break;
    case FLEET_CALL_RENEW:
        path = format("/v1/session/renew/%s", f->member.session);
        break;
    case FLEET_CALL_DESTROY:
        path = format("/v1/session/destroy/%s", f->member.session);
        break;
    case FLEET_CALL_NONE:
        break;
    }
    f->in_flight = call;
    consul_write_start(f->get, "PUT", path, str_of(body), CALL_MS);
    free(path);
    free(body);
}

static void member_done(struct fleet *f, const struct consul_answer *a)
{
    const char *problem =
        fleet_member_done(&f->member, f->in_flight, a->status, a->body, clock_now_ns(), &f->rng);

    if (problem && strcmp(problem, f->call_error) != 0)
        log_warn("fleet", "%s%s%s", problem, a->error ? ": " : "", a->error ? a->error : "");
    snprintf(f->call_error, sizeof f->call_error, "%s", problem ? problem : "");
}

static void next_call(struct fleet *f)
{
    enum fleet_call call = fleet_member_next(&f->member, clock_now_ns());

    if (consul_get_busy(f->get))
        return;
    if (call == FLEET_CALL_NONE && f->npending > 0 && f->watching && !f->member.leaving)
        send_pending(f);
    else if (call != FLEET_CALL_NONE)
        send_member(f, call);
}

static void on_call_done(void *arg, const struct consul_answer *a)
{
    struct fleet *f = arg;

    if (f->in_flight == FLEET_CALL_NONE)
        pending_done(f, a);
    else
        member_done(f, a);
    /* One that failed waits for the next tick. */
    if (a->status == 200)
        next_call(f);
}

/* Whoever sees a word whose time is over takes the key away; cas: unless it was given anew. */
static void tidy(struct fleet *f, int64_t wall_ms, uint64_t now_ns)
{
    if (now_ns < f->tidy_at_ns)
        return;
    f->tidy_at_ns = now_ns + TIDY_AFTER_MS * NS_PER_MS;
    for (size_t i = 0; i < f->view->nwords && f->npending < PENDING_MAX / 4; i++) {
        const struct fleet_word *w = &f->view->words[i];
        char *path;

        if (w->until_ms + TIDY_AFTER_MS > wall_ms || w->modify_index == 0)
            continue;
        path = key_path(f, "force", w->service);
        pending_add(f, format("%s?cas=%" PRIu64, path, w->modify_index), NULL, now_ns);
        free(path);
    }
}

/* The token that may not read the keys sees none of them, and gets no error: but our own key is
 * there while we hold it. */
static bool sees_itself(const struct fleet *f)
{
    return f->member.holds_key && fleet_view_gateway(f->view, f->member.name);
}

static void on_view(void *arg, struct fleet_view *v, bool complete, const char *error)
{
    struct fleet *f = arg;
    uint64_t now_ns = clock_now_ns();
    int64_t wall_ms = clock_wall_ms();

    if (!v) {
        if (f->watching)
            log_warn("fleet", "the other gateways cannot be seen: %s", error ? error : "");
        f->watching = false;
        snprintf(f->watch_error, sizeof f->watch_error, "%s", error ? error : "no answer");
        return;
    }
    if (!f->watching && f->watch_error[0])
        log_info("fleet", "the other gateways are seen again");
    f->watching = true;
    f->watch_error[0] = '\0';
    f->heard_ns = now_ns;
    f->heard_wall_ms = wall_ms;
    fleet_view_free(f->view);
    f->view = v;
    fleet_apply(f->applied, v, complete && sees_itself(f), now_ns, wall_ms);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct fleet *f = arg;
    uint64_t now_ns = clock_now_ns();
    int64_t wall_ms = clock_wall_ms();

    (void)fd;
    (void)what;
    if (f->member.leaving) {
        next_call(f);
        return;
    }
    if (now_ns >= f->say_at_ns ||
        journal_newest(registry_journal(f->o.registry)) != f->journal_seen)
        say(f, now_ns);
    if (f->view) {
        fleet_apply(f->applied, f->view, false, now_ns, wall_ms);
        tidy(f, wall_ms, now_ns);
    }
    next_call(f);
}

struct fleet *fleet_new(const struct fleet_options *o, struct err *e)
{
    struct consul_http *http = consul_http_new(o->base, o->consul, e);
    struct timeval tick = {0, TICK_MS * 1000};
    char host[FLEET_MEMBER_NAME_MAX] = "frontdesk";
    struct fleet *f;

    if (!http)
        return NULL;
    f = alloc_or_abort(sizeof *f);
    f->o = *o;
    f->prefix = copy(o->conf->prefix);
    f->version = copy(o->version);
    f->address = copy(o->conf->address ? o->conf->address : o->address);
    f->http = http;
    f->get = consul_get_new(http, on_call_done, f);
    f->rng.state = clock_now_ns() ^ (uint64_t)getpid() << 32;
    list_init(&f->pending);
    if (!o->conf->name)
        gethostname(host, sizeof host - 1);
    fleet_member_init(&f->member, o->conf->name ? o->conf->name : host, o->conf->session_ttl_ms);
    f->applied = fleet_applied_new(o->registry);
    f->watch = fleet_watch_new(o->base, http, f->prefix, on_view, f);
    f->tick = event_new(o->base, -1, EV_PERSIST, on_tick, f);
    if (!f->tick)
        abort();
    event_add(f->tick, &tick);
    return f;
}

void fleet_leave(struct fleet *f)
{
    fleet_member_leave(&f->member);
    fleet_watch_free(f->watch);
    f->watch = NULL;
    next_call(f);
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    event_free(f->tick);
    fleet_watch_free(f->watch);
    consul_get_free(f->get);
    consul_http_free(f->http);
    while (f->npending > 0)
        pending_drop(f, CONTAINER_OF(f->pending.next, struct pending, link));
    fleet_applied_free(f->applied);
    fleet_view_free(f->view);
    free(f->said);
    free(f->prefix);
    free(f->version);
    free(f->address);
    free(f);
}

const char *fleet_name(const struct fleet *f)
{
    return f->member.name;
}

bool fleet_connected(const struct fleet *f)
{
    return f->watching && f->member.holds_key && f->member.failures == 0;
}

static int refuse_force(const struct fleet *f, const struct operate_request *q, struct err *e)
{
    if (q->what == OPERATE_RESET)
        return err_set(e, "reset is for one gateway; take a state back everywhere with auto");
    if (!fleet_connected(f))
        return err_set(e, "the other gateways cannot be told now: %s",
                       f->call_error[0]    ? f->call_error
                       : f->watch_error[0] ? f->watch_error
                                           : "not a member of the fleet yet");
    if (f->npending >= PENDING_MAX)
        return err_set(e, "too many words are still to be written");
    return 0;
}

int fleet_force(struct fleet *f, const char *service, const struct operate_request *q,
                struct err *e)
{
    uint64_t now_ns = clock_now_ns(), ttl_ms = q->ttl_ms ? q->ttl_ms : OPERATE_TTL_MS;
    int64_t wall_ms = clock_wall_ms();
    struct fleet_word w = {
        .service = service,
        .what = q->what,
        .at_ms = wall_ms,
        .until_ms = wall_ms + (int64_t)ttl_ms,
        .author = q->author ? q->author : "",
        .why = q->why ? q->why : "",
        .by = f->member.name,
    };

    if (refuse_force(f, q, e) < 0)
        return -1;
    if (q->what == OPERATE_AUTO) {
        fleet_take_back(f->applied, service, w.author, w.why, now_ns, wall_ms);
        pending_add(f, key_path(f, "force", service), NULL, now_ns + 60 * NS_PER_S);
    } else {
        fleet_apply_own(f->applied, &w, now_ns, wall_ms);
        pending_add(f, key_path(f, "force", service), fleet_word_text(&w),
                    now_ns + ttl_ms * NS_PER_MS);
    }
    next_call(f);
    return 0;
}

static json_t *entries_part(const struct fleet_gateway *g)
{
    json_t *list = json_array();

    for (size_t i = 0; i < g->n; i++) {
        const struct fleet_entry *e = &g->entries[i];

        json_array_append_new(list, json_pack("{s:s,s:s?,s:s,s:s,s:o,s:o}", "service", e->service,
                                              "instance", e->instance, "state", e->state, "cause",
                                              e->cause, "since", json_wall_time(e->since_ms),
                                              "until", json_wall_time(e->until_ms)));
    }
    return list;
}

static json_t *gateways_part(const struct fleet *f)
{
    json_t *list = json_array();

    for (size_t i = 0; f->view && i < f->view->ngateways; i++) {
        const struct fleet_gateway *g = &f->view->gateways[i];

        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:s,s:b,s:b,s:o,s:o,s:I}", "name", g->name,
                                        "address", g->address, "version", g->version, "self",
                                        strcmp(g->name, f->member.name) == 0, "alive", g->held,
                                        "seen", json_wall_time(f->heard_wall_ms), "open",
                                        entries_part(g), "more", (json_int_t)g->more));
    }
    return list;
}

static json_t *forced_part(const struct fleet *f)
{
    json_t *list = json_array();
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; f->view && i < f->view->nwords; i++) {
        const struct fleet_word *w = &f->view->words[i];

        if (w->until_ms > now_ms)
            json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:o,s:s,s:s,s:s}", "service",
                                                  w->service, "state", operation_word(w->what),
                                                  "at", json_wall_time(w->at_ms), "until",
                                                  json_wall_time(w->until_ms), "author", w->author,
                                                  "why", w->why, "by", w->by));
    }
    return list;
}

json_t *fleet_document(struct fleet *f)
{
    const char *error = f->call_error[0]    ? f->call_error
                        : f->watch_error[0] ? f->watch_error
                                            : NULL;

    return json_pack("{s:b,s:b,s:s,s:s?,s:I,s:I,s:o,s:o}", "enabled", 1, "connected",
                     fleet_connected(f), "name", f->member.name, "last_error", error, "skipped",
                     (json_int_t)(f->view ? f->view->skipped : 0), "writes",
                     (json_int_t)f->member.writes, "gateways", gateways_part(f), "forced",
                     forced_part(f));
}
