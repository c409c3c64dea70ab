/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/events.h"
#include "admin/documents.h"
#include "admin/event_table.h"
#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 1000,
    /* The whole table goes out in parts, the next one when this little is unread. */
    PART_BELOW = 256 << 10,
    /* What a listener may send, which is nothing. */
    MAX_INPUT = 4096,
    WRITE_TIMEOUT_S = 60,
    TRANSITIONS_AT_ONCE = 64
};

struct listener {
    struct list node;
    struct events *events;
    struct evhttp_request *req;
    struct evhttp_connection *conn;
    char *service;  /* owned; NULL = transitions of all */
    uint32_t next;  /* slot: the whole table was sent up to here */
    bool syncing;   /* more of the whole table is to come */
    bool unwatched; /* did not read: to be closed */
};

static struct listener *listener_of(struct list *node)
{
    return (struct listener *)((char *)node - offsetof(struct listener, node));
}

struct events {
    struct admin_sources *sources;
    struct event_table *table;
    struct list listeners;
    struct event *ticker;
    uint64_t told; /* id of the last transition that listeners have */
    uint64_t ticked_ns, ticked_requests;
    double rate;   /* requests per second, between the last two ticks */
    json_t *fleet; /* as last sent; owned */
};

static size_t unread(const struct listener *n)
{
    return evbuffer_get_length(bufferevent_get_output(evhttp_connection_get_bufferevent(n->conn)));
}

static void on_written(struct evhttp_connection *conn, void *arg);

/* Takes the content of `b`. */
static void send_taken(struct listener *n, struct evbuffer *b)
{
    if (evbuffer_get_length(b) == 0)
        return;
    evhttp_send_reply_chunk_with_cb(n->req, b, on_written, n);
    if (unread(n) > EVENTS_MAX_UNREAD)
        n->unwatched = true;
}

/* The same bytes for many: shared, not copied. */
static void send_shared(struct listener *n, struct evbuffer *shared)
{
    struct evbuffer *own = evbuffer_new();

    if (!own || evbuffer_add_buffer_reference(own, shared) < 0)
        abort();
    send_taken(n, own);
    evbuffer_free(own);
}

static void send_parts(struct listener *n, const struct look *l)
{
    struct evbuffer *b = evbuffer_new();

    if (!b)
        abort();
    while (n->syncing && unread(n) + evbuffer_get_length(b) < PART_BELOW)
        n->syncing = event_table_part(n->events->table, l, &n->next, b);
    send_taken(n, b);
    evbuffer_free(b);
}

static void on_written(struct evhttp_connection *conn, void *arg)
{
    struct listener *n = arg;
    struct look l;

    (void)conn;
    if (!n->syncing)
        return;
    l = look_now(n->events->sources);
    send_parts(n, &l);
}

static void add_event(struct evbuffer *b, const char *name, uint64_t id, json_t *doc)
{
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(6));

    if (text && id)
        evbuffer_add_printf(b, "event: %s\nid: %llu\ndata: ", name, (unsigned long long)id);
    else if (text)
        evbuffer_add_printf(b, "event: %s\ndata: ", name);
    if (text) {
        evbuffer_add(b, text, strlen(text));
        evbuffer_add(b, "\n\n", 2);
    }
    free(text);
    json_decref(doc);
}

static void forget(struct listener *n)
{
    struct events *e = n->events;

    list_remove(&n->node);
    e->sources->listeners--;
    if (e->sources->listeners == 0)
        event_del(e->ticker);
    free(n->service);
    free(n);
}

/* libevent has let go of a request whose peer went away: then it is ours to free. One that still
 * belongs to the connection goes with it. */
static void on_closed(struct evhttp_connection *conn, void *arg)
{
    struct listener *n = arg;
    struct evhttp_request *req = n->req;

    (void)conn;
    forget(n);
    if (!evhttp_request_get_connection(req))
        evhttp_request_free(req);
}

static void drop_unwatched(struct events *e)
{
    list_each_safe(node, next, &e->listeners)
    {
        struct listener *n = listener_of(node);

        if (!n->unwatched)
            continue;
        e->sources->listeners_dropped++;
        log_warn("admin", "a listener of /v1/events does not read: dropped with %zu bytes unread",
                 unread(n));
        evhttp_connection_free(n->conn); /* calls on_closed */
    }
}

static void close_all(struct events *e)
{
    while (!list_empty(&e->listeners)) {
        struct listener *n = listener_of(e->listeners.next);
        struct evhttp_request *req = n->req;

        evhttp_connection_set_closecb(n->conn, NULL, NULL);
        forget(n);
        evhttp_send_reply_end(req);
    }
}

