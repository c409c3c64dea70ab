/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/aggregated.h"
#include "base/hash.h"
#include "cache/rules.h"
#include "http/media_type.h"
#include "policy/identity.h"
#include "proxy/access.h"
#include "proxy/client_fields.h"
#include "proxy/compensation.h"
#include "proxy/head.h"

#include <stdio.h>
#include <stdlib.h>

static struct aggregated *of(struct exchange *x)
{
    return (struct aggregated *)x->composed;
}

static const struct value *memory_out(struct exchange *x, const char *why)
{
    x->detail = why;
    exchange_refuse(x, REASON_PART_TOO_LARGE);
    return NULL;
}

/* Claims come from libraries' JSON; here they are text again. */
static const struct value *claims_value(struct exchange *x, struct arena *a)
{
    const struct identity *who = x->access ? x->access->identity : NULL;
    char *text = who ? json_dumps(who->claims, JSON_COMPACT) : NULL;
    const char *why;
    const struct value *v = text ? value_parse(a, str_of(text), VALUE_MAX_DEPTH, &why) : NULL;

    free(text);
    return v ? v : value_null();
}

/* NULL: x->fail says why. Null: there is none. */
static const struct value *body_value(struct exchange *x, struct aggregated *g)
{
    struct str text = whole_body_text(x, &g->body);
    const struct header *type = request_header_named(&x->req, STR("content-type"));
    const struct value *v;
    const char *why;

    if (text.n == 0)
        return value_null();
    if (!type || !media_type_is_json(type->value)) {
        exchange_refuse(x, REASON_MEDIA_TYPE);
        return NULL;
    }
    v = value_parse(g->arena, text, g->conf->max_depth, &why);
    if (v)
        return v;
    snprintf(g->detail, sizeof g->detail, "the body %s", why);
    x->detail = g->detail;
    exchange_refuse(x, REASON_BAD_REQUEST);
    return NULL;
}

/* What every request of this answer says of its client. */
static bool make_fields(struct exchange *x, struct aggregated *g)
{
    struct buf *b = bufpool_get(&x->w->bufs);
    struct writer w = {b, false};
    bool good = b && client_fields_write(x, false, &g->fields) &&
                client_fields_write(x, true, &g->door_fields);

    if (good && x->access)
        access_write_request_fields(x, &w);
    good = good && !w.overflow && bytes_add(&g->granted, b->data + b->start, buf_len(b));
    bufpool_put(&x->w->bufs, &b);
    return good;
}

static bool make_scope(struct exchange *x, struct aggregated *g)
{
    const struct value *body;

    for (unsigned i = 0; i < x->match.nparams && i < SCOPE_MAX_PARAMS; i++) {
        g->scope.params[i].name = x->match.params[i].name;
        g->scope.params[i].value = x->match.params[i].value;
    }
    g->scope.nparams = x->match.nparams;
    body = body_value(x, g);
    if (!body)
        return false;
    g->scope.request = scope_request(g->arena, x->req.method_name, x->req.path, x->req.query,
                                     claims_value(x, g->arena), body);
    return g->scope.request || memory_out(x, "the request") != NULL;
}

/* V_NEXT: it can begin. */
static enum verdict begin(struct exchange *x, struct aggregated *g)
{
    enum verdict v = V_NEXT;

    if (g->composed.timed_out)
        return exchange_refuse(x, REASON_REQUEST_TIMEOUT);
    if (g->conf->reads_request)
        v = whole_body_read(x, &g->body, g->conf->max_request);
    if (v != V_NEXT)
        return v;
    if (!make_scope(x, g))
        return V_FINISH;
    if (!make_fields(x, g))
        return exchange_refuse(x, REASON_HEADERS_TOO_LARGE);
    g->begun = true;
    g->told.max_age = -1;
    g->deadline_ns = x->w->now_ns + g->conf->deadline_ms * NS_PER_MS;
    return V_NEXT;
}

