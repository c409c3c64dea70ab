/* SPDX-License-Identifier: Apache-2.0 */
/* consul_service.c - the instances of one service and their health. */
#include "base/clock.h"
#include "base/log.h"
#include "consul_http.h"
#include "consul_source_parts.h"
#include "place.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FAILURES_TO_LOG = 3,     /* of one service while the agent answers others */
    WAIT_FOR_LEAD_MS = 30000 /* to twice as much */
};

static int service_read(struct query *q, struct str body, struct err *e)
{
    struct service *v = CONTAINER_OF(q, struct service, query);
    const struct consul_source *s = q->owner;

    arena_free(v->read_arena);
    v->read_arena = arena_new();
    if (v->query.options.no_index)
        return consul_json_prepared(body, s->zone_key, v->read_arena, &v->read, e);
    return consul_json_health(body, s->zone_key, v->read_arena, &v->read, e);
}

static void leave_out_warnings(struct consul_health *h)
{
    for (unsigned i = 0; i < h->n; i++)
        if (h->items[i].health == HEALTH_WARNING)
            h->items[i].weight = 0;
}

static void log_skipped(struct service *v)
{
    if (v->read.skipped > 0 && v->read.skipped != v->skipped_logged)
        log_warn("discovery", "service=%s: %u instance%s left out: %s", v->label, v->read.skipped,
                 v->read.skipped == 1 ? "" : "s", v->read.skipped_why);
    v->skipped_logged = v->read.skipped;
}

/* Not all of the answer is believed. */
static void note_doubt(struct service *v)
{
    const struct consul_source *s = v->query.owner;
    struct discovery_watch_status status = {0};

    if (catalog_status(v->catalog, v->name, &status))
        v->query.read_again_ns = status.believed_ns;
    if (catalog_asks_rights(v->catalog, v->name))
        consul_http_check(s->http, &v->wish);
    else if (s->status.leader_known)
        consul_http_check_soon(s->http);
}

static void on_checked(void *arg, bool trusted, const char *why)
{
    struct service *v = arg;

    if (!trusted)
        log_debug("discovery", "service=%s: what is missing may be for want of rights: %s",
                  v->label, why);
    catalog_set_rights(v->catalog, v->name, trusted, clock_now_ns());
    if (!list_empty(&v->place_link))
        groups_note(v->query.owner, v);
    source_touch(v->query.owner);
}

static bool service_apply(struct query *q, bool complete, bool empty_ok)
{
    struct service *v = CONTAINER_OF(q, struct service, query);
    struct consul_source *s = q->owner;
    struct consul_health *h = &v->read;
    const struct catalog_answer answer = {
        .arena = v->read_arena,
        .items = h->items,
        .n = h->n,
        .skipped = h->skipped,
        .complete = complete && (h->n > 0 || empty_ok),
        .asked_ns = q->asked_ns,
    };
    bool whole;

    v->read_arena = NULL;
    if (s->pool.heard) /* else it is recalled */
        agent_answered(s);
    log_skipped(v);
    if (v->only_passing)
        leave_out_warnings(h);
    whole = catalog_put(v->catalog, v->name, &answer, clock_now_ns());
    if (!whole)
        note_doubt(v);
    if (v->unlisted && !catalog_has_instances(v->catalog, v->name)) {
        q->rest = true;
        source_review_later(s);
    }
    source_touch(s);
    return whole;
}

static void note_bad(struct service *v, const struct query_outcome *o)
{
    struct consul_source *s = v->query.owner;

    snprintf(v->error, sizeof v->error, "%s", o->error);
    v->agent_away = o->result == WATCH_REFUSED;
    v->refused = o->result == WATCH_INVALID;
    if (v->refused) {
        catalog_refused(v->catalog, v->name, clock_now_ns());
        source_touch(s);
    }
    /* While the lead fails too, its one line says it all. */
    if (v->logged || s->lead.query.watch.failures > 0 ||
        (o->result != WATCH_DENIED && v->query.watch.failures < FAILURES_TO_LOG))
        return;
    log_warn("discovery", "service=%s: %s; what is known stays in use", v->label, o->error);
    v->logged = true;
}

/* While the agent answers nobody, thousands of services need not find that out again and again: the
 * lead does, and wakes them all. */
