/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_checks.h"
#include "consul_json.h"

#include <stdlib.h>

struct consul_checks_watch {
    struct query query;
    struct arena *arena, *read_arena; /* owned; hold the two lists */
    struct consul_checks list, read;
    bool heard;
    consul_checks_changed_fn *changed;
    consul_checks_outcome_fn *outcome;
    void *arg;
};

static int checks_read(struct query *q, struct str body, struct err *e)
{
    struct consul_checks_watch *k = CONTAINER_OF(q, struct consul_checks_watch, query);

    arena_free(k->read_arena);
    k->read_arena = arena_new();
    return consul_json_checks(body, k->read_arena, &k->read, e);
}

static void tell_differences(struct consul_checks_watch *k)
{
    const struct consul_checks *old = &k->list, *new = &k->read;
    unsigned i = 0, j = 0;

    while (i < old->n || j < new->n) {
        int order = i == old->n   ? 1
                    : j == new->n ? -1
                                  : consul_check_compare(&old->items[i], &new->items[j]);

        if (order != 0)
            k->changed(k->arg, order < 0 ? old->items[i].service : new->items[j].service);
        i += order <= 0;
        j += order >= 0;
    }
}

/* Only a hint: a false one costs a request, so even a doubtful answer is taken. */
static bool checks_apply(struct query *q, bool complete, bool empty_ok)
{
    struct consul_checks_watch *k = CONTAINER_OF(q, struct consul_checks_watch, query);

    (void)complete;
    (void)empty_ok;
    if (k->heard)
        tell_differences(k);
    arena_free(k->arena);
    k->arena = k->read_arena;
    k->read_arena = NULL;
    k->list = k->read;
    k->heard = true;
    return true;
}

static void checks_after(struct query *q, const struct query_outcome *o)
{
    struct consul_checks_watch *k = CONTAINER_OF(q, struct consul_checks_watch, query);

    if (!o->answer->renewed)
        k->outcome(k->arg, o);
}

static void checks_ended(struct query *q)
{
    (void)q;
    abort(); /* query_end() is not used on it */
}

struct consul_checks_watch *consul_checks_new(struct query_pool *p, const char *path,
                                              uint64_t wait_ms, consul_checks_changed_fn *changed,
                                              consul_checks_outcome_fn *outcome, void *arg)
{
    static const struct query_ops ops = {
        .read = checks_read, .apply = checks_apply, .after = checks_after, .ended = checks_ended};
    struct consul_checks_watch *k = calloc(1, sizeof *k);

    if (!k)
        abort();
    k->changed = changed;
    k->outcome = outcome;
    k->arg = arg;
    query_init(&k->query, &ops, p, k, path);
    k->query.options.wait_ms = wait_ms;
    query_kick(&k->query);
    return k;
}

void consul_checks_free(struct consul_checks_watch *k)
{
    if (!k)
        return;
    query_release(&k->query);
    arena_free(k->arena);
    arena_free(k->read_arena);
    free(k);
}

void consul_checks_kick(struct consul_checks_watch *k)
{
    query_kick(&k->query);
}
