/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/function.h"

static const struct value *too_large(struct expr_run *run)
{
    return run_fail(run, "the result is too large");
}

static const struct value *made(struct expr_run *run, const struct value *v)
{
    return v ? v : too_large(run);
}

const struct value *fn_keys(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *v = a[0].value;
    const struct value **items = arena_try(run->arena, v->n * sizeof *items);

    (void)n;
    if (!items || !run_step(run, v->n))
        return too_large(run);
    for (size_t i = 0; i < v->n; i++)
        if (!(items[i] = value_string(run->arena, v->members[i].name)))
            return too_large(run);
    return made(run, value_array(run->arena, items, v->n));
}

const struct value *fn_values(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *v = a[0].value;
    const struct value **items = arena_try(run->arena, v->n * sizeof *items);

    (void)n;
    if (!items || !run_step(run, v->n))
        return too_large(run);
    for (size_t i = 0; i < v->n; i++)
        items[i] = v->members[i].value;
    return made(run, value_array(run->arena, items, v->n));
}

static const struct value *merged(struct expr_run *run, const struct value *const *objects,
                                  size_t n)
{
    struct member *members;
    size_t count = 0, at = 0;

    for (size_t i = 0; i < n; i++)
        count += objects[i]->n;
    members = arena_try(run->arena, count * sizeof *members);
    if (!members || !run_step(run, count))
        return too_large(run);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < objects[i]->n; k++)
            members[at++] = objects[i]->members[k];
    return made(run, value_object(run->arena, members, count));
}

const struct value *fn_merge(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value **objects = arena_try(run->arena, n * sizeof *objects);

    if (!objects)
        return too_large(run);
    for (size_t i = 0; i < n; i++)
        objects[i] = a[i].value;
    return merged(run, objects, n);
}

/* The paths of a list of "a" and "b.c", without the first name where that is `name`; *ret_whole:
 * one of them is just that. NULL = memory. */
static struct str *paths_below(struct expr_run *run, const struct str *paths, size_t n,
                               struct str name, size_t *ret_n, bool *ret_whole)
{
    struct str *below = arena_try(run->arena, n * sizeof *below);

    *ret_n = 0;
    *ret_whole = false;
    for (size_t i = 0; below && i < n; i++) {
        if (!str_starts(paths[i], name))
            continue;
        if (paths[i].n == name.n)
            *ret_whole = true;
        else if (paths[i].p[name.n] == '.')
            below[(*ret_n)++] = (struct str){paths[i].p + name.n + 1, paths[i].n - name.n - 1};
    }
    return below;
}

static const struct value *shaped(struct expr_run *run, const struct value *v,
                                  const struct str *paths, size_t n, bool keep)
{
    struct member *members;
    size_t kept = 0;

    if (v->kind != VALUE_OBJECT)
        return v;
    members = arena_try(run->arena, v->n * sizeof *members);
    if (!members || !run_step(run, v->n * (n + 1)))
        return too_large(run);
    for (size_t i = 0; i < v->n; i++) {
        const struct member *m = &v->members[i];
        size_t nbelow;
        bool whole;
        struct str *below = paths_below(run, paths, n, m->name, &nbelow, &whole);

        if (!below)
            return too_large(run);
        if (keep ? !whole && nbelow == 0 : whole)
            continue;
        members[kept] = *m;
        if (nbelow > 0 && !whole)
            members[kept].value = shaped(run, m->value, below, nbelow, keep);
        if (!members[kept++].value)
            return NULL;
    }
    return made(run, value_object(run->arena, members, kept));
}

static const struct value *by_paths(struct expr_run *run, const struct argument *a, bool keep)
{
    const struct value *list = a[1].value;
    struct str *paths = arena_try(run->arena, list->n * sizeof *paths);

    for (size_t i = 0; paths && i < list->n; i++) {
        paths[i] = value_text(run->arena, list->items[i]);
        if (!paths[i].p)
            return too_large(run);
    }
    return paths ? shaped(run, a[0].value, paths, list->n, keep) : too_large(run);
}

const struct value *fn_omit(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return by_paths(run, a, false);
}

const struct value *fn_pick(struct expr_run *run, const struct argument *a, size_t n)
{
    (void)n;
    return by_paths(run, a, true);
}

/* A number or a string as the name of a member; false: it is neither, or memory is out. */
static bool key_text(struct expr_run *run, const struct value *key, struct str *ret)
{
    if (key->kind == VALUE_NUMBER)
        *ret = key->text;
    else if (key->kind == VALUE_STRING)
        *ret = value_text(run->arena, key);
    else
        return false;
    return ret->p != NULL;
}

/* Items by their key; the first of several with the same. */
static const struct value *indexed(struct expr_run *run, const struct value *list,
                                   const struct expr_node *by)
{
    struct member *members = arena_try(run->arena, list->n * sizeof *members);
    size_t n = 0;

    if (!members)
        return too_large(run);
    for (size_t i = list->n; i-- > 0;) {
        const struct value *key = node_eval(by, list->items[i], run);
        struct str name;

        if (!key)
            return NULL;
        if (key_text(run, key, &name))
            members[n++] = (struct member){name, list->items[i]};
    }
    return made(run, value_object(run->arena, members, n));
}

/* The last of several with the same key counts, as when an object is filled one by one. */
const struct value *fn_index_by(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *list = a[1].value;
    struct member *members = arena_try(run->arena, list->n * sizeof *members);
    size_t count = 0;

    (void)n;
    if (!members)
        return too_large(run);
    for (size_t i = 0; i < list->n; i++) {
        const struct value *key = node_eval(a[0].ref, list->items[i], run);
        struct str name;

        if (!key)
            return NULL;
        if (!key_text(run, key, &name))
            return run_fail(run, "a key of index_by is neither a number nor a string");
        members[count++] = (struct member){name, list->items[i]};
    }
    return made(run, value_object(run->arena, members, count));
}

const struct value *fn_join_by(struct expr_run *run, const struct argument *a, size_t n)
{
    const struct value *left = a[0].value, *index = indexed(run, a[1].value, a[3].ref);
    const struct value **items = index ? arena_try(run->arena, left->n * sizeof *items) : NULL;

    (void)n;
    if (!index)
        return NULL;
    if (!items)
        return too_large(run);
    for (size_t i = 0; i < left->n; i++) {
        const struct value *item = left->items[i], *key = node_eval(a[2].ref, item, run);
        const struct value *other = NULL;
        struct str name;

        if (!key)
            return NULL;
        if (item->kind == VALUE_OBJECT && key_text(run, key, &name))
            other = value_get(index, name);
        items[i] = other && other->kind == VALUE_OBJECT
                       ? merged(run, (const struct value *const[]){item, other}, 2)
                       : item;
        if (!items[i])
            return NULL;
    }
    return made(run, value_array(run->arena, items, left->n));
}
