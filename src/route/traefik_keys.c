/* SPDX-License-Identifier: Apache-2.0 */
/* traefik_keys.c - what must be understood of a router before it gets a route. */
#include "route/traefik.h"

static bool is_public(const struct traefik *t, struct str entry_point)
{
    const char *list = t->set->consul->traefik_entry_points;
    struct str rest = str_of(list ? list : "*"), one;

    while (str_next(&rest, ',', &one))
        if (str_eq(one, STR("*")) || str_ieq(one, entry_point))
            return true;
    return false;
}

const char *traefik_check_entry_points(struct traefik *t, struct str router)
{
    struct traefik_tag *tag = traefik_find(t, "http.routers.%.*s.entrypoints", STR_FMT(router));
    struct str rest = tag ? tag->value : STR(""), one;

    while (str_next(&rest, ',', &one)) {
        if (!is_public(t, one))
            continue;
        tags_report(t->set, TAG_NOT_OBEYED, tag->tag,
                    "entrypoints is not obeyed: routes are for all listeners");
        return NULL;
    }
    return tag ? "none of its entrypoints is in consul.traefik_entry_points" : NULL;
}

static bool is_one_of(struct str key, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq(key, str_of(words[i])))
            return true;
    return false;
}

const char *traefik_check_keys(struct traefik *t, struct str router)
{
    static const char *const known[] = {"rule",     "service", "entrypoints", "middlewares",
                                        "priority", "tls",     "rulesyntax"};
    const char *prefix = arena_printf(t->set->arena, "http.routers.%.*s.", STR_FMT(router));
    size_t n = strlen(prefix);

    for (unsigned i = 0; i < t->n; i++) {
        struct traefik_tag *tag = &t->tags[i];
        struct str key;

        if (tag->foreign || !str_istarts(tag->key, str_of(prefix)))
            continue;
        key = (struct str){tag->key.p + n, tag->key.n - n};
        if (is_one_of(key, known, ARRAY_LEN(known)) || str_istarts(key, STR("tls.")) ||
            str_istarts(key, STR("observability.")))
            continue;
        tag->used = true;
        return arena_printf(t->set->arena, "%s is not a key of routers that is known here",
                            tags_shown(t->set->arena, key));
    }
    return NULL;
}

struct traefik_tag *traefik_find_unknown(struct traefik *t)
{
    static const char *const known[] = {"http.", "consulcatalog.", "docker."};

    for (unsigned i = 0; i < t->n; i++) {
        bool found = str_ieq(t->tags[i].key, STR("enable"));

        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            found |= str_istarts(t->tags[i].key, str_of(known[k]));
        if (!found)
            return &t->tags[i];
    }
    return NULL;
}
