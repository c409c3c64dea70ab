/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/target.h"
#include "admin/service_row.h"

#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

char *target_decode(const char *part, size_t n)
{
    char *copy = strndup(part, n), *text;
    size_t len = 0;

    text = copy ? evhttp_uridecode(copy, 0, &len) : NULL;
    free(copy);
    if (text && strlen(text) != len) {
        free(text);
        return NULL;
    }
    return text;
}

/* Ids and ports may repeat on one node: the same id at two ports is ambiguous too. */
static enum target_result find_instance(struct breaker_target *t, const char *node, size_t node_len,
                                        const char *id)
{
    unsigned found = 0;

    for (unsigned i = 0; i < t->view->n; i++) {
        const struct instance *in = &t->view->set->items[i];

        if (strcmp(in->id, id) != 0)
            continue;
        if (node && (strlen(in->node) != node_len || memcmp(in->node, node, node_len) != 0))
            continue;
        t->instance = i;
        found++;
    }
    return found == 1 ? TARGET_FOUND : found ? TARGET_AMBIGUOUS : TARGET_NO_INSTANCE;
}

/* `name` is decoded: an id, else NODE/ID, whichever of its slashes divides the two. */
static enum target_result find_either(struct breaker_target *t, const char *name)
{
    enum target_result r = find_instance(t, NULL, 0, name);

    for (const char *p = strchr(name, '/'); p && r == TARGET_NO_INSTANCE; p = strchr(p + 1, '/'))
        r = find_instance(t, name, (size_t)(p - name), p + 1);
    return r;
}

static enum target_result find_in(struct breaker_target *t, const char *rest)
{
    size_t first = strcspn(rest, "/");
    char *name, *id;
    enum target_result r = TARGET_NO_INSTANCE;

    if (rest[first] == '\0') {
        name = target_decode(rest, first);
        if (name)
            r = find_either(t, name);
        free(name);
        return r;
    }
    name = target_decode(rest, first);
    id = target_decode(rest + first + 1, strlen(rest + first + 1));
    if (name && id && !strchr(rest + first + 1, '/'))
        r = find_instance(t, name, strlen(name), id);
    free(name);
    free(id);
    return r;
}

enum target_result target_find(const struct snapshot *s, const char *rest,
                               struct breaker_target *ret)
{
    size_t n = strcspn(rest, "/");
    char *name = target_decode(rest, n);
    struct breaker_target t = {.whole = rest[n] == '\0'};
    enum target_result r;

    t.view = name ? service_row_find(s, name) : NULL;
    free(name);
    if (!t.view)
        return TARGET_NO_SERVICE;
    r = t.whole ? TARGET_FOUND : find_in(&t, rest + n + 1);
    if (r == TARGET_FOUND)
        *ret = t;
    return r;
}