static void wait_for_lead(struct service *v, const struct query_outcome *o)
{
    struct consul_source *s = v->query.owner;

    if ((o->result == WATCH_FAILED || o->result == WATCH_REFUSED) &&
        s->lead.query.watch.failures > 1 && v->query.watch.failures > 1)
        query_put_off(&v->query, WAIT_FOR_LEAD_MS + rng_below(&s->pool.rng, WAIT_FOR_LEAD_MS));
}

static void note_good(struct service *v)
{
    if (v->logged)
        log_info("discovery", "service=%s: answers again", v->label);
    v->logged = v->refused = v->agent_away = false;
    v->answered_ns = clock_now_ns();
}

static void service_after(struct query *q, const struct query_outcome *o)
{
    struct service *v = CONTAINER_OF(q, struct service, query);
    struct consul_source *s = q->owner;

    if (o->answer->renewed)
        return;
    /* What went wrong in another datacenter, or with a filter, says nothing about the agent. */
    if (!v->special || o->result == WATCH_LIMITED || o->answer->status == 0)
        source_note(s, o, false);
    if (o->result == WATCH_GOOD) {
        note_good(v);
        source_tell_recalled(s, NULL);
    } else {
        note_bad(v, o);
        wait_for_lead(v, o);
    }
    if (!list_empty(&v->place_link))
        groups_note(s, v);
}

static void service_ended(struct query *q)
{
    struct service *v = CONTAINER_OF(q, struct service, query);
    struct consul_source *s = q->owner;

    list_remove(&v->link);
    service_free(v);
    if (s->pool.heard)
        source_tell_recalled(s, NULL);
    /* The connection that it had is another one's now. */
    if (s->npolled > 0)
        source_review_later(s);
}

static bool service_urgent(const struct query *q)
{
    const struct service *v = CONTAINER_OF(q, struct service, query);
    const struct consul_source *s = q->owner;

    return s->traffic && s->traffic(s->traffic_arg, v->of);
}

static const struct query_ops service_ops = {.read = service_read,
                                             .apply = service_apply,
                                             .after = service_after,
                                             .ended = service_ended,
                                             .urgent = service_urgent};

void service_free(struct service *v)
{
    query_release(&v->query);
    consul_wish_drop(&v->wish);
    arena_free(v->read_arena);
    list_remove(&v->place_link);
    free(v->name);
    free(v->label);
    free(v->of);
    free(v);
}

static char *copy(const char *z)
{
    char *c = strdup(z);

    if (!c)
        abort();
    return c;
}

/* Takes the path over. */
static struct service *add(struct consul_source *s, struct catalog *c, const char *name, char *path)
{
    struct service *v = calloc(1, sizeof *v);

    if (!v)
        abort();
    v->catalog = c;
    v->name = copy(name);
    list_init(&v->link);
    list_init(&v->place_link);
    consul_wish_init(&v->wish, on_checked, v);
    query_init(&v->query, &service_ops, &s->pool, s, path);
    free(path);
    v->query.options.polled = true;
    HASH_ADD_KEYPTR(hh, s->services, v->name, strlen(v->name), v);
    catalog_watch(c, name);
    return v;
}

struct service *service_add(struct consul_source *s, const char *name)
{
    struct discovery_place usual = {.service = name};
    struct service *v = add(s, s->catalog, name, place_path(&usual));

    v->label = copy(name);
    v->of = copy(name);
    v->wish.service = v->of;
    query_keep(&v->query);
    return v;
}

struct service *service_add_place(struct consul_source *s, const struct group_place *p)
{
    struct service *v = add(s, s->places, p->key, place_path(&p->conf));

    v->label = place_label(&p->conf, "");
    catalog_label(s->places, p->key, v->label);
    v->of = copy(p->conf.query ? "" : p->conf.service);
    v->wish.service = v->of[0] ? v->of : NULL;
    v->special = place_is_special(&p->conf);
    v->only_passing = p->conf.only_passing;
    v->query.suffix = place_suffix(&p->conf, s->stale, s->datacenter);
    v->query.options.no_index = p->conf.query != NULL;
    list_push_back(&s->place_list, &v->place_link);
    if (!v->query.options.no_index)
        query_keep(&v->query);
    return v;
}

void service_end(struct consul_source *s, struct service *v)
{
    HASH_DEL(s->services, v);
    list_remove(&v->place_link);
    list_push_back(&s->ending, &v->link);
    query_end(&v->query);
}
