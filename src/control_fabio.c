/* SPDX-License-Identifier: Apache-2.0 */
#include "control_fabio.h"
#include "base/alloc.h"
#include "base/log.h"
#include "config/kv_rows.h"
#include "control_config_state.h"
#include "control_discovery.h"
#include "control_kv.h"
#include "discovery/consul_http.h"

#include <stdlib.h>
#include <string.h>

enum { KV_WAIT_MS = 60000 };

struct control_fabio {
    struct event_base *base; /* borrowed */
    struct builder *builder; /* borrowed */
    control_fabio_fn *changed;
    void *arg;
    struct config *config;           /* ref: of the watch; NULL = there is none */
    struct consul_http *http;        /* owned */
    struct kv_watch *watch;          /* owned */
    struct fabio_commands *commands; /* ref */
    struct config_state *state;      /* owned; NULL = nothing is kept */
    bool heard, failing;
};

static void take(struct control_fabio *f, struct fabio_commands *commands)
{
    fabio_commands_unref(&f->commands);
    f->commands = commands;
    builder_use_fabio(f->builder, commands);
}

/* The key itself and all below it; "fabio/config" is not "fabio/configuration". */
static struct fabio_commands *parse(const struct kv_rows *rows, const char *prefix)
{
    struct arena *a = arena_new();
    struct fabio_text *texts = alloc_or_abort((rows->n + 1) * sizeof *texts);
    struct fabio_commands *commands;
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++)
        if (rows->list[i].key[0] == '\0' || rows->list[i].key[0] == '/')
            texts[n++] = (struct fabio_text){arena_printf(a, "%s%s", prefix, rows->list[i].key),
                                             rows->list[i].text};
    commands = fabio_commands_parse(texts, n);
    free(texts);
    arena_free(a);
    return commands;
}

/* False when the answer is not believed. */
static bool on_changed(struct control_fabio *f, struct str body, bool complete)
{
    struct kv_rows *rows;
    struct err e;

    if (!complete && body.n == 0)
        return false;
    rows = kv_rows_parse(body, f->config->consul.fabio_kv, &e);
    if (!rows) {
        log_error("routes", "fabio's commands cannot be read, the old ones stay: %s", e.text);
        return true;
    }
    take(f, parse(rows, f->config->consul.fabio_kv));
    config_state_put(f->state, f->config->consul.fabio_kv, body);
    log_info("routes", "%zu of fabio's commands in %s", f->commands->n, f->config->consul.fabio_kv);
    kv_rows_free(&rows);
    return true;
}

static bool on_news(void *arg, enum kv_news news, struct str body, bool complete, const char *error)
{
    struct control_fabio *f = arg;
    bool first = !f->heard, taken = true;

    f->heard = true;
    if (news == KV_FAILED && !f->failing)
        log_warn("routes", "fabio's commands in %s cannot be asked for, the old ones stay: %s",
                 f->config->consul.fabio_kv, error);
    f->failing = news == KV_FAILED;
    if (news == KV_CHANGED)
        taken = on_changed(f, body, complete);
    if (first || (news == KV_CHANGED && taken))
        f->changed(f->arg);
    return taken;
}

struct control_fabio *control_fabio_new(struct event_base *base, struct builder *builder,
                                        control_fabio_fn *changed, void *arg)
{
    struct control_fabio *f = alloc_or_abort(sizeof *f);

    f->base = base;
    f->builder = builder;
    f->changed = changed;
    f->arg = arg;
    return f;
}

/* Those of an earlier run serve until Consul has answered. */
static void recall(struct control_fabio *f, const struct config *c)
{
    int64_t written_ms;
    struct kv_rows *rows;

    if (!c->state_dir || f->commands)
        return;
    rows = config_state_read(c->state_dir, "fabio", c->consul.fabio_kv, &written_ms);
    if (!rows)
        return;
    take(f, parse(rows, c->consul.fabio_kv));
    kv_rows_free(&rows);
}

static void stop_watching(struct control_fabio *f)
{
    kv_watch_free(f->watch);
    f->watch = NULL;
    consul_http_free(f->http);
    f->http = NULL;
    config_unref(&f->config);
    f->failing = false;
    config_state_free(f->state);
    f->state = NULL;
}

void control_fabio_free(struct control_fabio *f)
{
    if (!f)
        return;
    stop_watching(f);
    fabio_commands_unref(&f->commands);
    free(f);
}

static bool same_watch(const struct config *a, const struct config *b)
{
    return control_discovery_same(a, b) && strcmp(a->consul.fabio_kv, b->consul.fabio_kv) == 0;
}

void control_fabio_use(struct control_fabio *f, struct config *c)
{
    struct discovery_options o = control_discovery_options(c);
    struct kv_options kv = {c->consul.fabio_kv, c->consul.stale, KV_WAIT_MS};
    bool wanted = c->consul.enabled && c->consul.fabio_kv && c->consul.expose != EXPOSE_NONE;
    struct err e;

    if (wanted && f->config && same_watch(f->config, c))
        return;
    stop_watching(f);
    if (!wanted && f->commands)
        take(f, NULL);
    if (!wanted)
        return;
    /* The settings were good enough for discovery, which comes first. */
    f->http = consul_http_new(f->base, &o, &e);
    if (!f->http) {
        log_error("routes", "fabio's commands in Consul cannot be read: %s", e.text);
        return;
    }
    f->config = config_ref(c);
    recall(f, c);
    if (c->state_dir)
        f->state = config_state_new(f->base, c->state_dir, "fabio");
    f->watch = kv_watch_new(f->base, f->http, &kv, on_news, f);
}

bool control_fabio_heard(const struct control_fabio *f)
{
    return f->heard || f->commands || !f->watch;
}

const struct fabio_commands *control_fabio_commands(const struct control_fabio *f)
{
    return f->commands;
}
