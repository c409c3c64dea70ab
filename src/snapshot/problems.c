/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/problems.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/log.h"

#include <stdlib.h>

enum { MAX_PROBLEMS = 10000 };

struct problems {
    struct arena *arena; /* owned: all strings */
    struct route_problem *list;
    uint64_t *found; /* hashes of those in the list */
    size_t n, cap;
    uint64_t *told; /* hashes of those before, sorted */
    size_t ntold;
};

struct problems *problems_new(void)
{
    struct problems *p = alloc_or_abort(sizeof *p);

    p->arena = arena_new();
    return p;
}

void problems_free(struct problems *p)
{
    if (!p)
        return;
    arena_free(p->arena);
    free(p->list);
    free(p->found);
    free(p->told);
    free(p);
}

void problems_begin(struct problems *p)
{
    p->n = 0;
    arena_reset(p->arena);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static bool was_told(const struct problems *p, uint64_t hash)
{
    return p->ntold > 0 && bsearch(&hash, p->told, p->ntold, sizeof hash, by_value);
}

static void grow(struct problems *p)
{
    p->cap = p->cap ? p->cap * 2 : 16;
    p->list = realloc(p->list, p->cap * sizeof *p->list);
    p->found = realloc(p->found, p->cap * sizeof *p->found);
    if (!p->list || !p->found)
        abort();
}

bool problems_add(struct problems *p, enum tag_problem_kind kind, const char *service,
                  const char *subject, const char *why)
{
    uint64_t hash = hash_str(str_of(why), hash_str(str_of(subject), hash_str(str_of(service), 0)));

    if (kind == TAG_DIFFERS || p->n == MAX_PROBLEMS)
        return false;
    if (p->n == p->cap)
        grow(p);
    p->found[p->n] = hash;
    p->list[p->n++] =
        (struct route_problem){arena_strdup(p->arena, service), arena_strdup(p->arena, subject),
                               arena_strdup(p->arena, why)};
    if (was_told(p, hash))
        return false;
    log_warn("routes", "%s: %s%s%s: %s", kind == TAG_LEFT_OUT ? "left out" : "not obeyed", subject,
             service[0] ? " of " : "", service, why);
    return true;
}

void problems_end(struct problems *p)
{
    free(p->told);
    p->told = alloc_or_abort((p->n + 1) * sizeof *p->told);
    p->ntold = p->n;
    for (size_t i = 0; i < p->n; i++)
        p->told[i] = p->found[i];
    qsort(p->told, p->ntold, sizeof *p->told, by_value);
}

size_t problems_found(const struct problems *p, const struct route_problem **ret_list)
{
    *ret_list = p->list;
    return p->n;
}
