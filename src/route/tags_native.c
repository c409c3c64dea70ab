/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "http/chars.h"
#include "route/tags_protocol.h"
#include "route/tags_set.h"

#include <limits.h>

enum key {
    KEY_PATH,
    KEY_HOST,
    KEY_METHODS,
    KEY_STRIP,
    KEY_AUTH,
    KEY_REWRITE,
    KEY_PREPEND,
    KEY_PRIORITY,
    KEY_MATCH,
    KEY_REDIRECT,
    KEY_SET_HOST,
    KEY_IMPORTANCE,
    KEY_CORS,
    KEY_COUNT
};

static const char *const key_names[KEY_COUNT] = {
    [KEY_PATH] = "path",         [KEY_HOST] = "host",         [KEY_METHODS] = "methods",
    [KEY_STRIP] = "strip",       [KEY_AUTH] = "auth",         [KEY_REWRITE] = "rewrite",
    [KEY_PREPEND] = "prepend",   [KEY_PRIORITY] = "priority", [KEY_MATCH] = "match",
    [KEY_REDIRECT] = "redirect", [KEY_SET_HOST] = "set_host", [KEY_IMPORTANCE] = "importance",
    [KEY_CORS] = "cors",
};

/* What one instance says about one route. */
struct group {
    struct str name; /* "" = the only route */
    struct {
        struct str tag, value; /* tag.p NULL = not given */
        bool meta;
    } keys[KEY_COUNT];
};

struct groups {
    struct group *items;
    size_t n;
};

static struct group *group_named(struct groups *g, struct str name)
{
    for (size_t i = 0; i < g->n; i++)
        if (str_eq(g->items[i].name, name))
            return &g->items[i];
    if (g->n == TAGS_MAX_ROUTES)
        return NULL;
    g->items[g->n] = (struct group){.name = name};
    return &g->items[g->n++];
}

/* It says something of the instance, not of a route (tags_protocol.h). */
static void check_protocol(struct tags_set *s, struct str tag, bool named, struct str value)
{
    enum catalog_protocol ignored;

    if (named)
        tags_problem(s, tag, "protocol is of the whole instance: no name before it");
    else if (!protocol_parse(value, &ignored))
        tags_problem(s, tag, "protocol is http, https, h2, h2c, grpc or grpcs");
}

/* `key` is [NAME SEPARATOR] KEY. */
static void set_key(struct tags_set *s, struct groups *g, struct str tag, struct str key,
                    struct str value, char separator)
{
    const char *cut = memrchr(key.p, separator, key.n);
    struct str name = {key.p, cut ? (size_t)(cut - key.p) : 0};
    struct str word = cut ? (struct str){cut + 1, key.n - name.n - 1} : key;
    bool meta = separator == '-';
    size_t k = 0;

    if (str_eq(word, STR("protocol"))) {
        check_protocol(s, tag, cut != NULL, value);
        return;
    }
    while (k < KEY_COUNT && !str_eq(str_of(key_names[k]), word))
        k++;
    if (k == KEY_COUNT) {
        tags_problem(s, tag, "not a known key");
        return;
    }
    struct group *group = group_named(g, name);
    if (!group) {
        tags_problem(s, tag, "more than 64 routes by one instance");
    } else if (!group->keys[k].tag.p) {
        group->keys[k].tag = tag;
        group->keys[k].value = value;
        group->keys[k].meta = meta;
    } else if (!str_eq(group->keys[k].value, value) && group->keys[k].meta == meta) {
        tags_problem(s, tag, "given twice: the first one counts");
    }
}

