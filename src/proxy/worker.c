/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/answer_cache.h"
#include "policy/password_cache.h"
#include "proxy/access_basic.h"
#include "proxy/access_limits.h"
#include "proxy/access_token.h"
#include "proxy/cache_refresh.h"
#include "proxy/cached.h"
#include "proxy/compensation.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/h2_stream.h"
#include "proxy/listener.h"
#include "proxy/proxy_internal.h"
#include "proxy/queue.h"
#include "proxy/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { KEEP_BUFFERS = 256, BEAT_MS = 500 };

void worker_touch(struct worker *w)
{
    w->now_ns = clock_now_ns();
}

/* The timer behind the wheel is set for the first slot that has anything in it. */
static void arm_tick(struct worker *w, uint64_t in_ms)
{
    struct timeval tv = {(time_t)(in_ms / 1000), (suseconds_t)(in_ms % 1000 * 1000)};

    w->tick_armed_ns = w->now_ns + in_ms * NS_PER_MS;
    event_add(&w->tick, &tv);
}

void worker_set_deadline(struct worker *w, struct wheel_timer *t, uint64_t deadline_ns)
{
    uint64_t horizon_ns = w->now_ns + (uint64_t)(WHEEL_SLOTS - 1) * WHEEL_TICK_MS * NS_PER_MS;
    uint64_t look_ns = deadline_ns < horizon_ns ? deadline_ns : horizon_ns;

    wheel_set(&w->wheel, t, deadline_ns);
    if (w->tick_armed_ns == 0 || look_ns + WHEEL_TICK_MS * NS_PER_MS < w->tick_armed_ns)
        arm_tick(w, look_ns > w->now_ns ? (look_ns - w->now_ns) / NS_PER_MS + 1 : 1);
}

static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct worker *w = arg;
    uint32_t next_ms;

    (void)fd;
    (void)events;
    worker_touch(w);
    w->tick_armed_ns = 0;
    wheel_advance(&w->wheel, w->now_ns);
    next_ms = wheel_next_ms(&w->wheel, w->now_ns);
    if (next_ms != UINT32_MAX)
        arm_tick(w, next_ms ? next_ms : 1);
}

struct str worker_date(struct worker *w)
{
    int64_t now_s = clock_wall_ms() / 1000;

    if (now_s != w->date_s) {
        time_t t = (time_t)now_s;
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(w->date, sizeof w->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        w->date_s = now_s;
    }
    return str_of(w->date);
}

struct held_snapshot *worker_hold(struct worker *w)
{
    w->held->users++;
    return w->held;
}

static void drop_if_unused(struct held_snapshot *h)
{
    if (h->users > 0 || h->current)
        return;
    snapshot_unref(&h->snapshot);
    free(h);
}

void worker_unhold(struct held_snapshot **hp)
{
    struct held_snapshot *h = *hp;

    *hp = NULL;
    if (!h)
        return;
    h->users--;
    drop_if_unused(h);
}

void worker_post(struct worker *w, enum worker_command command)
{
    uint64_t one = 1;
    ssize_t ignored;

    atomic_fetch_or_explicit(&w->shared.commands, (unsigned)command, memory_order_release);
    ignored = write(w->wake_fd, &one, sizeof one);
    (void)ignored;
}

void worker_post_snapshot(struct worker *w, struct snapshot *s)
{
    struct snapshot *unseen = atomic_exchange_explicit(&w->shared.next, s, memory_order_acq_rel);

    snapshot_unref(&unseen);
    worker_post(w, WORKER_SNAPSHOT);
}

static void take_snapshot(struct worker *w)
{
    struct snapshot *s = atomic_exchange_explicit(&w->shared.next, NULL, memory_order_acq_rel);
    struct held_snapshot *old = w->held, *h;
    const struct config *old_config = old ? old->snapshot->config : NULL;

    if (!s)
        return;
    h = calloc(1, sizeof *h);
    if (!h)
        abort();
    h->snapshot = s;
    h->current = true;
    w->held = h;
    if (old) {
        old->current = false;
        drop_if_unused(old);
    }
    if (!old_config || old_config != s->config)
        access_limits_configure(w);
    pools_prune(w);
}

static void drain(struct worker *w)
{
    if (w->draining)
        return;
    listeners_close(w);
    w->draining = true;
    list_each(node, &w->conns) conn_drain(CONTAINER_OF(node, struct conn, node));
}

static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct worker *w = arg;
    uint64_t ignored_count;
    ssize_t ignored = read(fd, &ignored_count, sizeof ignored_count);
    unsigned commands = atomic_exchange_explicit(&w->shared.commands, 0, memory_order_acquire);

    (void)ignored;
    (void)events;
    worker_touch(w);
    if (commands & WORKER_SNAPSHOT)
        take_snapshot(w);
    if (commands & WORKER_LISTENERS)
        listeners_update(w);
    /* With a snapshot a limit may have been raised. */
    if (commands & (WORKER_RESUME_QUEUED | WORKER_SNAPSHOT))
        queue_resume(w);
    if (commands & WORKER_KEYS)
        access_token_resume(w);
    if (commands & WORKER_PASSWORDS)
        access_basic_resume(w);
    if (commands & WORKER_CACHE)
        cached_resume(w);
    if (commands & WORKER_DRAIN)
        drain(w);
    if (commands & WORKER_STOP) {
        w->stopping = true;
        event_base_loopbreak(w->base);
    }
}

