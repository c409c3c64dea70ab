/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregate/compose.h"

#include <stdio.h>

const struct value *compose_fallback(struct arena *a, const struct part_conf *p)
{
    const char *why;

    return p->fallback.n > 0 ? value_parse(a, p->fallback, VALUE_MAX_DEPTH, &why) : value_null();
}

/* `base` with one more member; NULL or something else than an object counts as an empty one. */
static const struct value *with_member(struct arena *a, const struct value *base, struct str name,
                                       const struct value *v)
{
    size_t n = base && base->kind == VALUE_OBJECT ? base->n : 0;
    struct member *m = v ? arena_try(a, (n + 1) * sizeof *m) : NULL;

    if (!m)
        return NULL;
    if (n > 0)
        memcpy(m, base->members, n * sizeof *m);
    m[n] = (struct member){name, v};
    return value_object(a, m, n + 1);
}

static const struct value *put(struct arena *a, const struct value *base, const struct str *place,
                               size_t n, const struct value *v)
{
    const struct value *below = base ? value_get(base, place[0]) : NULL;

    return with_member(a, base, place[0], n == 1 ? v : put(a, below, place + 1, n - 1, v));
}

/* Its members among those of the root. What is no object has none. */
static const struct value *merge(struct arena *a, const struct value *root, const struct value *v)
{
    size_t more = v->kind == VALUE_OBJECT ? v->n : 0;
    struct member *m = arena_try(a, (root->n + more) * sizeof *m);

    if (!m)
        return NULL;
    if (root->n > 0)
        memcpy(m, root->members, root->n * sizeof *m);
    if (more > 0)
        memcpy(m + root->n, v->members, more * sizeof *m);
    return value_object(a, m, root->n + more);
}

static const struct value *number(struct arena *a, uint64_t v)
{
    return value_number(a, (double)v);
}

static const struct value *failure_value(struct arena *a, const struct aggregate_conf *c,
                                         const struct part_failure *f)
{
    const struct part_conf *p = &c->parts[f->part];
    struct member *m = arena_try(a, 8 * sizeof *m);
    size_t n = 0;

    if (!m)
        return NULL;
    m[n++] = (struct member){STR("part"), value_string(a, str_of(p->name))};
    if (f->item >= 0)
        m[n++] = (struct member){STR("item"), number(a, (uint64_t)f->item)};
    m[n++] = (struct member){STR("service"), value_string(a, str_of(p->service))};
    m[n++] = (struct member){STR("reason"), value_string(a, str_of(reason_info(f->reason)->word))};
    if (f->status)
        m[n++] = (struct member){STR("status"), number(a, f->status)};
    if (f->fallback)
        m[n++] = (struct member){STR("fallback"), value_string(a, str_of(f->fallback))};
    if (f->detail)
        m[n++] = (struct member){STR("detail"), value_string(a, str_of(f->detail))};
    m[n++] = (struct member){STR("ms"), number(a, f->took_ms)};
    for (size_t i = 0; i < n; i++)
        if (!m[i].value)
            return NULL;
    return value_object(a, m, n);
}

static const struct value *failures_value(struct arena *a, const struct aggregate_conf *c,
                                          const struct part_failure *failures, size_t n)
{
    const struct value **items = arena_try(a, n * sizeof *items);

    for (size_t i = 0; items && i < n; i++)
        if (!(items[i] = failure_value(a, c, &failures[i])))
            return NULL;
    return items ? value_array(a, items, n) : NULL;
}

static const struct value *too_large(struct expr_run *run)
{
    run->why = "the answer is too large";
    return NULL;
}

const struct value *compose(const struct aggregate_conf *c, const struct value *const *shown,
                            const struct part_failure *failures, size_t nfailures,
                            struct expr_run *run)
{
    struct arena *a = run->arena;
    const struct value *root = value_object(a, NULL, 0);

    for (size_t i = 0; root && i < c->nparts; i++) {
        const struct part_conf *p = &c->parts[i];

        root =
            p->nplace > 0 ? put(a, root, p->place, p->nplace, shown[i]) : merge(a, root, shown[i]);
    }
    if (!root)
        return too_large(run);
    if (c->select && !(root = expr_eval(c->select, root, run)))
        return NULL;
    if (nfailures == 0 || !c->errors[0] || root->kind != VALUE_OBJECT)
        return root;
    root = with_member(a, root, str_of(c->errors), failures_value(a, c, failures, nfailures));
    return root ? root : too_large(run);
}

bool compose_partial_field(const struct aggregate_conf *c, const struct part_failure *failures,
                           size_t nfailures, struct bytes *to)
{
    char text[160];

    for (size_t i = 0; i < nfailures; i++) {
        const struct part_failure *f = &failures[i];
        int n = 0;

        n += snprintf(text, sizeof text, "%s%.64s", i > 0 ? ", " : "", c->parts[f->part].name);
        if (f->item >= 0)
            n += snprintf(text + n, sizeof text - (size_t)n, "; item=%d", f->item);
        n += snprintf(text + n, sizeof text - (size_t)n, "; reason=%s",
                      reason_info(f->reason)->word);
        if (f->status)
            n += snprintf(text + n, sizeof text - (size_t)n, "; status=%u", f->status);
        if (f->fallback)
            n += snprintf(text + n, sizeof text - (size_t)n, "; fallback=%s", f->fallback);
        n += snprintf(text + n, sizeof text - (size_t)n, "; ms=%llu",
                      (unsigned long long)f->took_ms);
        if (!bytes_add(to, text, (size_t)n))
            return false;
    }
    return true;
}