static json_t *status_event(const struct events *e, const struct look *l, json_t *status)
{
    json_object_set_new(status, "now", json_integer((json_int_t)l->wall_ms));
    json_object_set_new(status, "rate", json_real(e->rate));
    return status;
}

static void measure_rate(struct events *e, const struct look *l)
{
    uint64_t elapsed_ns = l->now_ns - e->ticked_ns;

    if (elapsed_ns > 0)
        e->rate = (double)(l->workers.requests - e->ticked_requests) * 1e9 / (double)elapsed_ns;
    e->ticked_ns = l->now_ns;
    e->ticked_requests = l->workers.requests;
}

/* NULL when there is no fleet. */
static json_t *fleet_of(const struct events *e)
{
    const struct admin_sources *s = e->sources;

    return s->fleet_document ? s->fleet_document(s->arg) : NULL;
}

/* When it is not what all listeners have. */
static void add_changed_fleet(struct events *e, struct evbuffer *b)
{
    json_t *doc = fleet_of(e);

    if (!doc || (e->fleet && json_equal(e->fleet, doc))) {
        json_decref(doc);
        return;
    }
    json_decref(e->fleet);
    e->fleet = json_incref(doc);
    add_event(b, "fleet", 0, doc);
}

static void tick(struct events *e)
{
    struct look l = look_now(e->sources);
    struct evbuffer *b = evbuffer_new();
    const struct service_row *rows;
    size_t n;

    if (!b)
        abort();
    measure_rate(e, &l);
    event_table_refresh(e->table, &l, false);
    event_table_changes(e->table, &l, b);
    rows = event_table_rows(e->table, &n);
    add_event(b, "status", 0, status_event(e, &l, status_document_of(&l, rows, n)));
    add_changed_fleet(e, b);
    list_each(node, &e->listeners)
    {
        send_shared(listener_of(node), b);
        send_parts(listener_of(node), &l);
    }
    evbuffer_free(b);
    drop_unwatched(e);
    if (l.workers.draining)
        close_all(e);
}

static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    tick(arg);
}

static bool wants(const struct listener *n, const struct transition *t)
{
    return !n->service || strcmp(n->service, t->service) == 0;
}

static void add_transition(struct evbuffer *b, const struct transition *t)
{
    add_event(b, "transition", t->id, transition_json(t));
}

static void tell(struct events *e, const struct transition *t)
{
    struct evbuffer *b = evbuffer_new();

    if (!b)
        abort();
    add_transition(b, t);
    list_each(node, &e->listeners) if (wants(listener_of(node), t))
        send_shared(listener_of(node), b);
    evbuffer_free(b);
}

static void tell_rows(struct events *e, const struct look *l)
{
    struct evbuffer *b = evbuffer_new();

    if (!b)
        abort();
    event_table_changes(e->table, l, b);
    list_each(node, &e->listeners) send_shared(listener_of(node), b);
    evbuffer_free(b);
}

void events_wake(struct events *e)
{
    struct registry *registry = e->sources->registry;
    struct journal *journal = registry_journal(registry);
    struct transition *some;
    struct look l;
    size_t n;

    if (e->sources->listeners == 0 || journal_newest(journal) == e->told)
        return;
    some = alloc_or_abort(sizeof *some * TRANSITIONS_AT_ONCE);
    l = look_now(e->sources);
    while ((n = journal_read(journal, e->told, some, TRANSITIONS_AT_ONCE, NULL)) > 0) {
        for (size_t i = 0; i < n; i++) {
            struct service_state *s = registry_find(registry, some[i].service);

            tell(e, &some[i]);
            if (s)
                event_table_touch(e->table, &l, s->slot);
        }
        e->told = some[n - 1].id;
    }
    free(some);
    tell_rows(e, &l);
    drop_unwatched(e);
}

/* Those that this listener has missed. An id from before a restart is no id of this journal. */
static uint64_t add_missed(struct events *e, struct listener *n, const char *after,
                           struct evbuffer *b)
{
    struct journal *journal = registry_journal(e->sources->registry);
    struct transition *all;
    uint64_t from, lost = 0;
    size_t count;

    if (!after || !str_to_u64(str_of(after), &from))
        return 0;
    if (from > journal_newest(journal))
        from = 0;
    all = alloc_or_abort(sizeof *all * JOURNAL_KEPT);
    count = journal_read(journal, from, all, JOURNAL_KEPT, &lost);
    for (size_t i = 0; i < count && all[i].id <= e->told; i++)
        if (wants(n, &all[i]))
            add_transition(b, &all[i]);
    free(all);
    return lost;
}

