/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/cached.h"
#include "base/clock.h"
#include "cache/pending.h"
#include "proxy/cache_refresh.h"
#include "proxy/capture.h"
#include "proxy/proxy_internal.h"
#include "proxy/reply.h"
#include "proxy/stored_reply.h"
#include "proxy/subrequest.h"

#include <stdlib.h>

static const struct route_cache_conf *conf_of(const struct exchange *x)
{
    return x->match.route->conf->cache;
}

/* A part of an answer, or one under a condition about bodies, is for the service. */
static bool is_eligible(const struct exchange *x)
{
    static const struct str names[] = {STR("range"), STR("if-match"), STR("if-unmodified-since"),
                                       STR("if-range")};

    if ((x->req.method != METHOD_GET && x->req.method != METHOD_HEAD) || x->preflight ||
        x->req.framing != FRAMING_NONE || x->req.upgrade_websocket || !x->service)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (request_header_named(&x->req, names[i]))
            return false;
    return true;
}

static struct cached *begin(struct exchange *x)
{
    struct cache_key key;

    x->cached = calloc(1, sizeof *x->cached);
    if (!x->cached)
        return NULL;
    capture_key(x, &key);
    x->cached->x = x;
    x->cached->hash = cache_key_hash(proxy_cache(x->w->proxy), &key);
    return x->cached;
}

/* What the client will not take, as far as it is obeyed. */
static bool client_wants_newer(const struct exchange *x, int64_t age_s)
{
    struct cache_control asked;
    const struct header *pragma;

    if (!conf_of(x)->obeys_clients)
        return false;
    asked = cache_control_of(x->req.headers, x->req.nheaders);
    pragma = request_header_named(&x->req, STR("pragma"));
    return asked.no_cache || asked.no_store || (asked.max_age >= 0 && age_s > asked.max_age) ||
           (pragma && str_ieq(pragma->value, STR("no-cache")));
}

static int64_t stale_window_s(const struct exchange *x, const struct cache_entry *e)
{
    if (e->fresh.must_revalidate)
        return 0;
    return e->fresh.stale_while_revalidate_s >= 0
               ? e->fresh.stale_while_revalidate_s
               : (int64_t)(conf_of(x)->stale_while_revalidate_ms / 1000);
}

static bool has_validator(const struct cache_entry *e)
{
    return e->etag.n > 0 || e->last_modified.n > 0;
}

/* Takes the stored answer, if there is one, and says what it is good for. */
static enum cached_state look(struct exchange *x, struct cached *c)
{
    struct cache_key key;
    int64_t age, past;

    cache_unref(&c->entry);
    c->conditional = false;
    capture_key(x, &key);
    c->entry = cache_find_stored(proxy_cache(x->w->proxy), &key, &x->req);
    if (!c->entry)
        return CACHED_MISS;
    age = cache_age_s(c->entry, x->w->now_ns);
    past = age - c->entry->fresh.lifetime_s;
    if (!client_wants_newer(x, age)) {
        if (past < 0)
            return CACHED_HIT;
        /* Nobody can be asked on behalf of who is not there. */
        if (key.who.n == 0 && past < stale_window_s(x, c->entry))
            return CACHED_STALE;
    }
    c->conditional = has_validator(c->entry);
    return CACHED_MISS;
}

static enum verdict answer(struct exchange *x, enum cached_state state)
{
    x->cached->state = state;
    x->step_deadline_ns = 0;
    return V_FINISH;
}

/* V_NEXT: this request fetches it. */
static enum verdict fetch_or_wait(struct exchange *x, struct cached *c)
{
    uint64_t ms = conf_of(x)->wait_ms;

    x->step_deadline_ns = 0;
    if (ms == 0 || c->waited || x->req.method != METHOD_GET)
        return V_NEXT;
    switch (pending_claim(proxy_pending(x->w->proxy), c->hash, true)) {
    case PENDING_FIRST:
        c->leads = true;
        return V_NEXT;
    case PENDING_FULL:
        return V_NEXT;
    case PENDING_TAKEN:
        break;
    }
    c->waited = true;
    c->listed = true;
    list_push_back(&x->w->cache_waiters, &c->node);
    exchange_wait(x, ms, REASON_INTERNAL);
    /* It may have been over before this one was in the list. */
    if (!pending_has(proxy_pending(x->w->proxy), c->hash))
        x->woken = true;
    return V_WAIT;
}

static void leave_list(struct cached *c)
{
    if (!c->listed)
        return;
    list_remove(&c->node);
    c->listed = false;
    pending_leave(proxy_pending(c->x->w->proxy));
}