static void start_calls(struct aggregated *g, struct aggregate_part *part)
{
    for (unsigned k = 0; k < part->n && g->running < g->conf->concurrency; k++)
        if (!part->calls[k].started && !part->calls[k].over)
            aggregate_call_start(&part->calls[k]);
}

/* Begins and ends what can be. A part that ends may let others begin. */
static void advance(struct aggregated *g)
{
    for (size_t round = 0; round <= 2 * g->conf->nparts && !g->failed; round++)
        for (unsigned i = 0; i < g->conf->nparts && !g->failed; i++) {
            struct aggregate_part *part = &g->parts[i];

            if (part->stage == PART_WAITS && !(g->conf->parts[i].after & ~g->over))
                aggregate_part_begin(g, i);
            if (part->stage == PART_RUNS)
                start_calls(g, part);
            if (part->stage == PART_RUNS && part->over == part->n)
                aggregate_part_end(g, i);
        }
}

static bool all_over(const struct aggregated *g)
{
    return g->over == (1u << g->conf->nparts) - 1;
}

/* The deadline: what is not there is missing. */
static void expire(struct aggregated *g)
{
    for (unsigned i = 0; i < g->conf->nparts; i++) {
        struct aggregate_part *part = &g->parts[i];

        for (unsigned k = 0; part->stage == PART_RUNS && k < part->n; k++) {
            part->calls[k].reached |= part->calls[k].sub != NULL;
            aggregate_call_end(&part->calls[k], REASON_UPSTREAM_TIMEOUT,
                               "the deadline of the whole answer");
        }
        if (part->stage == PART_RUNS)
            aggregate_part_end(g, i);
        if (part->stage == PART_WAITS)
            aggregate_part_skip(g, i, REASON_UPSTREAM_TIMEOUT,
                                "the deadline came before it could be asked");
    }
}

static void on_undone(void *arg)
{
    struct exchange *x = arg;

    conn_run(x->conn);
}

/* The whole has failed: nothing more is asked, and what was written is taken back. */
static enum verdict give_up(struct exchange *x, struct aggregated *g)
{
    if (!g->undo) {
        aggregate_log(g);
        aggregate_break_off(g);
        if (!aggregate_undo_prepare(g))
            return V_FINISH;
        g->why = x->fail;
        x->fail = REASON_NONE;
        x->step_deadline_ns = 0;
        compensation_go(g->undo, on_undone, x);
        return V_WAIT;
    }
    if (!compensation_over(g->undo))
        return V_WAIT;
    aggregate_undo_say(g);
    x->fail = g->why;
    return V_FINISH;
}

static bool add_line(struct bytes *to, const char *name, struct str value)
{
    return bytes_add_str(to, str_of(name)) && bytes_add_str(to, STR(": ")) &&
           bytes_add_str(to, value) && bytes_add_str(to, STR("\r\n"));
}

/* As strict as the strictest part; what depends on who asks is for nobody else. */
static struct str caching(const struct aggregated *g, char buf[64])
{
    bool is_private = g->told.is_private || (g->x->access && g->x->access->identity);
    const char *written =
        g->nfailures > 0 ? g->conf->partial_cache_control : g->conf->cache_control;

    if (written)
        return str_of(written);
    if (g->told.no_store)
        return STR("no-store");
    if (g->told.max_age < 0 && !is_private)
        return STR_NULL;
    snprintf(buf, 64, "%smax-age=%lld", is_private ? "private, " : "",
             g->told.unsaid || g->told.max_age < 0 ? 0LL : (long long)g->told.max_age);
    return str_of(buf);
}

