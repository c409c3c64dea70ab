/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate_graph.c - which part of an aggregate has to come before which. */
#include "config/aggregate.h"
#include "expr/expr.h"
#include "expr/template.h"

#include <string.h>

struct graph {
    struct reader *r;
    struct part_draft *parts;
    size_t n;
    const struct value_params *params;
    struct aggregate_conf *conf;
};

static int find_part(const struct graph *g, struct str name)
{
    for (size_t i = 0; i < g->n; i++)
        if (str_eq(str_of(g->parts[i].conf.name), name))
            return (int)i;
    return -1;
}

static bool is_param(const struct graph *g, struct str name)
{
    for (unsigned i = 0; i < g->params->n; i++)
        if (str_eq(g->params->names[i], name))
            return true;
    return false;
}

/* `own`: the part may refer to its own answer, since that is there by then. */
static int take_roots(struct graph *g, struct part_draft *d, const struct node *n,
                      const struct str *roots, size_t nroots, bool own)
{
    for (size_t i = 0; i < nroots; i++) {
        int part = find_part(g, roots[i]);

        g->conf->reads_request |= str_eq(roots[i], STR("request"));
        if (part >= 0 && &g->parts[part] == d && !own)
            return node_error(n, g->r->err, "the part refers to its own answer");
        if (part >= 0) {
            d->conf.after |= &g->parts[part] == d ? 0 : 1u << part;
        } else if (str_eq(roots[i], STR("item"))
                       ? !d->conf.for_each
                       : !str_eq(roots[i], STR("request")) && !is_param(g, roots[i])) {
            return node_error(n, g->r->err,
                              "\"%.*s\" is no part, no parameter of the path, and neither request "
                              "nor the item of a for_each",
                              STR_FMT(roots[i]));
        }
    }
    return 0;
}

static int take_expr(struct graph *g, struct part_draft *d, const char *key, const struct expr *x)
{
    const struct node *n = node_get(d->node, key);
    const struct str *roots;
    size_t nroots = x ? expr_roots(x, &roots) : 0;

    return nroots > 0 ? take_roots(g, d, n ? n : d->node, roots, nroots, false) : 0;
}

static int take_template(struct graph *g, struct part_draft *d, const struct template *t,
                         const struct node *n, bool own)
{
    const struct str *roots;
    size_t nroots = template_roots(t, &roots);

    return take_roots(g, d, n, roots, nroots, own);
}

static int take_compensation(struct graph *g, struct part_draft *d)
{
    const struct compensation_conf *c = d->conf.compensate;
    const struct node *n = node_get(d->node, "compensate");
    const struct str *roots;
    size_t nroots;

    if (!c)
        return 0;
    if (take_template(g, d, c->path, n, true) < 0)
        return -1;
    nroots = c->body ? expr_roots(c->body, &roots) : 0;
    return nroots > 0 ? take_roots(g, d, n, roots, nroots, true) : 0;
}

static int take_after(struct graph *g, struct part_draft *d)
{
    for (size_t i = 0; i < d->nafter; i++) {
        int part = find_part(g, str_of(d->after[i]));

        if (part < 0)
            return node_error(node_get(d->node, "after"), g->r->err, "there is no part \"%.60s\"",
                              d->after[i]);
        d->conf.after |= 1u << part;
    }
    return 0;
}

static int take_edges(struct graph *g, struct part_draft *d)
{
    return take_after(g, d) < 0 ||
                   take_template(g, d, d->conf.path, node_get(d->node, "path"), false) < 0 ||
                   take_expr(g, d, "when", d->conf.when) < 0 ||
                   take_expr(g, d, "for_each", d->conf.for_each) < 0 ||
                   take_expr(g, d, "body", d->conf.body) < 0 || take_compensation(g, d) < 0
               ? -1
               : 0;
}

/* Parts that can never begin, as bits: those on a cycle and those behind one. */
static uint32_t stuck(const struct graph *g)
{
    uint32_t all = g->n < 32 ? (1u << g->n) - 1 : UINT32_MAX, done = 0;

    for (size_t round = 0; round < g->n; round++)
        for (size_t i = 0; i < g->n; i++)
            if ((g->parts[i].conf.after & ~done) == 0)
                done |= 1u << i;
    return all & ~done;
}

/* Follows what each waits for until one comes again; that is on a cycle. */
static int say_cycle(const struct graph *g, uint32_t set)
{
    unsigned at = (unsigned)__builtin_ctz(set);
    uint32_t seen = 0;
    const char *text;
    unsigned first;

    while (!(seen & 1u << at)) {
        seen |= 1u << at;
        at = (unsigned)__builtin_ctz(g->parts[at].conf.after & set);
    }
    first = at;
    text = g->parts[at].conf.name;
    do {
        at = (unsigned)__builtin_ctz(g->parts[at].conf.after & set);
        text = arena_printf(g->r->scratch, "%s after %s", text, g->parts[at].conf.name);
    } while (at != first);
    return node_error(g->parts[first].node, g->r->err, "parts wait for each other: %s", text);
}

/* All that come before part i, one way or the other. */
static uint32_t all_before(const struct graph *g, size_t i)
{
    uint32_t before = g->parts[i].conf.after;

    for (size_t round = 0; round < g->n; round++)
        for (size_t k = 0; k < g->n; k++)
            if (before & 1u << k)
                before |= g->parts[k].conf.after;
    return before;
}

static int check_order(const struct graph *g, size_t i, size_t k)
{
    if (all_before(g, i) & 1u << k || all_before(g, k) & 1u << i)
        return 0;
    return node_error(g->parts[k].node, g->r->err,
                      "two writes need an order: say which of %s and %s comes after the other",
                      g->parts[i].conf.name, g->parts[k].conf.name);
}

static int check_writes(const struct graph *g)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct part_draft *d = &g->parts[i];
        bool last = true;

        if (!d->conf.writes)
            continue;
        if (!g->conf->writes)
            return node_error(node_get(d->node, "method"), g->r->err,
                              "%s is a write: the aggregate has to say writes: true, or the part "
                              "safe: true",
                              d->conf.method);
        for (size_t k = 0; k < g->n; k++) {
            if (k > i && g->parts[k].conf.writes && check_order(g, i, k) < 0)
                return -1;
            last &= !g->parts[k].conf.writes || !(all_before(g, k) & 1u << i);
        }
        if (!last && !d->compensates)
            return node_error(d->node, g->r->err,
                              "another write comes after it: say what takes this one back "
                              "(compensate), or compensate: none");
    }
    return 0;
}

int graph_make(struct reader *r, struct part_draft *parts, size_t nparts,
               const struct value_params *params, struct aggregate_conf *c)
{
    struct graph g = {r, parts, nparts, params, c};
    uint32_t set;

    for (size_t i = 0; i < nparts; i++) {
        if (is_param(&g, str_of(parts[i].conf.name)))
            return node_error(parts[i].node, r->err, "the path has a parameter of that name");
        if (take_edges(&g, &parts[i]) < 0)
            return -1;
    }
    set = stuck(&g);
    if (set)
        return say_cycle(&g, set);
    return check_writes(&g);
}
