/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate_undo.c - which writes of an aggregate are taken back, and by which requests. */
#include "proxy/aggregated.h"
#include "proxy/compensation.h"

#include <stdio.h>

void aggregate_break_off(struct aggregated *g)
{
    for (unsigned i = 0; i < g->conf->nparts; i++)
        for (unsigned k = 0; k < g->parts[i].n; k++) {
            g->parts[i].calls[k].reached |= g->parts[i].calls[k].sub != NULL;
            aggregate_call_end(&g->parts[i].calls[k], REASON_CLIENT_GONE, NULL);
        }
}

/* Has this part written something, as far as one can know, that can be taken back? */
static bool has_written(const struct aggregated *g, unsigned i)
{
    const struct aggregate_part *part = &g->parts[i];

    return g->conf->parts[i].writes && part->calls && part->n > 0 && part->calls[0].reached;
}

static bool undo_part(struct aggregated *g, unsigned i)
{
    const struct part_conf *p = &g->conf->parts[i];
    const struct compensation_conf *c = p->compensate;
    struct expr_run run = {.arena = g->arena, .steps = EXPR_STEPS};
    struct bytes path = {0}, body = {0}, fields = {0};
    bool good;

    /* The part may have ended badly, and its answer be of use all the same. */
    if (!g->scope.parts[i])
        g->scope.parts[i] = g->parts[i].calls[0].value;
    good = aggregate_request(g, c->path, c->body, NULL, &run, &path, &body) &&
           bytes_add_str(&fields, bytes_str(&g->fields)) &&
           (!c->body || bytes_add_str(&fields, STR("Content-Type: application/json\r\n"))) &&
           compensation_add(g->undo, g->x, p->name, g->x->match.route->part_slots[i],
                            str_of(c->method), bytes_str(&path), bytes_str(&fields),
                            bytes_str(&g->granted), bytes_str(&body), g->conf->compensation_ms);
    bytes_free(&path);
    bytes_free(&body);
    bytes_free(&fields);
    return good;
}

/* Writes in the order in which they came: one that comes after another has that in `after`, if not
 * by itself, so a part is later than all that were over before it began. */
static unsigned order_of(const struct aggregated *g, unsigned i)
{
    unsigned before = 0;
    uint32_t set = g->conf->parts[i].after;

    for (unsigned round = 0; round < g->conf->nparts; round++)
        for (unsigned k = 0; k < g->conf->nparts; k++)
            if (set & 1u << k)
                set |= g->conf->parts[k].after;
    for (unsigned k = 0; k < g->conf->nparts; k++)
        before += (set >> k & 1) && g->conf->parts[k].writes;
    return before;
}

static void say_not_undone(struct aggregated *g, unsigned i)
{
    size_t n = strlen(g->detail);

    snprintf(g->detail + n, sizeof g->detail - n, "; %s was not taken back",
             g->conf->parts[i].name);
}

/* Prepares what takes the writes back, the last one first. True: there is something to do. */
bool aggregate_undo_prepare(struct aggregated *g)
{
    bool any = false;

    if (!g->conf->writes || g->undo)
        return false;
    g->undo = compensation_new(g->x->w);
    for (unsigned order = MAX_PARTS; order-- > 0;)
        for (unsigned i = 0; i < g->conf->nparts; i++) {
            if (!has_written(g, i) || order_of(g, i) != order)
                continue;
            if (g->undo && g->conf->parts[i].compensate && undo_part(g, i))
                any = true;
            else
                say_not_undone(g, i);
        }
    if (!any && g->undo) {
        compensation_free(g->undo);
        g->undo = NULL;
    }
    return any;
}

void aggregate_undo_say(struct aggregated *g)
{
    struct str good = compensation_undone(g->undo, true), bad = compensation_undone(g->undo, false);
    size_t n = strlen(g->detail);

    if (good.n > 0)
        n += (size_t)snprintf(g->detail + n, sizeof g->detail - n, "; taken back: %s", good.p);
    if (bad.n > 0 && n < sizeof g->detail)
        snprintf(g->detail + n, sizeof g->detail - n, "; could not be taken back: %s", bad.p);
}

/* The client has left in the middle of a write, or before what it began with was made whole. */
void aggregate_undo_leave(struct aggregated *g)
{
    if (g->undo && !compensation_over(g->undo)) {
        compensation_leave(g->undo);
        g->undo = NULL;
        return;
    }
    if (g->undo || !g->begun || g->composed.made || g->failed)
        return;
    aggregate_break_off(g);
    if (g->over != (1u << g->conf->nparts) - 1 && aggregate_undo_prepare(g)) {
        compensation_go(g->undo, NULL, NULL);
        g->undo = NULL;
    }
}