static bool make_head(struct exchange *x, struct aggregated *g)
{
    struct composed *c = &g->composed;
    struct str body = bytes_str(&c->body);
    struct bytes partial = {0};
    char etag[48], cache[64];
    struct str cache_control = caching(g, cache);
    bool good = add_line(&c->fields, "Content-Type", STR("application/json"));

    if (cache_control.n > 0)
        good = good && add_line(&c->fields, "Cache-Control", cache_control);
    if (g->nfailures == 0 && x->req.method <= METHOD_HEAD) {
        snprintf(etag, sizeof etag, "W/\"%016llx%08llx\"",
                 (unsigned long long)hash_bytes(body.p, body.n, 1),
                 (unsigned long long)body.n & 0xffffffff);
        good = good && add_line(&c->fields, "ETag", str_of(etag));
        if (rules_not_modified(&x->req, str_of(etag), STR_NULL))
            c->status = 304;
    }
    if (g->nfailures > 0)
        good = good && compose_partial_field(g->conf, g->failures, g->nfailures, &partial) &&
               add_line(&c->fields, "Frontdesk-Partial", bytes_str(&partial));
    bytes_free(&partial);
    return good;
}

static int compare_failures(const void *x, const void *y)
{
    const struct part_failure *a = x, *b = y;

    return a->part != b->part ? (int)a->part - (int)b->part : a->item - b->item;
}

static enum verdict finish(struct exchange *x, struct aggregated *g)
{
    const struct value *shown[MAX_PARTS];
    struct expr_run run = {.arena = g->arena, .steps = EXPR_STEPS, .why = NULL};
    const struct value *v;

    x->step_deadline_ns = 0;
    aggregate_log(g);
    if (g->nfailures > 0)
        qsort(g->failures, g->nfailures, sizeof *g->failures, compare_failures);
    for (size_t i = 0; i < g->conf->nparts; i++)
        shown[i] = g->parts[i].shown;
    v = compose(g->conf, shown, g->failures, g->nfailures, &run);
    if (!v || !value_write(v, g->conf->max_total, &g->composed.body)) {
        x->detail = v ? "the answer as a whole" : run.why;
        return exchange_refuse(x, v ? REASON_PART_TOO_LARGE : REASON_PART_INVALID);
    }
    g->composed.status = g->nfailures > 0 ? g->conf->partial_status : 200;
    if (!make_head(x, g))
        return exchange_refuse(x, REASON_INTERNAL);
    g->composed.made = true;
    return V_FINISH;
}

static enum verdict run(struct exchange *x)
{
    struct aggregated *g = of(x);

    if (!g->begun) {
        enum verdict v = begin(x, g);

        if (v != V_NEXT)
            return v;
    }
    if (g->failed)
        return give_up(x, g);
    /* Its timer may be behind what has woken it. */
    if (g->composed.timed_out || x->w->now_ns >= g->deadline_ns)
        expire(g);
    g->composed.timed_out = false;
    advance(g);
    if (g->failed)
        return give_up(x, g);
    if (all_over(g))
        return finish(x, g);
    exchange_wait(x, 1 + (g->deadline_ns - x->w->now_ns) / NS_PER_MS, REASON_UPSTREAM_TIMEOUT);
    return V_WAIT;
}

static void free_all(struct exchange *x)
{
    struct aggregated *g = of(x);

    aggregate_undo_leave(g);
    if (g->undo)
        compensation_free(g->undo);
    for (size_t i = 0; i < g->conf->nparts; i++) {
        for (unsigned k = 0; k < g->parts[i].n; k++)
            subrequest_end(&g->parts[i].calls[k].sub);
        free(g->parts[i].calls);
    }
    whole_body_free(&g->body);
    bytes_free(&g->fields);
    bytes_free(&g->door_fields);
    bytes_free(&g->granted);
    free(g->failures);
    arena_free(g->arena);
    free(g);
}

static const struct composed_ops ops = {run, free_all};

struct composed *aggregated_new(struct exchange *x)
{
    struct aggregated *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->composed.ops = &ops;
    g->x = x;
    g->conf = x->match.route->conf->aggregate;
    g->arena = arena_new_bounded(g->conf->max_total);
    if (g->arena)
        return &g->composed;
    free(g);
    return NULL;
}