static void on_accept_again(evutil_socket_t fd, short events, void *arg)
{
    struct worker *w = arg;

    (void)fd;
    (void)events;
    list_each(node, &w->listeners)
        event_add(&CONTAINER_OF(node, struct worker_listener, node)->ev, NULL);
}

/* The beat shows the watchdog that the loop turns, and sends the log on its way. */
static void on_beat(evutil_socket_t fd, short events, void *arg)
{
    struct worker *w = arg;

    (void)fd;
    (void)events;
    stat_add(&w->counters.beat, 1);
    if (w->log)
        access_log_flush(w->log);
}

static struct event_base *make_base(void)
{
    struct event_config *c = event_config_new();
    struct event_base *base = NULL;

    if (c && event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_require_features(c, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0)
        base = event_base_new_with_config(c);
    if (c)
        event_config_free(c);
    return base;
}

struct worker *worker_new(unsigned id, struct proxy *p)
{
    struct worker *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->id = id;
    w->proxy = p;
    w->base = make_base();
    w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!w->base || w->wake_fd < 0) {
        log_error("proxy", "worker %u: no event loop with edge-triggered epoll", id);
        if (w->base)
            event_base_free(w->base);
        free(w);
        return NULL;
    }
    worker_touch(w);
    if (getrandom(&w->rng.state, sizeof w->rng.state, 0) != sizeof w->rng.state)
        w->rng.state = w->now_ns ^ id;
    if (getrandom(w->digest_key, sizeof w->digest_key, 0) != sizeof w->digest_key)
        log_warn("proxy", "worker %u: no random bytes", id);
    wheel_init(&w->wheel, w->now_ns);
    bufpool_init(&w->bufs, KEEP_BUFFERS);
    list_init(&w->conns);
    list_init(&w->listeners);
    list_init(&w->queued);
    list_init(&w->key_waiters);
    for (unsigned i = 0; i < TOKEN_ASKERS; i++)
        list_init(&w->token_askers[i]);
    list_init(&w->password_waiters);
    list_init(&w->cache_waiters);
    list_init(&w->refreshes);
    list_init(&w->compensations);
    pthread_mutex_init(&w->shared.lock, NULL);
    event_assign(&w->tick, w->base, -1, 0, on_tick, w);
    event_assign(&w->accept_pause, w->base, -1, 0, on_accept_again, w);
    event_assign(&w->wake, w->base, w->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
    event_add(&w->wake, NULL);
    if (proxy_access_log(p))
        w->log = access_log_buffer_new(proxy_access_log(p));
    return w;
}

static void close_everything(struct worker *w)
{
    listeners_drop(w);
    cache_refresh_end_all(w);
    compensation_end_all(w);
    while (!list_empty(&w->conns))
        conn_close(CONTAINER_OF(w->conns.next, struct conn, node));
    limit_redis_free(&w->limit_redis);
    token_cache_free(&w->token_cache);
    password_cache_free(&w->password_cache);
    answer_cache_free(&w->good_answers);
    answer_cache_free(&w->refusals);
    pools_free(w);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    struct timeval beat = {0, BEAT_MS * 1000};
    struct event *beat_event = event_new(w->base, -1, EV_PERSIST, on_beat, w);

    if (!beat_event)
        abort();
    event_add(beat_event, &beat);
    take_snapshot(w);
    overload_start(w);
    while (!w->stopping)
        event_base_dispatch(w->base);
    worker_touch(w);
    close_everything(w);
    overload_stop(w);
    event_free(beat_event);
    return NULL;
}

int worker_start(struct worker *w)
{
    char name[16];

    if (pthread_create(&w->thread, NULL, run, w) != 0)
        return -1;
    snprintf(name, sizeof name, "worker-%u", w->id);
    pthread_setname_np(w->thread, name);
    return 0;
}

void worker_free(struct worker *w)
{
    struct snapshot *unseen;

    if (!w)
        return;
    unseen = atomic_exchange(&w->shared.next, NULL);
    snapshot_unref(&unseen);
    if (w->held) {
        w->held->current = false;
        drop_if_unused(w->held);
    }
    h2_stream_free_kept(w);
    while (w->free_exchanges) {
        struct exchange *next = *(struct exchange **)w->free_exchanges;
        free(w->free_exchanges);
        w->free_exchanges = next;
    }
    access_log_buffer_free(w->log);
    bufpool_release(&w->bufs);
    pipes_release(&w->pipes);
    event_del(&w->wake);
    event_del(&w->tick);
    event_del(&w->accept_pause);
    event_base_free(w->base);
    close(w->wake_fd);
    pthread_mutex_destroy(&w->shared.lock);
    free(w);
}
