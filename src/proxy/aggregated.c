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

static bool is_json(struct str value)
{
    struct str bare;

    return media_type_read(value, &bare) && (media_type_matches(STR("application/json"), bare) ||
                                             media_type_matches(STR("application/*+json"), bare));
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
    if (!type || !is_json(type->value)) {
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

static bool note_failure(struct aggregated *g, const struct part_failure *f)
{
    if (g->nfailures == g->cap_failures) {
        size_t cap = g->cap_failures ? g->cap_failures * 2 : 8;
        struct part_failure *more = realloc(g->failures, cap * sizeof *more);

        if (!more)
            return false;
        g->failures = more;
        g->cap_failures = cap;
    }
    g->failures[g->nfailures++] = *f;
    return true;
}

/* For the access log: parts as they are written, whatever came first. */
static void make_log(struct aggregated *g)
{
    size_t n = 0;

    for (size_t i = 0; i < g->conf->nparts && n < sizeof g->log; i++)
        if (g->parts[i].word)
            n += (size_t)snprintf(g->log + n, sizeof g->log - n, "%s%s:%s:%llu", n > 0 ? "," : "",
                                  g->conf->parts[i].name, g->parts[i].word,
                                  (unsigned long long)g->parts[i].took_ms);
    g->composed.log = g->log;
}

static void note_word(struct aggregated *g, unsigned i, const char *word, uint64_t ms)
{
    g->parts[i].word = word;
    g->parts[i].took_ms = ms;
}

/* What the part has to show when nothing went wrong: as selected. NULL: failed, with a reason. */
static const struct value *select_value(struct aggregated *g, const struct part_conf *p,
                                        const struct value *v, const char **ret_why)
{
    struct expr_run run = {.arena = g->arena, .steps = EXPR_STEPS};
    const struct value *shown = p->select ? expr_eval(p->select, v, &run) : v;

    if (shown && p->nplace == 0 && shown->kind != VALUE_OBJECT && shown->kind != VALUE_NULL) {
        *ret_why = "only an object can be merged at the root";
        return NULL;
    }
    *ret_why = run.why;
    return shown;
}

/* The whole fails with this. */
static void fail(struct aggregated *g, const struct part_conf *p, const struct part_failure *f)
{
    struct exchange *x = g->x;

    g->failed = true;
    x->fail = f->reason;
    if (f->reason == REASON_UPSTREAM_CUT)
        x->fail = REASON_UPSTREAM_RESET;
    if (x->fail == REASON_UPSTREAM_STATUS)
        x->status = f->status >= 400 ? f->status : 502;
    snprintf(g->detail, sizeof g->detail, "part %s%s%s", p->name, f->detail ? ": " : "",
             f->detail ? f->detail : "");
    x->detail = g->detail;
}

static void note_part_failure(struct aggregated *g, unsigned i, const struct part_failure *f)
{
    const struct part_conf *p = &g->conf->parts[i];

    note_word(g, i, reason_info(f->reason)->word, f->took_ms);
    if ((p->required || !note_failure(g, f)) && !g->failed)
        fail(g, p, f);
}

static struct part_failure failure_of(const struct aggregate_call *call, bool listed)
{
    return (struct part_failure){
        .part = call->part,
        .item = listed ? (int)call->index : -1,
        .reason = call->reason,
        .status = call->reason == REASON_UPSTREAM_STATUS ? call->status : 0,
        .detail = call->detail,
        .took_ms = call->took_ms,
    };
}

/* The answer is there, but not from whom it should be. */
static void note_fallback(struct aggregated *g, const struct aggregate_call *call, bool listed)
{
    struct part_failure f = {
        .part = call->part,
        .item = listed ? (int)call->index : -1,
        .reason = call->fallback_reason,
        .fallback = call->fallback,
        .took_ms = call->took_ms,
    };

    if (call->fallback && call->reason == REASON_NONE)
        (void)note_failure(g, &f);
}

static const struct value *stand_in(struct aggregated *g, const struct part_conf *p)
{
    const struct value *v = compose_fallback(g->arena, p);

    return v ? v : value_null();
}

static void end_single(struct aggregated *g, unsigned i)
{
    struct aggregate_part *part = &g->parts[i];
    const struct part_conf *p = &g->conf->parts[i];
    struct aggregate_call *call = &part->calls[0];
    const char *why = NULL;

    if (call->reason == REASON_NONE && !call->empty) {
        g->scope.parts[i] = call->value;
        part->shown = select_value(g, p, call->value, &why);
        if (!part->shown) {
            call->reason = REASON_PART_INVALID;
            call->detail = why;
        }
    }
    if (call->reason != REASON_NONE) {
        struct part_failure f = failure_of(call, false);

        note_part_failure(g, i, &f);
    } else {
        note_fallback(g, call, false);
        note_word(g, i, call->empty ? "empty" : call->fallback ? "fallback" : "ok", call->took_ms);
    }
    if (!part->shown)
        part->shown = stand_in(g, p);
}

/* A list: what each has given, the fallback where one has not. */
static void end_list(struct aggregated *g, unsigned i)
{
    struct aggregate_part *part = &g->parts[i];
    const struct part_conf *p = &g->conf->parts[i];
    const struct value **raw = arena_try(g->arena, part->n * sizeof *raw);
    const struct value **shown = arena_try(g->arena, part->n * sizeof *shown);
    uint64_t longest = 0;
    bool failed = false;

    for (unsigned k = 0; raw && shown && k < part->n; k++) {
        struct aggregate_call *call = &part->calls[k];
        const char *why;

        longest = call->took_ms > longest ? call->took_ms : longest;
        raw[k] = call->value && call->reason == REASON_NONE ? call->value : value_null();
        shown[k] = call->reason == REASON_NONE && !call->empty
                       ? select_value(g, p, call->value, &why)
                       : NULL;
        if (call->reason == REASON_NONE && !call->empty && !shown[k]) {
            call->reason = REASON_PART_INVALID;
            call->detail = why;
        }
        if (call->reason != REASON_NONE) {
            struct part_failure f = failure_of(call, true);

            failed = true;
            note_part_failure(g, i, &f);
        }
        note_fallback(g, call, true);
        if (!shown[k])
            shown[k] = stand_in(g, p);
    }
    if (!failed)
        note_word(g, i, "ok", longest);
    if (raw && shown) {
        g->scope.parts[i] = value_array(g->arena, raw, part->n);
        part->shown = value_array(g->arena, shown, part->n);
    }
    if (!part->shown)
        part->shown = stand_in(g, p);
}

static void end_part(struct aggregated *g, unsigned i)
{
    g->parts[i].stage = PART_OVER;
    g->over |= 1u << i;
    if (g->conf->parts[i].for_each)
        end_list(g, i);
    else
        end_single(g, i);
}

/* Over without a call: not asked, or not to be asked. */
static void skip_part(struct aggregated *g, unsigned i, enum reason why, const char *detail)
{
    const struct part_conf *p = &g->conf->parts[i];
    struct part_failure f = {.part = i, .item = -1, .reason = why, .detail = detail};

    g->parts[i].stage = PART_OVER;
    g->over |= 1u << i;
    g->parts[i].shown = stand_in(g, p);
    if (why != REASON_NONE)
        note_part_failure(g, i, &f);
    else
        note_word(g, i, "not_asked", 0);
}

/* NULL: the part is over, with a failure or without. */
static const struct value *evaluate(struct aggregated *g, unsigned i, const struct expr *x)
{
    struct expr_run run = {.arena = g->arena, .steps = EXPR_STEPS, .why = "is too large"};
    const struct value *scope = scope_value(g->arena, &g->scope, g->conf, NULL);
    const struct value *v = scope ? expr_eval(x, scope, &run) : NULL;

    if (!v)
        skip_part(g, i, REASON_PART_SKIPPED, run.why);
    return v;
}

static bool make_calls(struct aggregated *g, unsigned i, const struct value *list)
{
    struct aggregate_part *part = &g->parts[i];

    part->n = list ? (unsigned)list->n : 1;
    part->calls = calloc(part->n ? part->n : 1, sizeof *part->calls);
    if (!part->calls)
        return false;
    for (unsigned k = 0; k < part->n; k++)
        part->calls[k] = (struct aggregate_call){
            .g = g, .part = i, .index = k, .item = list ? list->items[k] : NULL};
    return true;
}

static void begin_part(struct aggregated *g, unsigned i)
{
    const struct part_conf *p = &g->conf->parts[i];
    const struct value *list = NULL, *holds;

    if (p->when) {
        holds = evaluate(g, i, p->when);
        if (holds && !expr_is_true(holds))
            skip_part(g, i, REASON_NONE, NULL);
        if (!holds || !expr_is_true(holds))
            return;
    }
    if (p->for_each) {
        list = evaluate(g, i, p->for_each);
        if (!list)
            return;
        if (list->kind == VALUE_NULL) {
            skip_part(g, i, REASON_PART_SKIPPED, "the list for for_each is not there");
            return;
        }
        if (list->kind != VALUE_ARRAY || list->n > p->max_items) {
            skip_part(g, i, list->kind == VALUE_ARRAY ? REASON_PART_TOO_LARGE : REASON_PART_SKIPPED,
                      list->kind == VALUE_ARRAY ? "more items than max_items"
                                                : "what for_each gives is no list");
            return;
        }
    }
    g->parts[i].stage = PART_RUNS;
    if (!make_calls(g, i, list))
        skip_part(g, i, REASON_INTERNAL, "memory is out");
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
                begin_part(g, i);
            if (part->stage == PART_RUNS)
                start_calls(g, part);
            if (part->stage == PART_RUNS && part->over == part->n)
                end_part(g, i);
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
            end_part(g, i);
        if (part->stage == PART_WAITS)
            skip_part(g, i, REASON_UPSTREAM_TIMEOUT, "the deadline came before it could be asked");
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
        make_log(g);
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
    make_log(g);
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