/* True when the instance has a tag of ours. */
static bool read_tags(struct tags_set *s, const struct instance *i, struct groups *g)
{
    struct str prefix = str_of(s->consul->tag_prefix), bare = {prefix.p, prefix.n - 1};
    bool ours = false;

    for (unsigned k = 0; k < i->ntags; k++) {
        struct str tag = str_of(i->tags[k]);
        const char *equals = memchr(tag.p, '=', tag.n);

        ours = ours || str_eq(tag, bare);
        if (!str_starts(tag, prefix))
            continue;
        ours = true;
        if (tag.n > TAGS_MAX_LENGTH) {
            s->asked = true;
            tags_problem(s, tag, "longer than 1 KiB");
        } else if (!equals || (size_t)(equals - tag.p) < prefix.n) {
            tags_problem(s, tag, "expected KEY=VALUE");
        } else {
            struct str key = {tag.p + prefix.n, (size_t)(equals - tag.p) - prefix.n};
            struct str value = {equals + 1, tag.n - (size_t)(equals + 1 - tag.p)};
            set_key(s, g, tag, key, str_trim(value), '.');
        }
    }
    return ours;
}

static void read_meta(struct tags_set *s, const struct instance *i, struct groups *g)
{
    struct str prefix = str_of(arena_printf(
        s->arena, "%.*s-", (int)strlen(s->consul->tag_prefix) - 1, s->consul->tag_prefix));

    for (unsigned k = 0; k < i->nmeta; k++) {
        struct str key = str_of(i->meta[k].key), value = str_of(i->meta[k].value);

        if (!str_starts(key, prefix))
            continue;
        struct str shown =
            str_of(arena_printf(s->arena, "%s=%.*s", i->meta[k].key, TAGS_MAX_LENGTH, value.p));
        if (key.n + value.n > TAGS_MAX_LENGTH) {
            s->asked = true;
            tags_problem(s, shown, "longer than 1 KiB");
        } else {
            set_key(s, g, shown, (struct str){key.p + prefix.n, key.n - prefix.n}, str_trim(value),
                    '-');
        }
    }
}

static const char *set_path(struct tags_set *s, struct route_conf *conf, struct str value)
{
    if (!tags_plain_text(value) || value.p[0] != '/')
        return "not a path";
    conf->path = arena_strndup(s->arena, value.p, value.n);
    conf->path_match = memchr(value.p, '{', value.n) ? PATH_PATTERN : PATH_PREFIX;
    return NULL;
}

static const char *set_methods(struct tags_set *s, struct route_conf *conf, struct str value)
{
    enum { MAX_METHODS = 16 };
    struct str rest = value, method;
    size_t n = 0;

    conf->methods = ARENA_ARRAY(s->arena, const char *, MAX_METHODS + 1);
    while (str_next(&rest, ',', &method)) {
        if (n == MAX_METHODS)
            return "more than 16 methods";
        for (size_t i = 0; i < method.n; i++)
            if (!char_is(method.p[i], CHAR_TOKEN))
                return "not a method";
        conf->methods[n++] = arena_strndup(s->arena, method.p, method.n);
    }
    return n > 0 ? NULL : "no method";
}

/* "true" strips what the path says up to its first parameter. */
static const char *set_strip(struct tags_set *s, struct route_conf *conf, struct str value)
{
    if (str_eq(value, STR("false")))
        return NULL;
    if (str_eq(value, STR("true"))) {
        size_t n = strcspn(conf->path, "{");
        conf->strip = arena_strndup(s->arena, conf->path, n);
        return NULL;
    }
    if (!tags_plain_text(value) || value.p[0] != '/')
        return "strip is true, false or a path";
    conf->strip = arena_strndup(s->arena, value.p, value.n);
    return NULL;
}

static const char *set_target(struct tags_set *s, const char **ret, struct str value)
{
    if (!tags_plain_text(value) || value.p[0] != '/' || memchr(value.p, '?', value.n))
        return "not a path";
    *ret = arena_strndup(s->arena, value.p, value.n);
    return NULL;
}

static const char *set_priority(struct route_conf *conf, struct str value)
{
    bool negative = value.n > 0 && value.p[0] == '-';
    struct str digits = {value.p + negative, value.n - negative};
    uint64_t n;

    if (!str_to_u64(digits, &n) || n > INT_MAX)
        return "not a number";
    conf->priority = negative ? -(int)n : (int)n;
    return NULL;
}

