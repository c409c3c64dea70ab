/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/shared_routes.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct shared_routes {
    struct arena *arena; /* owned: of `merged` */
    struct fabio_merged merged;
    struct fabio_commands *commands; /* ref */
};

struct shared_routes *shared_routes_new(void)
{
    struct shared_routes *s = alloc_or_abort(sizeof *s);

    s->arena = arena_new();
    return s;
}

void shared_routes_free(struct shared_routes *s)
{
    fabio_commands_unref(&s->commands);
    arena_free(s->arena);
    free(s);
}

void shared_routes_use(struct shared_routes *s, struct fabio_commands *commands)
{
    if (commands)
        fabio_commands_ref(commands);
    fabio_commands_unref(&s->commands);
    s->commands = commands;
}

bool shared_routes_commanded(const struct shared_routes *s)
{
    return s->commands && s->commands->n > 0;
}

static int by_service(const void *a, const void *b)
{
    const struct fabio_weights *x = a, *y = b;

    return strcmp(x->service, y->service);
}

const struct fabio_merged *shared_routes_build(struct shared_routes *s,
                                               const struct fabio_service *services, size_t n,
                                               const struct consul_conf *consul)
{
    arena_reset(s->arena);
    fabio_merge(services, n, s->commands, consul, s->arena, &s->merged);
    if (s->merged.nweights > 0)
        qsort(s->merged.weights, s->merged.nweights, sizeof *s->merged.weights, by_service);
    return &s->merged;
}

const struct fabio_weights *shared_routes_weights(const struct shared_routes *s,
                                                  const char *service)
{
    struct fabio_weights key = {.service = service};

    if (s->merged.nweights == 0)
        return NULL;
    return bsearch(&key, s->merged.weights, s->merged.nweights, sizeof key, by_service);
}
