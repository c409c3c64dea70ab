/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy.h"
#include "base/clock.h"
#include "base/log.h"
#include "cache/cache.h"
#include "cache/pending.h"
#include "proxy/access_log.h"
#include "proxy/cache_purge.h"
#include "proxy/listener.h"
#include "proxy/listener_settings.h"
#include "proxy/listener_watch.h"
#include "proxy/proxy_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LISTENERS = 32, LOOK_AT_FILES_MS = 2000 };

struct open_listener {
    char *address; /* owned */
    unsigned id;
    struct listener_settings *settings; /* ref */
    struct listener_watch watch;
};

struct proxy {
    unsigned nworkers;
    struct worker *workers[PROXY_MAX_WORKERS]; /* owned */
    uint64_t beats[PROXY_MAX_WORKERS];         /* as of the last proxy_alive() */
    struct access_log *log;                    /* owned */
    struct cache *cache;                       /* owned */
    struct pending *pending;                   /* owned */
    struct fallback_cache_conf cache_conf;     /* as it is configured */
    struct open_listener listeners[MAX_LISTENERS];
    unsigned nlisteners, next_listener_id;
    uint64_t files_due_ns; /* when the listeners' files are looked at again */
    bool running;
    _Atomic int connections;
};

struct worker *proxy_worker(struct proxy *p, unsigned i)
{
    return p->workers[i];
}

void proxy_count_connection(struct proxy *p, int delta)
{
    atomic_fetch_add_explicit(&p->connections, delta, memory_order_relaxed);
}

uint64_t proxy_connections(const struct proxy *p)
{
    int n = atomic_load_explicit(&p->connections, memory_order_relaxed);

    return n > 0 ? (uint64_t)n : 0;
}

bool proxy_may_accept(const struct proxy *p, unsigned max_connections)
{
    return max_connections == 0 ||
           atomic_load_explicit(&p->connections, memory_order_relaxed) < (int)max_connections;
}

struct access_log *proxy_access_log(struct proxy *p)
{
    return p->log;
}

struct cache *proxy_cache(struct proxy *p)
{
    return p->cache;
}

struct pending *proxy_pending(struct proxy *p)
{
    return p->pending;
}

void proxy_fetched(struct proxy *p, uint64_t hash)
{
    if (!pending_release(p->pending, hash))
        return;
    for (unsigned i = 0; i < p->nworkers; i++)
        worker_post(p->workers[i], WORKER_CACHE);
}

struct proxy *proxy_new(unsigned nworkers)
{
    struct proxy *p = calloc(1, sizeof *p);

    if (!p)
        abort();
    p->nworkers = nworkers < PROXY_MAX_WORKERS ? nworkers : PROXY_MAX_WORKERS;
    return p;
}

int proxy_start(struct proxy *p, struct snapshot *first, const char *access_log, struct err *e)
{
    if (access_log && access_log[0] && !(p->log = access_log_open(access_log, e)))
        return -1;
    p->cache_conf = first->config->fallback_cache;
    p->cache = cache_new(p->cache_conf.size, p->cache_conf.max_answer,
                         clock_now_ns() ^ (uint64_t)(uintptr_t)p);
    p->pending = pending_new();
    if (!p->cache || !p->pending)
        return err_set(e, "no memory for fallback_cache");
    for (unsigned i = 0; i < p->nworkers; i++) {
        p->workers[i] = worker_new(i, p);
        if (!p->workers[i])
            return err_set(e, "worker %u cannot be set up", i);
        worker_post_snapshot(p->workers[i], snapshot_ref(first));
    }
    for (unsigned i = 0; i < p->nworkers; i++)
        if (worker_start(p->workers[i]) < 0)
            return err_set(e, "worker %u cannot be started", i);
    p->running = true;
    return 0;
}

static void listener_free(struct open_listener *l)
{
    free(l->address);
    listener_settings_unref(&l->settings);
}

static struct open_listener *find_listener(struct proxy *p, const char *address)
{
    for (unsigned i = 0; i < p->nlisteners; i++)
        if (strcmp(p->listeners[i].address, address) == 0)
            return &p->listeners[i];
    return NULL;
}

static bool wanted(const struct config *c, const char *address)
{
    for (size_t i = 0; i < c->nlisteners; i++)
        if (strcmp(c->listeners[i].address, address) == 0)
            return true;
    return false;
}

