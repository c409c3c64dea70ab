/* SPDX-License-Identifier: Apache-2.0 */
#include "control_kv.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "discovery/consul_http.h"
#include "discovery/watch.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CONFIRM_MS = 10000 };

struct kv_watch {
    struct consul_http *http; /* borrowed */
    struct consul_get *get;   /* owned */
    struct event *timer;      /* owned */
    char *path;               /* owned; encoded */
    bool folder;              /* the prefix ends in a slash */
    bool stale;
    struct watch_options options;
    struct watch watch;
    struct watch_request next;
    bool confirming; /* `empty` is, see on_answer() */
    struct watch_answer empty;
    struct rng rng;
    kv_news_fn *fn;
    void *arg;
};

static void schedule(struct kv_watch *w)
{
    struct timeval tv = {(time_t)(w->next.delay_ms / 1000),
                         (suseconds_t)(w->next.delay_ms % 1000 * 1000)};

    evtimer_add(w->timer, &tv);
}

static void ask(struct kv_watch *w, const char *query, uint64_t deadline_ms)
{
    const char *stale = !w->stale ? "" : strchr(query, '?') ? "&stale" : "?stale";
    char path[1024];

    snprintf(path, sizeof path, "/v1/kv/%s%s%s", w->path, query, stale);
    consul_get_start(w->get, path, deadline_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct kv_watch *w = arg;
    char query[96] = "?recurse";

    (void)fd;
    (void)what;
    if (w->next.index)
        snprintf(query, sizeof query, "?recurse&index=%" PRIu64 "&wait=%" PRIu64 "ms",
                 w->next.index, w->next.wait_ms);
    ask(w, query, watch_deadline_ms(&w->next));
}

/* 404 is "nothing there", and as good as 200. */
static enum watch_result result_of(const struct consul_answer *a)
{
    switch (a->status) {
    case 200:
        return a->error ? WATCH_FAILED : WATCH_GOOD;
    case 404:
        return a->has_index ? WATCH_GOOD : WATCH_FAILED;
    case 403:
        return WATCH_DENIED;
    case 429:
        return WATCH_LIMITED;
    case 0:
        return a->refused ? WATCH_REFUSED : WATCH_FAILED;
    default:
        return WATCH_FAILED;
    }
}

static void tell_failure(struct kv_watch *w, const struct consul_answer *a)
{
    char text[64];

    if (a->renewed)
        return;
    snprintf(text, sizeof text, "Consul answers with status %d", a->status);
    w->fn(w->arg, KV_FAILED, STR_NULL, false, a->error ? a->error : text);
}

static void take(struct kv_watch *w, const struct watch_answer *in, const struct consul_answer *a,
                 struct str body)
{
    struct watch_reply reply;
    uint64_t now = clock_now_ns();

    watch_take(&w->watch, &w->options, in, now, &w->rng, &reply);
    if (reply.reload_token)
        consul_http_refresh_token(w->http, true);
    if (in->result != WATCH_GOOD)
        tell_failure(w, a);
    else if (!w->fn(w->arg, reply.publish ? KV_CHANGED : KV_SAME, body, reply.complete, NULL))
        watch_hold(&w->watch, &w->options, 0, now, &w->rng, &reply);
    w->next = reply.next;
    schedule(w);
}

/* Who may not read is told of no key below a prefix, in the same words as when there is none. Only
 * of a single key Consul says that it may not be read (403): so one is asked for before an empty
 * answer is believed. */
static void on_answer(void *arg, const struct consul_answer *a)
{
    struct kv_watch *w = arg;
    struct str body = a->status == 200 ? a->body : STR_NULL;
    struct watch_answer in = {.result = result_of(a),
                              .has_index = a->has_index,
                              .index = a->index,
                              .body_hash = hash_str(body, 0),
                              .leader_known = a->leader_known,
                              .last_contact_ms = a->last_contact_ms};

    if (w->confirming) {
        w->confirming = false;
        w->empty.result = in.result;
        take(w, &w->empty, a, STR_NULL);
    } else if (in.result == WATCH_GOOD && a->status == 404) {
        w->confirming = true;
        w->empty = in;
        /* A path with two slashes in a row is answered with a redirection. */
        ask(w, w->folder ? "" : "/", CONFIRM_MS);
    } else {
        take(w, &in, a, body);
    }
}

struct kv_watch *kv_watch_new(struct event_base *base, struct consul_http *http,
                              const struct kv_options *o, kv_news_fn *fn, void *arg)
{
    struct kv_watch *w = alloc_or_abort(sizeof *w);

    w->http = http;
    w->get = consul_get_new(http, on_answer, w);
    w->timer = evtimer_new(base, on_timer, w);
    w->path = consul_http_encode(o->prefix);
    if (!w->timer)
        abort();
    w->folder = o->prefix[0] && o->prefix[strlen(o->prefix) - 1] == '/';
    w->stale = o->stale;
    w->options = (struct watch_options){.wait_ms = o->wait_ms, .lead = true};
    w->fn = fn;
    w->arg = arg;
    w->rng.state = clock_now_ns() ^ (uint64_t)getpid() << 32;
    watch_init(&w->watch);
    schedule(w);
    return w;
}

void kv_watch_free(struct kv_watch *w)
{
    if (!w)
        return;
    consul_get_free(w->get);
    event_free(w->timer);
    free(w->path);
    free(w);
}
