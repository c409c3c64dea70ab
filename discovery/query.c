/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "keeper.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SYNCING_MAX = 16, SYNCING_A_SECOND = 500, SYNCING_BURST = 100 };

static void pump(struct query_pool *p);

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pump(arg);
}

void query_pool_init(struct query_pool *p, struct event_base *base, struct consul_http *http,
                     const char *suffix)
{
    *p = (struct query_pool){.base = base, .http = http, .suffix = suffix};
    p->rng.state = clock_now_ns() ^ (uint64_t)(uintptr_t)p;
    list_init(&p->urgent);
    list_init(&p->waiting);
    p->pace = pace_of(SYNCING_A_SECOND, SYNCING_BURST);
    p->turn = evtimer_new(base, on_turn, p);
    if (!p->turn)
        abort();
}

void query_pool_release(struct query_pool *p)
{
    event_free(p->turn);
}

const char *query_suffix(const struct query *q)
{
    return q->suffix ? q->suffix : q->pool->suffix;
}

static void start(struct query *q)
{
    struct query_pool *p = q->pool;
    const struct watch_request *r = &q->next;
    const char *suffix = query_suffix(q);
    char *path;
    int n;

    if (r->index)
        n = asprintf(&path, "%s?%sindex=%" PRIu64 "&wait=%" PRIu64 "ms", q->path, suffix, r->index,
                     r->wait_ms);
    else
        n = asprintf(&path, "%s?%s", q->path, suffix);
    if (n < 0)
        abort();
    q->hurry = false;
    q->blocking = r->index != 0;
    q->asked_ns = q->blocking ? 0 : clock_now_ns();
    q->syncing = !q->blocking;
    p->syncing += q->syncing;
    p->requests++;
    consul_http_refresh_token(p->http, false);
    consul_get_start(q->get, path, watch_deadline_ms(r));
    free(path);
}

static void start_or_wait(struct query *q)
{
    bool urgent;

    if (q->next.index != 0) {
        start(q);
        return;
    }
    urgent = q->hurry || !q->ops->urgent || q->ops->urgent(q);
    list_remove(&q->link);
    list_push_back(urgent ? &q->pool->urgent : &q->pool->waiting, &q->link);
    pump(q->pool);
}

/* The next one of those that can wait, or NULL: then the timer is set if there is one. */
static struct list *next_patient(struct query_pool *p)
{
    uint64_t wait_ns;

    if (list_empty(&p->waiting))
        return NULL;
    wait_ns = pace_take(&p->pace, clock_now_ns());
    if (wait_ns > 0) {
        struct timeval tv = {(time_t)(wait_ns / NS_PER_S),
                             (suseconds_t)(wait_ns % NS_PER_S / 1000 + 1)};

        evtimer_add(p->turn, &tv);
        return NULL;
    }
    return list_pop(&p->waiting);
}

