/* SPDX-License-Identifier: Apache-2.0 */
/* consul_service.c - the instances of one service and their health. */
#include "base/clock.h"
#include "base/log.h"
#include "consul_http.h"
#include "consul_source_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { FAILURES_TO_LOG = 3 /* of one service while the agent answers others */ };

static int service_read(struct query *q, struct str body, struct err *e)
{
    struct service *v = CONTAINER_OF(q, struct service, query);
    const struct consul_source *s = q->owner;

    arena_free(v->read_arena);
    v->read_arena = arena_new();
    return consul_json_health(body, s->zone_key, v->read_arena, &v->read, e);
}

static void log_skipped(struct service *v)
{
    if (v->read.skipped > 0 && v->read.skipped != v->skipped_logged)
        log_warn("discovery", "service=%s: %u instance%s left out: %s", v->name, v->read.skipped,
                 v->read.skipped == 1 ? "" : "s", v->read.skipped_why);
    v->skipped_logged = v->read.skipped;
}

static bool service_apply(struct query *q, bool complete, bool empty_ok)
{
    struct service *v = CONTAINER_OF(q, struct service, query);
    struct consul_source *s = q->owner;
    struct consul_health *h = &v->read;
    struct arena *a = v->read_arena;
    bool whole;

    v->read_arena = NULL;
    log_skipped(v);
    whole = catalog_put(s->catalog, v->name, a, h->items, h->n, h->skipped,
                        complete && (h->n > 0 || empty_ok), clock_now_ns());
    if (!whole)
        log_debug("discovery", "service=%s: an answer with less than is known is not believed yet",
                  v->name);
    source_touch(s);
    return whole;
}

static void service_after(struct query *q, const struct query_outcome *o)
{
    struct service *v = CONTAINER_OF(q, struct service, query);
    struct consul_source *s = q->owner;

    source_note(s, o, false);
    if (o->result == WATCH_GOOD) {
        if (v->logged)
            log_info("discovery", "service=%s: answers again", v->name);
        v->logged = false;
        source_tell_recalled(s, true);
        return;
    }
    if (o->result == WATCH_INVALID) {
        catalog_refused(s->catalog, v->name, clock_now_ns());
        source_touch(s);
    }
    /* While the lead fails too, its one line says it all. */
    if (v->logged || s->lead.query.watch.failures > 0 ||
        (o->result != WATCH_DENIED && q->watch.failures < FAILURES_TO_LOG))
        return;
    log_warn("discovery", "service=%s: %s; what is known stays in use", v->name, o->error);
    v->logged = true;
}

static void service_ended(struct query *q)
{
    struct service *v = CONTAINER_OF(q, struct service, query);

    list_remove(&v->link);
    service_free(v);
}

static const struct query_ops service_ops = {service_read, service_apply, service_after,
                                             service_ended};

void service_free(struct service *v)
{
    query_release(&v->query);
    arena_free(v->read_arena);
    free(v->name);
    free(v);
}

struct service *service_add(struct consul_source *s, const char *name)
{
    struct service *v = calloc(1, sizeof *v);
    char *encoded = consul_http_encode(name), *path;

    if (!v || !encoded || asprintf(&path, "/v1/health/service/%s", encoded) < 0)
        abort();
    v->name = strdup(name);
    if (!v->name)
        abort();
    list_init(&v->link);
    query_init(&v->query, &service_ops, &s->pool, s, path);
    v->query.options.polled = true;
    HASH_ADD_KEYPTR(hh, s->services, v->name, strlen(v->name), v);
    free(encoded);
    free(path);
    catalog_watch(s->catalog, name);
    query_keep(&v->query);
    return v;
}

void service_remove(struct consul_source *s, struct service *v, bool vanished)
{
    catalog_unwatch(s->catalog, v->name, vanished, clock_now_ns());
    HASH_DEL(s->services, v);
    list_push_back(&s->ending, &v->link);
    query_end(&v->query);
}