static void add_hello(struct events *e, const struct look *l, bool writable, uint64_t lost,
                      struct evbuffer *b)
{
    const struct config *config = e->sources->config(e->sources->arg);
    char host[256] = "";

    gethostname(host, sizeof host - 1);
    add_event(b, "hello", 0,
              json_pack("{s:s,s:o,s:I,s:I,s:i,s:b,s:b,s:i,s:i,s:I}", "version", e->sources->version,
                        "gateway", json_text(config->fleet.name ? config->fleet.name : host), "now",
                        (json_int_t)l->wall_ms, "started", (json_int_t)e->sources->started_wall_ms,
                        "tick_ms", TICK_MS, "writable", writable, "fleet",
                        e->sources->fleet_document != NULL, "history_s",
                        SERIES_STEPS * SERIES_STEP_S, "history_step_s", SERIES_STEP_S, "lost",
                        (json_int_t)lost));
}

static void greet(struct events *e, struct listener *n, const struct look *l, bool writable,
                  const char *after)
{
    struct evbuffer *missed = evbuffer_new(), *b = evbuffer_new();
    uint64_t lost;
    json_t *fleet;

    if (!missed || !b)
        abort();
    lost = add_missed(e, n, after, missed);
    add_hello(e, l, writable, lost, b);
    evbuffer_add_buffer(b, missed);
    add_event(b, "status", 0, status_event(e, l, status_document(l)));
    fleet = fleet_of(e);
    if (fleet)
        add_event(b, "fleet", 0, fleet);
    send_taken(n, b);
    send_parts(n, l);
    evbuffer_free(missed);
    evbuffer_free(b);
}

static void first_listener(struct events *e, const struct look *l)
{
    struct timeval period = {TICK_MS / 1000, TICK_MS % 1000 * 1000};

    event_table_refresh(e->table, l, true);
    e->told = journal_newest(registry_journal(e->sources->registry));
    e->rate = 0;
    e->ticked_ns = l->now_ns;
    e->ticked_requests = l->workers.requests;
    event_add(e->ticker, &period);
}

static struct listener *add_listener(struct events *e, struct evhttp_request *req,
                                     const char *service)
{
    struct listener *n = alloc_or_abort(sizeof *n);
    struct timeval write_timeout = {WRITE_TIMEOUT_S, 0};
    struct bufferevent *bev;

    n->events = e;
    n->req = req;
    n->conn = evhttp_request_get_connection(req);
    n->service = service ? strdup(service) : NULL;
    n->syncing = true;
    list_push_back(&e->listeners, &n->node);
    e->sources->listeners++;
    bev = evhttp_connection_get_bufferevent(n->conn);
    bufferevent_set_timeouts(bev, NULL, &write_timeout);
    bufferevent_setwatermark(bev, EV_READ, 0, MAX_INPUT);
    evhttp_connection_set_closecb(n->conn, on_closed, n);
    return n;
}

bool events_open(struct events *e, struct evhttp_request *req, const char *service,
                 const char *after, bool writable, struct page_answer *a)
{
    struct evkeyvalq *fields = evhttp_request_get_output_headers(req);
    struct look l = look_now(e->sources);
    struct listener *n;

    if (l.workers.draining || e->sources->listeners >= EVENTS_MAX_LISTENERS) {
        pages_refuse(a, 503, l.workers.draining ? "draining" : "too_many_listeners",
                     l.workers.draining ? "the gateway is shutting down"
                                        : "32 listeners are connected already");
        a->retry_after = 5;
        return false;
    }
    if (e->sources->listeners == 0)
        first_listener(e, &l);
    else
        events_wake(e);
    evhttp_add_header(fields, "Content-Type", "text/event-stream");
    evhttp_add_header(fields, "Connection", "close");
    n = add_listener(e, req, service);
    evhttp_send_reply_start(req, 200, "OK");
    greet(e, n, &l, writable, after);
    return true;
}

struct events *events_new(struct event_base *base, struct admin_sources *s)
{
    struct events *e = alloc_or_abort(sizeof *e);

    e->sources = s;
    e->table = event_table_new();
    list_init(&e->listeners);
    e->ticker = event_new(base, -1, EV_PERSIST, on_tick, e);
    if (!e->ticker)
        abort();
    return e;
}

void events_free(struct events *e)
{
    if (!e)
        return;
    event_free(e->ticker);
    event_table_free(e->table);
    json_decref(e->fleet);
    free(e);
}
