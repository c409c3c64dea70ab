/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate_part.c - a part of an aggregate: what it begins with, and what its calls come to. */
#include "proxy/aggregated.h"

#include <stdio.h>
#include <stdlib.h>

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
void aggregate_log(struct aggregated *g)
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
        const char *why = NULL;

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

void aggregate_part_end(struct aggregated *g, unsigned i)
{
    g->parts[i].stage = PART_OVER;
    g->over |= 1u << i;
    if (g->conf->parts[i].for_each)
        end_list(g, i);
    else
        end_single(g, i);
}

/* Over without a call: not asked, or not to be asked. */
void aggregate_part_skip(struct aggregated *g, unsigned i, enum reason why, const char *detail)
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
        aggregate_part_skip(g, i, REASON_PART_SKIPPED, run.why);
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

void aggregate_part_begin(struct aggregated *g, unsigned i)
{
    const struct part_conf *p = &g->conf->parts[i];
    const struct value *list = NULL, *holds;

    if (p->when) {
        holds = evaluate(g, i, p->when);
        if (holds && !expr_is_true(holds))
            aggregate_part_skip(g, i, REASON_NONE, NULL);
        if (!holds || !expr_is_true(holds))
            return;
    }
    if (p->for_each) {
        list = evaluate(g, i, p->for_each);
        if (!list)
            return;
        if (list->kind == VALUE_NULL) {
            aggregate_part_skip(g, i, REASON_PART_SKIPPED, "the list for for_each is not there");
            return;
        }
        if (list->kind != VALUE_ARRAY || list->n > p->max_items) {
            aggregate_part_skip(
                g, i, list->kind == VALUE_ARRAY ? REASON_PART_TOO_LARGE : REASON_PART_SKIPPED,
                list->kind == VALUE_ARRAY ? "more items than max_items"
                                          : "what for_each gives is no list");
            return;
        }
    }
    g->parts[i].stage = PART_RUNS;
    if (!make_calls(g, i, list))
        aggregate_part_skip(g, i, REASON_INTERNAL, "memory is out");
}
