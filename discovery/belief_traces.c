/* SPDX-License-Identifier: Apache-2.0 */
#include "belief_traces.h"
#include "instances.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *key_of(const struct instance *i)
{
    char *key;

    if (asprintf(&key, "%s\1%s\1%s\1%u", i->node, i->id, i->address, i->port) < 0)
        abort();
    return key;
}

struct trace *trace_find(const struct belief *b, const struct instance *i)
{
    struct trace *t;
    char *key;

    if (!b->traces)
        return NULL;
    key = key_of(i);
    HASH_FIND_STR(b->traces, key, t);
    free(key);
    return t;
}

struct trace *trace_get(struct belief *b, const struct instance *i)
{
    struct trace *t = trace_find(b, i);

    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->key = key_of(i);
    HASH_ADD_KEYPTR(hh, b->traces, t->key, strlen(t->key), t);
    return t;
}

static void drop(struct belief *b, struct trace *t)
{
    HASH_DEL(b->traces, t);
    free(t->key);
    free(t);
}

void traces_free(struct belief *b)
{
    struct trace *t, *tmp;

    HASH_ITER(hh, b->traces, t, tmp)
    {
        drop(b, t);
    }
}

void traces_tidy(struct belief *b, uint64_t now_ns)
{
    struct trace *t, *tmp;

    HASH_ITER(hh, b->traces, t, tmp)
    {
        if (t->missing_ns == 0 && flap_over(&t->flap, b->world->options.damping_ms, now_ns))
            drop(b, t);
    }
}

static void compare_one(struct belief *b, const struct instance *was, const struct instance *is,
                        uint64_t now_ns)
{
    bool fell = was->health != HEALTH_CRITICAL && is->health == HEALTH_CRITICAL;
    bool recovered = was->health == HEALTH_CRITICAL && is->health != HEALTH_CRITICAL;
    struct trace *t;

    if (fell && b->world->options.damping_ms)
        flap_fell(&trace_get(b, is)->flap, now_ns);
    t = recovered ? trace_find(b, is) : NULL;
    if (t)
        flap_recovered(&t->flap, now_ns);
}

void traces_compare(struct belief *b, const struct instance_set *before,
                    const struct instance_set *after, uint64_t now_ns)
{
    unsigned i = 0, k = 0;

    while (before && i < before->n && k < after->n) {
        int order = instance_compare(&before->items[i], &after->items[k]);

        if (order == 0)
            compare_one(b, &before->items[i], &after->items[k], now_ns);
        i += order <= 0;
        k += order >= 0;
    }
}
