/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/function.h"

#include <stdlib.h>

static const struct value *too_large(struct expr_run *run)
{
    return run_fail(run, "the result is too large");
}

static double total(const struct value *v)
{
    double sum = 0;

    for (size_t i = 0; i < v->n; i++)
        sum += value_double(v->items[i]);
    return sum;
}

static const struct value *number(struct expr_run *run, double d)
{
    const struct value *v = value_number(run->arena, d);

    return v ? v : too_large(run);
}

const struct value *fn_sum(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return number(run, total(a[0].value));
}

const struct value *fn_avg(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *v = a[0].value;

    (void)n;
    return v->n > 0 ? number(run, total(v) / (double)v->n) : value_null();
}

/* What an item is compared by: a number or a text. */
struct sort_key {
    const struct value *item;
    double number;
    struct str text; /* p = NULL: it is a number */
    size_t at;
};

static int compare_keys(const void *x, const void *y)
{
    const struct sort_key *a = x, *b = y;
    size_t n = a->text.n < b->text.n ? a->text.n : b->text.n;
    int d;

    if (!a->text.p)
        return a->number == b->number ? 0 : a->number < b->number ? -1 : 1;
    /* Bytes of UTF-8 are in the order of the characters. */
    d = n > 0 ? memcmp(a->text.p, b->text.p, n) : 0;
    return d ? d : (a->text.n > b->text.n) - (a->text.n < b->text.n);
}

static int compare_stable(const void *x, const void *y)
{
    const struct sort_key *a = x, *b = y;
    int d = compare_keys(x, y);

    return d ? d : (a->at > b->at) - (a->at < b->at);
}

static bool take_key(struct expr_run *run, struct sort_key *k, const struct value *by)
{
    if (by->kind == VALUE_NUMBER)
        k->number = value_double(by);
    else if (by->kind == VALUE_STRING)
        k->text = value_text(run->arena, by);
    else
        return run_fail(run, "what to sort by is neither a number nor a string") != NULL;
    return by->kind == VALUE_NUMBER || k->text.p || too_large(run) != NULL;
}

/* `by` = NULL: the items themselves. NULL: failed. */
static struct sort_key *keys_of(struct expr_run *run, const struct value *v,
                                const struct expr_node *by)
{
    struct sort_key *keys = arena_try(run->arena, v->n * sizeof *keys);

    if (!keys)
        too_large(run);
    for (size_t i = 0; keys && i < v->n; i++) {
        const struct value *key = by ? node_eval(by, v->items[i], run) : v->items[i];

        keys[i].item = v->items[i];
        keys[i].at = i;
        if (!key || !take_key(run, &keys[i], key))
            return NULL;
        if (!keys[i].text.p != !keys[0].text.p) {
            run_fail(run, "what to sort by is sometimes a number and sometimes a string");
            return NULL;
        }
    }
    return keys;
}

static const struct value *sorted(struct expr_run *run, const struct value *v,
                                  const struct expr_node *by)
{
    struct sort_key *keys = keys_of(run, v, by);
    const struct value **items = keys ? arena_try(run->arena, v->n * sizeof *items) : NULL;
    const struct value *result;

    if (!keys)
        return NULL;
    if (!items)
        return too_large(run);
    qsort(keys, v->n, sizeof *keys, compare_stable);
    for (size_t i = 0; i < v->n; i++)
        items[i] = keys[i].item;
    result = value_array(run->arena, items, v->n);
    return result ? result : too_large(run);
}

const struct value *fn_sort(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return sorted(run, a[0].value, NULL);
}

const struct value *fn_sort_by(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return sorted(run, a[0].value, a[1].ref);
}

/* The first of the largest (sign = 1) or the smallest (-1). */
static const struct value *extreme(struct expr_run *run, const struct value *v,
                                   const struct expr_node *by, int sign)
{
    struct sort_key *keys = keys_of(run, v, by), *best = keys;

    if (!keys)
        return NULL;
    if (v->n == 0)
        return value_null();
    for (size_t i = 1; i < v->n; i++)
        if (compare_keys(&keys[i], best) * sign > 0)
            best = &keys[i];
    return best->item;
}

const struct value *fn_max(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return extreme(run, a[0].value, NULL, 1);
}

const struct value *fn_min(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return extreme(run, a[0].value, NULL, -1);
}

const struct value *fn_max_by(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return extreme(run, a[0].value, a[1].ref, 1);
}

const struct value *fn_min_by(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return extreme(run, a[0].value, a[1].ref, -1);
}

const struct value *fn_map(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *v = a[1].value, *result;
    const struct value **items = arena_try(run->arena, v->n * sizeof *items);

    (void)n;
    if (!items)
        return too_large(run);
    for (size_t i = 0; i < v->n; i++)
        if (!(items[i] = node_eval(a[0].ref, v->items[i], run)))
            return NULL;
    result = value_array(run->arena, items, v->n);
    return result ? result : too_large(run);
}

/* As they are written: what joins valid strings is one. */
const struct value *fn_join(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *glue = a[0].value, *list = a[1].value;
    struct value *v;
    size_t bytes = 0, at = 0;
    char *out;

    (void)n;
    for (size_t i = 0; i < list->n; i++)
        bytes += list->items[i]->text.n + (i > 0 ? glue->text.n : 0);
    v = arena_try(run->arena, sizeof *v);
    out = arena_try(run->arena, bytes + 1);
    if (!v || !out)
        return too_large(run);
    v->kind = VALUE_STRING;
    for (size_t i = 0; i < list->n; i++) {
        const struct value *parts[] = {i > 0 ? glue : NULL, list->items[i]};

        for (size_t k = 0; k < 2; k++) {
            if (!parts[k] || parts[k]->text.n == 0)
                continue;
            memcpy(out + at, parts[k]->text.p, parts[k]->text.n);
            at += parts[k]->text.n;
            v->escaped |= parts[k]->escaped;
        }
    }
    v->text = (struct str){out, at};
    return v;
}
