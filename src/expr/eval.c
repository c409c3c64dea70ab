/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/node.h"

#include <stdlib.h>

/* Items of a result while they are found; in the arena, so that a failure leaves nothing. */
struct list {
    const struct value **items;
    size_t n, cap;
};

const struct value *run_fail(struct expr_run *run, const char *why)
{
    if (!run->why)
        run->why = why;
    return NULL;
}

static const struct value *too_large(struct expr_run *run)
{
    return run_fail(run, "the result is too large");
}

bool run_step(struct expr_run *run, size_t n)
{
    if (run->steps < n) {
        run->steps = 0;
        run_fail(run, "takes too many steps");
        return false;
    }
    run->steps -= (unsigned)n;
    return true;
}

static bool list_add(struct expr_run *run, struct list *l, const struct value *v)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        const struct value **more = arena_try(run->arena, cap * sizeof *more);

        if (!more)
            return too_large(run) != NULL;
        if (l->n > 0)
            memcpy(more, l->items, l->n * sizeof *more);
        l->items = more;
        l->cap = cap;
    }
    l->items[l->n++] = v;
    return run_step(run, 1);
}

static const struct value *list_value(struct expr_run *run, const struct list *l)
{
    const struct value *v = value_array(run->arena, l->items, l->n);

    return v ? v : too_large(run);
}

bool expr_is_true(const struct value *v)
{
    switch (v->kind) {
    case VALUE_NULL:
    case VALUE_FALSE:
        return false;
    case VALUE_STRING:
        return v->text.n > 0;
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        return v->n > 0;
    case VALUE_TRUE:
    case VALUE_NUMBER:
        break;
    }
    return true;
}

static const struct value *index_of(const struct expr_node *n, const struct value *v)
{
    int64_t at = n->index < 0 ? n->index + (int64_t)v->n : n->index;

    return v->kind == VALUE_ARRAY && at >= 0 && at < (int64_t)v->n ? v->items[at] : value_null();
}

static int64_t clamp(int64_t at, int64_t n, int64_t low, int64_t high)
{
    at = at < 0 ? at + n : at;
    return at < low ? low : at > high ? high : at;
}

/* As Python slices, which the specification follows. */
static const struct value *slice_of(struct expr_run *run, const struct expr_node *s,
                                    const struct value *v)
{
    int64_t n = (int64_t)v->n, step = s->slice.step;
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
    int64_t start = s->slice.has_start ? clamp(s->slice.start, n, low, high)
                    : step < 0         ? high
                                       : low;
    int64_t stop = s->slice.has_stop ? clamp(s->slice.stop, n, low, high) : step < 0 ? low : high;
    struct list out = {0};

    if (v->kind != VALUE_ARRAY)
        return value_null();
    for (int64_t i = start; step < 0 ? i > stop : i < stop; i += step)
        if (!list_add(run, &out, v->items[i]))
            return NULL;
    return list_value(run, &out);
}

/* Null results are left out. */
static bool project(struct expr_run *run, const struct expr_node *n, const struct value *item,
                    struct list *out)
{
    const struct value *v;

    if (n->cond) {
        v = node_eval(n->cond, item, run);
        if (!v)
            return false;
        if (!expr_is_true(v))
            return true;
    }
    v = node_eval(n->right, item, run);
    if (!v)
        return false;
    return v->kind == VALUE_NULL || list_add(run, out, v);
}

static const struct value *projection(struct expr_run *run, const struct expr_node *n,
                                      const struct value *v)
{
    const struct value *left = node_eval(n->left, v, run);
    bool values = n->kind == N_VALUE_PROJECTION;
    struct list out = {0};

    if (!left)
        return NULL;
    if (left->kind != (values ? VALUE_OBJECT : VALUE_ARRAY))
        return value_null();
    for (size_t i = 0; i < left->n; i++)
        if (!project(run, n, values ? left->members[i].value : left->items[i], &out))
            return NULL;
    return list_value(run, &out);
}

static const struct value *flatten(struct expr_run *run, const struct value *v)
{
    struct list out = {0};

    if (v->kind != VALUE_ARRAY)
        return value_null();
    for (size_t i = 0; i < v->n; i++) {
        const struct value *item = v->items[i];
        bool nested = item->kind == VALUE_ARRAY;

        for (size_t k = 0; k < (nested ? item->n : 1); k++)
            if (!list_add(run, &out, nested ? item->items[k] : item))
                return NULL;
    }
    return list_value(run, &out);
}