/* Woken for another reason? */
static bool still_waits(const struct exchange *x, const struct cached *c)
{
    return c->listed && !c->timed_out && pending_has(proxy_pending(x->w->proxy), c->hash);
}

enum verdict cached_look_up(struct exchange *x)
{
    const struct route_cache_conf *conf = conf_of(x);
    struct cached *c = x->cached;
    enum cached_state state;

    if (!conf || !is_eligible(x))
        return V_NEXT;
    if (x->conn->inner && subrequest_refresh(x->conn->inner))
        return cache_refresh_take(x);
    if (c && still_waits(x, c))
        return V_WAIT;
    if (!c && !(c = begin(x)))
        return V_NEXT;
    leave_list(c);
    state = look(x, c);
    if (state == CACHED_STALE)
        cache_refresh_begin(x);
    return state == CACHED_MISS ? fetch_or_wait(x, c) : answer(x, state);
}

bool cached_validated(struct exchange *x)
{
    struct cached *c = x->cached;
    const struct attempt *a = x->attempt;
    struct cache_entry *now;
    struct freshness fresh;

    if (!c->conditional || a->resp.status != 304)
        return false;
    capture_freshness(x, &a->resp, &fresh);
    now =
        cache_freshen(proxy_cache(x->w->proxy), c->entry, &x->req, &a->resp, &fresh, x->w->now_ns);
    if (now) {
        cache_unref(&c->entry);
        c->entry = now;
    }
    c->state = CACHED_VALIDATED;
    /* All of it has been read: the connection can be used again. */
    a->up->in->start += a->resp_head_bytes;
    x->status = 304;
    cached_release(x);
    return true;
}

void cached_release(struct exchange *x)
{
    struct cached *c = x->cached;

    leave_list(c);
    if (!c->leads)
        return;
    c->leads = false;
    proxy_fetched(x->w->proxy, c->hash);
}

void cached_free(struct exchange *x)
{
    cached_release(x);
    cache_unref(&x->cached->entry);
    free(x->cached);
    x->cached = NULL;
}

void cached_resume(struct worker *w)
{
    list_each(node, &w->cache_waiters)
    {
        struct cached *c = CONTAINER_OF(node, struct cached, node);

        if (!pending_has(proxy_pending(w->proxy), c->hash))
            event_active(&c->x->conn->sock.ev, EV_TIMEOUT, 0);
    }
}

struct str cached_reply(struct exchange *x)
{
    struct writer w = {x->out, false};
    size_t begin = x->out->end;
    const char *detail = x->cached->state == CACHED_STALE       ? "stale-while-revalidate"
                         : x->cached->state == CACHED_VALIDATED ? "revalidated"
                                                                : NULL;
    struct str body = stored_reply(x, &w, x->cached->entry, detail);

    head_write_changes(x, &w);
    writer_lit(&w, "\r\n");
    if (!w.overflow)
        return body;
    /* A stored head as large as the buffer, with what is added here. */
    x->out->end = begin;
    x->fail = REASON_INTERNAL;
    reply_failure(x);
    return STR_NULL;
}

bool cached_replaces_request_field(const struct exchange *x, struct str name)
{
    return x->cached->conditional &&
           (str_ieq(name, STR("if-none-match")) || str_ieq(name, STR("if-modified-since")));
}

void cached_write_request_fields(const struct exchange *x, struct writer *w)
{
    const struct cache_entry *e = x->cached->entry;

    if (!x->cached->conditional)
        return;
    if (e->etag.n > 0)
        writer_field(w, STR("If-None-Match"), e->etag);
    if (e->last_modified.n > 0)
        writer_field(w, STR("If-Modified-Since"), e->last_modified);
}

void cached_write_response_fields(const struct exchange *x, struct writer *w)
{
    if (x->cached->state != CACHED_MISS)
        return;
    writer_lit(w, "Cache-Status: frontdesk; fwd=");
    writer_str(w, x->cached->entry ? STR("stale") : STR("uri-miss"));
    if (x->capture)
        writer_lit(w, "; stored");
    writer_lit(w, "\r\n");
}

const char *cached_word(const struct exchange *x)
{
    static const char *const words[] = {[CACHED_MISS] = "miss",
                                        [CACHED_HIT] = "hit",
                                        [CACHED_STALE] = "stale",
                                        [CACHED_VALIDATED] = "validated"};

    return x->cached ? words[x->cached->state] : NULL;
}