static const char *set_match(struct route_conf *conf, struct str value)
{
    if (str_eq(value, STR("prefix")))
        conf->path_match = PATH_PREFIX;
    else if (str_eq(value, STR("exact")))
        conf->path_match = PATH_EXACT;
    else if (str_eq(value, STR("pattern")))
        conf->path_match = PATH_PATTERN;
    else
        return "match is prefix, exact or pattern";
    return NULL;
}

static const char *set_value(struct tags_set *s, struct route_conf *conf, enum key key,
                             struct str value)
{
    switch (key) {
    case KEY_PATH:
        return set_path(s, conf, value);
    case KEY_HOST:
        return tags_host(s, conf, value);
    case KEY_METHODS:
        return set_methods(s, conf, value);
    case KEY_STRIP:
        return set_strip(s, conf, value);
    case KEY_AUTH:
        conf->auth = arena_strndup(s->arena, value.p, value.n);
        return NULL;
    case KEY_REWRITE:
        return set_target(s, &conf->rewrite, value);
    case KEY_PREPEND:
        return set_target(s, &conf->prepend, value);
    case KEY_PRIORITY:
        return set_priority(conf, value);
    case KEY_MATCH:
        return set_match(conf, value);
    case KEY_REDIRECT:
        return tags_redirect(s, conf, value);
    case KEY_SET_HOST:
        return tags_set_host(s, conf, value);
    case KEY_IMPORTANCE:
        return importance_parse(value, &conf->importance)
                   ? NULL
                   : "importance is low, normal, high or critical";
    case KEY_CORS:
        conf->edge.cors_name = arena_strndup(s->arena, value.p, value.n);
        return NULL;
    case KEY_COUNT:
        break;
    }
    return "not a known key";
}

static void add_group(struct tags_set *s, const struct group *g)
{
    struct route_conf *conf = tags_route(s);
    struct str tag = g->keys[KEY_PATH].tag.p ? g->keys[KEY_PATH].tag : g->keys[KEY_HOST].tag;

    s->asked = true;
    conf->path = "/";
    for (int k = 0; k < KEY_COUNT; k++) {
        if (!g->keys[k].tag.p)
            continue;
        const char *why = tag.p ? set_value(s, conf, k, g->keys[k].value)
                                : "its route has neither a path nor a host";
        if (why) {
            tags_problem(s, g->keys[k].tag, why);
            return;
        }
    }
    conf->name = g->name.n > 0 ? tags_shown(s->arena, g->name)
                               : arena_printf(s->arena, "%s%s", conf->host, conf->path);
    conf->source = arena_printf(s->arena, "%s %s of %s",
                                g->keys[KEY_PATH].meta || g->keys[KEY_HOST].meta ? "meta" : "tag",
                                tags_shown(s->arena, tag), s->instances->service);
    tags_add(s, conf, tag);
}

static uint64_t signature_of(const struct instance *i)
{
    uint64_t h = hash_mix(i->ntags + 1);

    for (unsigned k = 0; k < i->ntags; k++)
        h = hash_str(str_of(i->tags[k]), h);
    for (unsigned k = 0; k < i->nmeta; k++)
        h = hash_str(str_of(i->meta[k].value), hash_str(str_of(i->meta[k].key), h));
    return h;
}

void tags_native(struct tags_set *s, const struct instance *i)
{
    unsigned most = i->ntags + i->nmeta; /* a group is made by a tag or a key of meta */
    struct groups g = {NULL, 0};

    if (tags_again(s, signature_of(i)))
        return;
    if (most > TAGS_MAX_ROUTES)
        most = TAGS_MAX_ROUTES;
    g.items = ARENA_ARRAY(s->arena, struct group, most);
    if (read_tags(s, i, &g) || s->consul->expose == EXPOSE_ALL)
        read_meta(s, i, &g);
    for (size_t k = 0; k < g.n; k++)
        add_group(s, &g.items[k]);
}
