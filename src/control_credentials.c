/* SPDX-License-Identifier: Apache-2.0 */
#include "control_credentials.h"
#include "base/alloc.h"
#include "base/log.h"
#include "control_discovery.h"
#include "control_kv.h"
#include "discovery/consul_http.h"

#include <event2/event.h>
#include <sched.h>
#include <string.h>

enum { FILE_LOOK_MS = 2000, KV_WAIT_MS = 60000, MOST_THREADS = 4, CPUS_PER_THREAD = 4 };

/* One store in Consul. */
struct store {
    struct control_credentials *all; /* borrowed */
    size_t at;                       /* in config->api_keys */
    struct kv_watch *watch;          /* owned */
    bool heard;                      /* it has answered, or has failed to */
};

struct control_credentials {
    struct event_base *base;    /* borrowed */
    struct builder *builder;    /* borrowed */
    struct password_pool *pool; /* owned */
    struct credentials *now;    /* owned */
    struct config *config;      /* ref: of `now` */
    struct consul_http *http;   /* owned; NULL = no store is in Consul */
    struct store **stores;      /* [config->napi_keys]; owned; NULL = its keys are in a file */
    struct event *timer;
    credentials_changed_fn *changed;
    void *arg;
};

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct control_credentials *c = arg;

    (void)fd;
    (void)events;
    if (!credentials_poll(c->now))
        return;
    builder_use_credentials(c->builder, credentials_set(c->now));
    c->changed(c->arg);
}

static bool on_news(void *arg, enum kv_news news, struct str body, bool complete, const char *error)
{
    struct store *s = arg;
    struct control_credentials *c = s->all;
    bool held = false, first = !s->heard;

    s->heard = true;

    switch (news) {
    case KV_FAILED:
        credentials_unreachable(c->now, s->at, error);
        break;
    case KV_SAME:
        credentials_reached(c->now, s->at);
        break;
    case KV_CHANGED:
        if (credentials_take(c->now, s->at, body, complete, &held))
            builder_use_credentials(c->builder, credentials_set(c->now));
        break;
    }
    if (first || (news == KV_CHANGED && !held))
        c->changed(c->arg);
    return !held;
}

static void store_free(struct store *s)
{
    if (s)
        kv_watch_free(s->watch);
    free(s);
}

static void stop_watching(struct control_credentials *c)
{
    for (size_t i = 0; c->stores && i < c->config->napi_keys; i++)
        store_free(c->stores[i]);
    free(c->stores);
    c->stores = NULL;
}

static struct store *store_new(struct control_credentials *c, size_t at)
{
    struct kv_options kv = {c->config->api_keys[at].kv, c->config->consul.stale, KV_WAIT_MS};
    struct store *s = alloc_or_abort(sizeof *s);

    s->all = c;
    s->at = at;
    s->watch = kv_watch_new(c->base, c->http, &kv, on_news, s);
    return s;
}

/* The store of this name that looks at the same key, taken out of those of before. Its watch goes
 * on: a new one could not tell a token that has lost its rights from keys that are gone. */
static struct store *take_store(struct control_credentials *c, const struct api_keys_conf *k)
{
    for (size_t i = 0; c->stores && i < c->config->napi_keys; i++) {
        struct store *s = c->stores[i];

        if (!s || strcmp(c->config->api_keys[i].name, k->name) != 0 ||
            strcmp(c->config->api_keys[i].kv, k->kv) != 0)
            continue;
        c->stores[i] = NULL;
        return s;
    }
    return NULL;
}

static struct store **take_stores(struct control_credentials *c, const struct config *next)
{
    struct store **stores = alloc_or_abort((next->napi_keys + 1) * sizeof(struct store *));
    bool same_consul = c->config && control_discovery_same(c->config, next);

    for (size_t i = 0; i < next->napi_keys; i++) {
        if (next->api_keys[i].kv && same_consul)
            stores[i] = take_store(c, &next->api_keys[i]);
        if (stores[i])
            stores[i]->at = i;
    }
    stop_watching(c);
    if (!same_consul) {
        consul_http_free(c->http);
        c->http = NULL;
    }
    return stores;
}

static void start_watching(struct control_credentials *c)
{
    struct discovery_options o = control_discovery_options(c->config);
    struct err e;

    for (size_t i = 0; i < c->config->napi_keys; i++) {
        if (!c->config->api_keys[i].kv || c->stores[i])
            continue;
        /* The settings were good enough for discovery, which comes first. */
        if (!c->http && !(c->http = consul_http_new(c->base, &o, &e))) {
            log_error("policy", "API keys in Consul cannot be read: %s", e.text);
            return;
        }
        c->stores[i] = store_new(c, i);
    }
}

void control_credentials_use(struct control_credentials *c, struct credentials *next,
                             struct config *config)
{
    struct store **stores = take_stores(c, config);

    credentials_free(&c->now);
    config_unref(&c->config);
    c->now = next;
    c->config = config_ref(config);
    c->stores = stores;
    builder_use_credentials(c->builder, credentials_set(next));
    start_watching(c);
}

struct credentials *control_credentials_prepare(const struct control_credentials *c,
                                                struct config *config, struct err *e)
{
    return credentials_new(config, c->now, c->pool, e);
}

bool control_credentials_heard(const struct control_credentials *c)
{
    for (size_t i = 0; i < c->config->napi_keys; i++)
        if (c->stores[i] && !c->stores[i]->heard)
            return false;
    return true;
}

/* Guessing passwords may cost a quarter of the CPUs. */
static unsigned threads(void)
{
    cpu_set_t cpus;
    unsigned n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? (unsigned)CPU_COUNT(&cpus) : 1;

    n /= CPUS_PER_THREAD;
    return n < 1 ? 1 : n > MOST_THREADS ? MOST_THREADS : n;
}

struct control_credentials *control_credentials_new(struct event_base *base,
                                                    struct builder *builder, struct config *config,
                                                    credentials_changed_fn *changed, void *arg,
                                                    struct err *e)
{
    struct control_credentials *c = alloc_or_abort(sizeof *c);
    struct timeval look = {FILE_LOOK_MS / 1000, FILE_LOOK_MS % 1000 * 1000};
    struct credentials *first;

    c->base = base;
    c->builder = builder;
    c->changed = changed;
    c->arg = arg;
    c->pool = password_pool_new(threads());
    c->timer = event_new(base, -1, EV_PERSIST, on_timer, c);
    event_add(c->timer, &look);
    first = control_credentials_prepare(c, config, e);
    if (first) {
        control_credentials_use(c, first, config);
        return c;
    }
    control_credentials_free(c);
    return NULL;
}

void control_credentials_free(struct control_credentials *c)
{
    if (!c)
        return;
    stop_watching(c);
    consul_http_free(c->http);
    credentials_free(&c->now);
    config_unref(&c->config);
    password_pool_free(&c->pool);
    event_free(c->timer);
    free(c);
}
