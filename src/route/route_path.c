/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"
#include "route/route.h"

struct out {
    char *p;
    size_t cap, n;
    bool full;
};

static void put(struct out *o, struct str s)
{
    if (o->full || s.n > o->cap - o->n) {
        o->full = true;
        return;
    }
    if (s.n > 0)
        memcpy(o->p + o->n, s.p, s.n);
    o->n += s.n;
}

static int finish(const struct out *o, size_t *ret_n)
{
    if (o->full)
        return -1;
    *ret_n = o->n;
    return 0;
}

/* "..", ".", "..;x" as a first segment: what the cut of a plain prefix may leave of "/foo../". */
static bool starts_with_dots(struct str s)
{
    size_t dots = 0;

    while (dots < s.n && s.p[dots] == '.')
        dots++;
    return (dots == 1 || dots == 2) && (dots == s.n || s.p[dots] == '/' || s.p[dots] == ';');
}

/* The path behind the prefix, with or without its leading '/'; the whole path when it does not
 * start with the prefix. Plain routes (fabio) cut bytes, all others whole segments. */
static struct str strip(const struct route_conf *conf, struct str path)
{
    struct str prefix = str_of(conf->strip);
    bool plain = conf->path_match == PATH_PLAIN_PREFIX || conf->path_match == PATH_PLAIN_IPREFIX ||
                 conf->path_match == PATH_GLOB;

    while (!plain && prefix.n > 0 && prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    if (!str_starts(path, prefix))
        return path;
    struct str rest = {path.p + prefix.n, path.n - prefix.n};
    if (!plain && rest.n > 0 && rest.p[0] != '/')
        return path;
    return starts_with_dots(rest) ? path : rest;
}

static void put_stripped(struct out *o, const struct route_conf *conf, struct str path)
{
    struct str rest = strip(conf, path), prepend = str_of(conf->prepend);

    while (prepend.n > 0 && prepend.p[prepend.n - 1] == '/')
        prepend.n--;
    if (prepend.n > 0 && prepend.p[0] != '/')
        put(o, STR("/"));
    put(o, prepend);
    if (rest.n == 0 || rest.p[0] != '/')
        put(o, STR("/"));
    put(o, rest);
}

/* At "{name}" or "{name...}": puts the value and returns what follows. The name is known: the
 * table refuses others. */
static const char *put_param(struct out *o, const struct route_match *m, const char *text)
{
    size_t n = strcspn(text, "}");
    struct str name = {text + 1, n - 1};

    if (name.n > 3 && memcmp(name.p + name.n - 3, "...", 3) == 0)
        name.n -= 3;
    for (unsigned i = 0; i < m->nparams; i++)
        if (str_eq(m->params[i].name, name))
            put(o, m->params[i].value);
    return text + n + 1;
}

int route_target_path(const struct route *route, const struct route_match *m, struct str path,
                      char *out, size_t cap, size_t *ret_n)
{
    struct out o = {out, cap, 0, false};
    const char *text = route->conf->rewrite;

    if (!text)
        put_stripped(&o, route->conf, path);
    while (text && *text) {
        size_t n = strcspn(text, "{");

        put(&o, (struct str){text, n});
        text += n;
        if (*text)
            text = put_param(&o, m, text);
    }
    return finish(&o, ret_n);
}

int route_redirect_location(const struct route *route, const struct route_match *m,
                            const struct request *r, const char *scheme, char *out, size_t cap,
                            size_t *ret_n)
{
    struct out o = {out, cap, 0, false};
    const char *text = route->conf->redirect_to;
    bool has_query = strchr(text, '?') != NULL;

    while (*text) {
        size_t n = strcspn(text, "{$");

        put(&o, (struct str){text, n});
        text += n;
        if (*text == '{') {
            text = put_param(&o, m, text);
        } else if (strncmp(text, "$path", 5) == 0) {
            /* "/$path" is "$path": the path brings its own slash. */
            if (o.n > 0 && o.p[o.n - 1] == '/')
                o.n--;
            put_stripped(&o, route->conf, r->path);
            text += 5;
        } else if (strncmp(text, "$hostname", 9) == 0) {
            uint16_t port;
            struct str name;

            uri_split_authority(r->host, &name, &port);
            put(&o, name);
            text += 9;
        } else if (strncmp(text, "$host", 5) == 0) {
            put(&o, r->host);
            text += 5;
        } else if (strncmp(text, "$scheme", 7) == 0) {
            put(&o, str_of(scheme));
            text += 7;
        } else if (*text) {
            put(&o, (struct str){text++, 1});
        }
    }
    if (r->has_query && !has_query) {
        put(&o, STR("?"));
        put(&o, r->query);
    }
    return finish(&o, ret_n);
}