static const struct value *compare(struct expr_run *run, const struct expr_node *n,
                                   const struct value *v)
{
    const struct value *x = node_eval(n->left, v, run), *y = x ? node_eval(n->right, v, run) : NULL;
    double a, b;

    if (!y)
        return NULL;
    if (n->op == OP_EQ || n->op == OP_NE) {
        if (!run_step(run, x->n + y->n))
            return NULL;
        return value_bool(value_equal(run->arena, x, y) == (n->op == OP_EQ));
    }
    if (x->kind != VALUE_NUMBER || y->kind != VALUE_NUMBER)
        return value_null();
    a = value_double(x);
    b = value_double(y);
    return value_bool(n->op == OP_LT   ? a < b
                      : n->op == OP_LE ? a <= b
                      : n->op == OP_GT ? a > b
                                       : a >= b);
}

static const struct value *multi_list(struct expr_run *run, const struct expr_node *n,
                                      const struct value *v)
{
    struct list out = {0};

    if (v->kind == VALUE_NULL)
        return v;
    for (size_t i = 0; i < n->n; i++) {
        const struct value *item = node_eval(n->items[i], v, run);

        if (!item || !list_add(run, &out, item))
            return NULL;
    }
    return list_value(run, &out);
}

static const struct value *multi_hash(struct expr_run *run, const struct expr_node *n,
                                      const struct value *v)
{
    struct member *members;
    const struct value *object;

    if (v->kind == VALUE_NULL)
        return v;
    members = arena_try(run->arena, n->n * sizeof *members);
    if (!members || !run_step(run, n->n))
        return too_large(run);
    for (size_t i = 0; i < n->n; i++) {
        members[i].name = n->names[i];
        members[i].value = node_eval(n->items[i], v, run);
        if (!members[i].value)
            return NULL;
    }
    object = value_object(run->arena, members, n->n);
    return object ? object : too_large(run);
}

static const struct value *call(struct expr_run *run, const struct expr_node *n,
                                const struct value *v)
{
    struct argument *args = arena_try(run->arena, n->n * sizeof *args);

    if (!args)
        return too_large(run);
    for (size_t i = 0; i < n->n; i++) {
        if (n->items[i]->kind == N_REF) {
            args[i].ref = n->items[i]->left;
            continue;
        }
        args[i].value = node_eval(n->items[i], v, run);
        if (!args[i].value)
            return NULL;
    }
    return function_call(n->function, run, args, n->n);
}

static const struct value *logic(struct expr_run *run, const struct expr_node *n,
                                 const struct value *v)
{
    const struct value *left = node_eval(n->left, v, run);

    if (!left)
        return NULL;
    if (n->kind == N_NOT)
        return value_bool(!expr_is_true(left));
    return expr_is_true(left) == (n->kind == N_OR) ? left : node_eval(n->right, v, run);
}

/* Of what is left of the operator. */
static const struct value *of_left(struct expr_run *run, const struct expr_node *n,
                                   const struct value *v)
{
    const struct value *left = node_eval(n->left, v, run);

    if (!left)
        return NULL;
    switch (n->kind) {
    case N_INDEX:
        return index_of(n, left);
    case N_SLICE:
        return slice_of(run, n, left);
    case N_FLATTEN:
        return flatten(run, left);
    default:
        return node_eval(n->right, left, run);
    }
}

static const struct value *field(const struct expr_node *n, const struct value *v)
{
    const struct value *found = value_get(v, n->name);

    return found ? found : value_null();
}

const struct value *node_eval(const struct expr_node *n, const struct value *v,
                              struct expr_run *run)
{
    if (!run_step(run, 1))
        return NULL;
    switch (n->kind) {
    case N_CURRENT:
        return v;
    case N_FIELD:
        return field(n, v);
    case N_LITERAL:
        return n->value;
    case N_INDEX:
    case N_SLICE:
    case N_FLATTEN:
    case N_SUB:
        return of_left(run, n, v);
    case N_PROJECTION:
    case N_VALUE_PROJECTION:
    case N_FILTER_PROJECTION:
        return projection(run, n, v);
    case N_OR:
    case N_AND:
    case N_NOT:
        return logic(run, n, v);
    case N_COMPARE:
        return compare(run, n, v);
    case N_LIST:
        return multi_list(run, n, v);
    case N_HASH:
        return multi_hash(run, n, v);
    case N_CALL:
        return call(run, n, v);
    case N_REF:
        break;
    }
    return run_fail(run, "an expression stands where a value is needed");
}

const struct value *expr_eval(const struct expr *x, const struct value *document,
                              struct expr_run *run)
{
    run->why = NULL;
    return node_eval(x->root, document, run);
}