static void pump(struct query_pool *p)
{
    while (p->syncing < SYNCING_MAX) {
        struct list *l = list_pop(&p->urgent);

        if (!l)
            l = next_patient(p);
        if (!l)
            break;
        start(CONTAINER_OF(l, struct query, link));
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    start_or_wait(arg);
}

static void schedule(struct query *q, const struct watch_request *r)
{
    struct timeval tv = {(time_t)(r->delay_ms / 1000), (suseconds_t)(r->delay_ms % 1000) * 1000};

    q->next = *r;
    if (r->delay_ms == 0) {
        evtimer_del(q->timer);
        start_or_wait(q);
    } else {
        evtimer_add(q->timer, &tv);
    }
}

static enum watch_result classify(const struct consul_answer *a)
{
    switch (a->status) {
    case 0:
        return a->refused ? WATCH_REFUSED : WATCH_FAILED;
    case 200:
        return a->error ? WATCH_FAILED : WATCH_GOOD;
    case 400:
    case 404:
        return WATCH_INVALID;
    case 403:
        return WATCH_DENIED;
    case 429:
        return WATCH_LIMITED;
    default:
        return WATCH_FAILED;
    }
}

/* A body like the last one is not even parsed. */
static void read_body(struct query *q, const struct consul_answer *a, struct watch_answer *wa,
                      struct err *e)
{
    wa->body_hash = hash_str(a->body, 0);
    if (q->watch.has_hash && q->watch.body_hash == wa->body_hash)
        return;
    if (q->ops->read(q, a->body, e) != 0)
        wa->result = WATCH_FAILED;
}

/* What is applied is no longer that of an earlier run. */
static void end_recall(struct query *q)
{
    q->pool->recalled -= q->recalled_ms != 0;
    q->recalled_ms = 0;
}

/* The body is the whole truth, and all of it was applied, now or when it was first said. */
static void note_believed(struct query *q, const struct consul_answer *a, uint64_t hash)
{
    end_recall(q);
    if (!q->key)
        return;
    if (q->has_kept && q->kept_hash == hash)
        keeper_confirm(q->pool->keeper, q->key);
    else
        keeper_believe(q->pool->keeper, q->key, a->body);
    q->has_kept = true;
    q->kept_hash = hash;
}

static void plan_next(struct query *q, const struct consul_answer *a, const struct watch_answer *wa)
{
    struct query_pool *p = q->pool;
    uint64_t now = clock_now_ns();
    struct watch_reply reply;
    bool believed;

    watch_take(&q->watch, &q->options, wa, now, &p->rng, &reply);
    p->index_resets += reply.reset;
    believed = wa->result == WATCH_GOOD && (reply.publish ? reply.complete : !q->watch.unsure);
    q->read_again_ns = 0;
    if (reply.publish && !q->ops->apply(q, reply.complete, reply.complete && !a->filtered)) {
        watch_hold(&q->watch, &q->options, q->read_again_ns, now, &p->rng, &reply);
        believed = false;
    }
    if (believed)
        note_believed(q, a, wa->body_hash);
    if (reply.reload_token && consul_http_refresh_token(p->http, true))
        reply.next.delay_ms = 0;
    if (q->again && wa->result == WATCH_GOOD)
        reply.next = watch_now(&q->watch, &q->options, now, &p->rng);
    q->again = false;
    if (!q->rest)
        schedule(q, &reply.next);
    q->rest = false;
}

static void on_answer(void *arg, const struct consul_answer *a)
{
    struct query *q = arg;
    struct query_pool *p = q->pool;
    struct watch_answer wa = {.result = classify(a),
                              .has_index = a->has_index && !q->options.no_index,
                              .index = a->index,
                              .leader_known = a->leader_known,
                              .last_contact_ms = a->last_contact_ms};
    struct query_outcome o = {.answer = a, .was_failing = q->watch.failures > 0};
    uint64_t index = q->watch.index;
    struct err e = {.text = ""};

    p->syncing -= q->syncing;
    p->heard = wa.result == WATCH_GOOD || wa.result == WATCH_INVALID;
    q->syncing = q->blocking = false;
    if (q->ending) {
        q->ops->ended(q);
        pump(p);
        return;
    }
    if (wa.result == WATCH_GOOD)
        read_body(q, a, &wa, &e);
    plan_next(q, a, &wa);
    o.result = wa.result;
    o.error = a->error ? a->error : e.text;
    o.woke = wa.result == WATCH_GOOD && q->watch.index != index;
    q->ops->after(q, &o);
    pump(p);
}

void query_init(struct query *q, const struct query_ops *ops, struct query_pool *pool, void *owner,
                const char *path)
{
    q->ops = ops;
    q->pool = pool;
    q->owner = owner;
    q->path = strdup(path);
    q->timer = evtimer_new(pool->base, on_timer, q);
    q->get = consul_get_new(pool->http, on_answer, q);
    if (!q->path || !q->timer)
        abort();
    list_init(&q->link);
    watch_init(&q->watch);
}

void query_release(struct query *q)
{
    q->pool->syncing -= q->syncing;
    list_remove(&q->link);
    event_free(q->timer);
    consul_get_free(q->get);
    end_recall(q);
    if (q->key)
        keeper_leave(q->pool->keeper, q->key);
    free(q->key);
    free(q->path);
    free(q->suffix);
}

static void replay(struct query *q, struct str body, int64_t heard_ms)
{
    struct err e;

    if (q->ops->read(q, body, &e) != 0) {
        log_warn("discovery", "what is kept of %s is not used: %s", q->key, e.text);
        keeper_forget(q->pool->keeper, q->key);
        return;
    }
    q->has_kept = true;
    q->kept_hash = hash_str(body, 0);
    q->recalled_ms = heard_ms;
    q->pool->recalled += heard_ms != 0;
    if (q->ops->apply(q, true, true))
        watch_recall(&q->watch, q->kept_hash);
}

void query_keep(struct query *q)
{
    struct bytes body = {0};
    int64_t heard_ms;

    if (!q->pool->keeper)
        return;
    if (asprintf(&q->key, "%s?%s", q->path, query_suffix(q)) < 0)
        abort();
    keeper_use(q->pool->keeper, q->key);
    if (!q->pool->heard && keeper_recall(q->pool->keeper, q->key, &body, &heard_ms))
        replay(q, bytes_str(&body), heard_ms);
    bytes_free(&body);
}

void query_kick(struct query *q)
{
    struct watch_request r;

    if (consul_get_busy(q->get)) {
        q->again = !q->blocking;
        return;
    }
    if (!list_empty(&q->link))
        return;
    r = watch_now(&q->watch, &q->options, clock_now_ns(), &q->pool->rng);
    schedule(q, &r);
}

void query_hurry(struct query *q)
{
    q->hurry = true;
    /* One that waits its turn among the others need not. */
    if (!list_empty(&q->link)) {
        list_remove(&q->link);
        list_push_back(&q->pool->urgent, &q->link);
        pump(q->pool);
    } else {
        query_kick(q);
    }
}

void query_put_off(struct query *q, uint64_t delay_ms)
{
    if (consul_get_busy(q->get) || !list_empty(&q->link) || q->next.delay_ms >= delay_ms)
        return;
    q->next.delay_ms = delay_ms;
    schedule(q, &q->next);
}

void query_end(struct query *q)
{
    list_remove(&q->link);
    evtimer_del(q->timer);
    q->ending = true;
    if (!consul_get_busy(q->get))
        q->ops->ended(q);
}