/* A listener of the configuration that is coming into force. */
struct next_listener {
    struct open_listener *old; /* NULL = it is new */
    struct listener_settings *settings;
    int fds[PROXY_MAX_WORKERS]; /* of a new one, a socket for each worker */
    unsigned nfds;
};

/* One socket for each worker (SO_REUSEPORT): the kernel spreads the connections. */
static int open_sockets(struct proxy *p, const struct listener_conf *c, struct next_listener *l,
                        struct err *e)
{
    while (l->nfds < p->nworkers) {
        int fd = listener_open_socket(c, e);

        if (fd < 0)
            return -1;
        l->fds[l->nfds++] = fd;
    }
    return 0;
}

static int prepare(struct proxy *p, struct config *c, const struct listener_conf *conf,
                   struct next_listener *l, struct err *e)
{
    *l = (struct next_listener){.old = find_listener(p, conf->address)};
    l->settings = listener_settings_new(c, conf, l->old ? l->old->settings : NULL, e);
    if (!l->settings)
        return -1;
    return l->old ? 0 : open_sockets(p, conf, l, e);
}

static void give_up(struct next_listener *l)
{
    while (l->nfds > 0)
        close(l->fds[--l->nfds]);
    listener_settings_unref(&l->settings);
}

static void post_all(struct proxy *p, unsigned id, struct listener_settings *s, const int *fds)
{
    for (unsigned w = 0; w < p->nworkers; w++)
        listener_post(p->workers[w],
                      (struct listener_order){.id = id,
                                              .fd = fds ? fds[w] : -1,
                                              .settings = s ? listener_settings_ref(s) : NULL});
}

/* Takes over the settings. */
static void hand_out(struct proxy *p, const struct next_listener *l)
{
    struct open_listener *at = l->old;

    if (at) {
        listener_settings_unref(&at->settings);
    } else {
        at = &p->listeners[p->nlisteners++];
        at->address = strdup(l->settings->conf->address);
        at->id = p->next_listener_id++;
        log_info("proxy", "listening on %s", at->address);
    }
    at->settings = l->settings;
    at->watch = (struct listener_watch){0};
    post_all(p, at->id, at->settings, l->old ? NULL : l->fds);
}

static void close_unwanted(struct proxy *p, const struct config *c)
{
    for (unsigned i = 0; i < p->nlisteners;) {
        struct open_listener *l = &p->listeners[i];

        if (wanted(c, l->address)) {
            i++;
            continue;
        }
        log_info("proxy", "no longer listening on %s", l->address);
        post_all(p, l->id, NULL, NULL);
        listener_free(l);
        *l = p->listeners[--p->nlisteners];
    }
}

int proxy_listen(struct proxy *p, struct config *c, struct err *e)
{
    struct next_listener next[MAX_LISTENERS];
    unsigned n = 0;

    if (c->nlisteners > MAX_LISTENERS)
        return err_set(e, "more than %d listeners", MAX_LISTENERS);
    for (size_t i = 0; i < c->nlisteners; i++)
        if (prepare(p, c, &c->listeners[i], &next[n++], e) < 0) {
            while (n-- > 0)
                give_up(&next[n]);
            return -1;
        }
    /* First what stays, since closing others moves it. */
    for (unsigned i = 0; i < n; i++)
        if (next[i].old)
            hand_out(p, &next[i]);
    close_unwanted(p, c);
    for (unsigned i = 0; i < n; i++)
        if (!next[i].old)
            hand_out(p, &next[i]);
    return 0;
}

static void look_at(struct proxy *p, struct open_listener *l, uint64_t now_ns)
{
    struct listener_settings *next = listener_watch_look(&l->watch, l->settings);

    if (next) {
        listener_settings_unref(&l->settings);
        l->settings = next;
        post_all(p, l->id, next, NULL);
    }
    listener_watch_warn(&l->watch, l->settings, now_ns, clock_wall_ms() / 1000);
}

void proxy_look_at_files(struct proxy *p, uint64_t now_ns)
{
    if (now_ns < p->files_due_ns)
        return;
    p->files_due_ns = now_ns + LOOK_AT_FILES_MS * NS_PER_MS;
    for (unsigned i = 0; i < p->nlisteners; i++)
        if (p->listeners[i].settings->tls)
            look_at(p, &p->listeners[i], now_ns);
}

