/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet_watch.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "discovery/consul_http.h"
#include "discovery/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct fleet_watch {
    struct consul_http *http; /* borrowed */
    struct consul_get *get;   /* owned */
    struct event *timer;      /* owned */
    char *prefix, *path;      /* owned; path is encoded */
    struct watch watch;
    struct watch_request next;
    struct rng rng;
    fleet_watch_fn *fn;
    void *arg;
};

/* Below a minute, so that "connected" is never old news. */
static const struct watch_options options = {.wait_ms = 50000, .lead = true};

static void schedule(struct fleet_watch *w)
{
    struct timeval tv = {(time_t)(w->next.delay_ms / 1000),
                         (suseconds_t)(w->next.delay_ms % 1000 * 1000)};

    evtimer_add(w->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct fleet_watch *w = arg;
    char path[1024];

    (void)fd;
    (void)what;
    if (w->next.index)
        snprintf(path, sizeof path, "/v1/kv/%s/?recurse&index=%" PRIu64 "&wait=%" PRIu64 "ms",
                 w->path, w->next.index, w->next.wait_ms);
    else
        snprintf(path, sizeof path, "/v1/kv/%s/?recurse", w->path);
    consul_get_start(w->get, path, watch_deadline_ms(&w->next));
}

/* 404 is "nothing there", and as good as 200; without rights to read it says so too. */
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

static void on_answer(void *arg, const struct consul_answer *a)
{
    struct fleet_watch *w = arg;
    struct watch_answer in = {.result = result_of(a),
                              .has_index = a->has_index,
                              .index = a->index,
                              .leader_known = a->leader_known,
                              .last_contact_ms = a->last_contact_ms};
    struct watch_reply reply;
    struct fleet_view *view = NULL;
    struct err e = {""};

    if (in.result == WATCH_GOOD) {
        view = fleet_view_parse(a->status == 200 ? a->body : STR(""), w->prefix, &e);
        in.body_hash = hash_str(a->status == 200 ? a->body : STR(""), 0);
        if (!view)
            in.result = WATCH_FAILED;
    }
    watch_take(&w->watch, &options, &in, clock_now_ns(), &w->rng, &reply);
    if (reply.reload_token)
        consul_http_refresh_token(w->http, true);
    w->next = reply.next;
    schedule(w);
    /* The view of an answer that changes nothing is as good as the one before. */
    w->fn(w->arg, view, reply.complete, view ? NULL : e.text[0] ? e.text : a->error);
}

struct fleet_watch *fleet_watch_new(struct event_base *base, struct consul_http *http,
                                    const char *prefix, fleet_watch_fn *fn, void *arg)
{
    struct fleet_watch *w = alloc_or_abort(sizeof *w);

    w->http = http;
    w->get = consul_get_new(http, on_answer, w);
    w->timer = evtimer_new(base, on_timer, w);
    w->prefix = strdup(prefix);
    w->path = consul_http_encode(prefix);
    if (!w->timer || !w->prefix)
        abort();
    w->fn = fn;
    w->arg = arg;
    w->rng.state = clock_now_ns();
    watch_init(&w->watch);
    schedule(w);
    return w;
}

void fleet_watch_free(struct fleet_watch *w)
{
    if (!w)
        return;
    consul_get_free(w->get);
    event_free(w->timer);
    free(w->prefix);
    free(w->path);
    free(w);
}