bool proxy_listener(const struct proxy *p, unsigned i, struct proxy_listener *ret)
{
    const struct open_listener *l = &p->listeners[i];

    if (i >= p->nlisteners)
        return false;
    *ret = (struct proxy_listener){l->address, l->settings->tls, l->watch.problem};
    return true;
}

void proxy_publish(struct proxy *p, struct snapshot *s)
{
    const struct fallback_cache_conf *conf = &s->config->fallback_cache;

    if (p->running &&
        (conf->size != p->cache_conf.size || conf->max_answer != p->cache_conf.max_answer)) {
        p->cache_conf = *conf;
        cache_configure(p->cache, conf->size, conf->max_answer);
    }
    for (unsigned i = 0; p->running && i < p->nworkers; i++)
        worker_post_snapshot(p->workers[i], snapshot_ref(s));
}

void proxy_keys_asked(struct proxy *p)
{
    for (unsigned i = 0; p->running && i < p->nworkers; i++)
        worker_post(p->workers[i], WORKER_KEYS);
}

void proxy_drain(struct proxy *p)
{
    for (unsigned i = 0; i < p->nworkers; i++)
        worker_post(p->workers[i], WORKER_DRAIN);
}

void proxy_stop(struct proxy *p)
{
    if (!p->running)
        return;
    p->running = false;
    for (unsigned i = 0; i < p->nworkers; i++)
        worker_post(p->workers[i], WORKER_STOP);
    for (unsigned i = 0; i < p->nworkers; i++)
        pthread_join(p->workers[i]->thread, NULL);
}

void proxy_free(struct proxy *p)
{
    if (!p)
        return;
    proxy_stop(p);
    for (unsigned i = 0; i < p->nworkers; i++)
        worker_free(p->workers[i]);
    for (unsigned i = 0; i < p->nlisteners; i++)
        listener_free(&p->listeners[i]);
    access_log_close(p->log);
    cache_free(p->cache);
    pending_free(p->pending);
    free(p);
}

size_t proxy_purge(struct proxy *p, const struct snapshot *s, const struct cache_purge_order *o)
{
    return p->cache ? cache_purge_run(p->cache, s, o) : 0;
}

void proxy_reopen_log(struct proxy *p)
{
    if (p->log)
        access_log_reopen(p->log);
}

void proxy_counters(const struct proxy *p, struct proxy_counters *ret)
{
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; p->running && i < p->nworkers; i++) {
        const struct worker_counters *c = &p->workers[i]->counters;
#define SUM(field) ret->field += atomic_load_explicit(&c->field, memory_order_relaxed)
        SUM(accepted);
        SUM(connections);
        SUM(refused_connections);
        SUM(requests);
        SUM(upstream_connects);
        SUM(upstream_reuses);
        SUM(accept_errors);
        SUM(bad_proxy_headers);
        SUM(h2_connections);
        SUM(h2_requests);
        SUM(h2_resets);
        SUM(h2_floods);
        for (unsigned k = 0; k < ARRAY_LEN(ret->cached); k++)
            SUM(cached[k]);
        for (unsigned k = 0; k < ARRAY_LEN(ret->coded); k++)
            SUM(coded[k]);
        SUM(coded_in);
        SUM(coded_out);
        SUM(unrouted);
        SUM(bad_requests);
        SUM(auth_failed_open);
#undef SUM
        tls_counts_add(&ret->tls, &c->tls);
    }
    if (p->log)
        ret->access_log_dropped = access_log_dropped(p->log);
    if (p->cache) {
        struct cache_usage u = cache_usage(p->cache);

        ret->stored_bytes = u.bytes;
        ret->stored_answers = u.entries;
        ret->stored_evicted = u.evicted;
    }
}

void proxy_overload(const struct proxy *p, struct proxy_overload *ret)
{
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; p->running && i < p->nworkers; i++)
        overload_show(&p->workers[i]->overload, ret);
}

bool proxy_alive(struct proxy *p)
{
    bool all = true;

    for (unsigned i = 0; p->running && i < p->nworkers; i++) {
        uint64_t beat = atomic_load_explicit(&p->workers[i]->counters.beat, memory_order_relaxed);

        all &= beat != p->beats[i];
        p->beats[i] = beat;
    }
    return all;
}
