/* SPDX-License-Identifier: Apache-2.0 */
#include "route/tags_set.h"

/* Next option of a list separated by white space. */
static bool next_field(struct str *rest, struct str *ret)
{
    size_t n = 0;

    while (rest->n > 0 && strchr(" \t\r\n", rest->p[0])) {
        rest->p++;
        rest->n--;
    }
    while (n < rest->n && !strchr(" \t\r\n", rest->p[n]))
        n++;
    *ret = (struct str){rest->p, n};
    rest->p += n;
    rest->n -= n;
    return n > 0;
}

/* $DC and ${DC} become the datacenter, any other $name nothing. NULL when the datacenter is asked
 * for and not known. */
static const char *expand(struct tags_set *s, struct str text)
{
    const char *result = "", *p = text.p, *end = text.p + text.n;

    while (p < end) {
        const char *dollar = memchr(p, '$', (size_t)(end - p));
        const char *stop = dollar ? dollar : end;

        result = arena_printf(s->arena, "%s%.*s", result, (int)(stop - p), p);
        if (!dollar)
            break;
        bool braces = dollar + 1 < end && dollar[1] == '{';
        const char *name = p = dollar + 1 + braces;
        while (p < end && ((*p >= '0' && *p <= '9') || *p == '_' ||
                           (ascii_lower(*p) >= 'a' && ascii_lower(*p) <= 'z')))
            p++;
        bool dc = str_eq((struct str){name, (size_t)(p - name)}, STR("DC"));
        if (dc && !s->consul->datacenter)
            return NULL;
        result = arena_printf(s->arena, "%s%s", result, dc ? s->consul->datacenter : "");
        p += braces && p < end && *p == '}';
    }
    return result;
}

static const char *parse_source(struct tags_set *s, struct route_conf *conf, struct str source)
{
    const char *text;

    if (source.n > 0 && source.p[0] == ':')
        return "TCP routes are not supported";
    if (!memchr(source.p, '/', source.n))
        return "expected HOST/PATH";
    text = memchr(source.p, '$', source.n) ? expand(s, source)
                                           : arena_strndup(s->arena, source.p, source.n);
    if (!text)
        return "$DC needs consul.datacenter in the configuration";
    const char *slash = strchr(text, '/');
    if (!slash || !tags_plain_text(str_of(slash)))
        return "not a path";
    struct str host = {text, (size_t)(slash - text)};
    /* fabio leaves the default port out of both sides. */
    if (host.n > 3 && memcmp(host.p + host.n - 3, ":80", 3) == 0)
        host.n -= 3;
    conf->path = slash;
    conf->path_match = PATH_PLAIN_PREFIX;
    return tags_host(s, conf, host);
}

/* What it means is read elsewhere (tags_protocol.h). */
static const char *check_proto(struct str value)
{
    static const char *const unsupported[] = {"tcp", "tcp+sni", "tcp-dynamic", "https+tcp+sni",
                                              "wss"};

    for (size_t i = 0; i < ARRAY_LEN(unsupported); i++)
        if (str_eq(value, str_of(unsupported[i])))
            return "proto is http, https, grpc or grpcs";
    return NULL;
}

static const char *set_path(struct tags_set *s, const char **ret, struct str value)
{
    if (value.n == 0)
        return NULL;
    if (!tags_plain_text(value) || memchr(value.p, '?', value.n))
        return "not a path";
    *ret = arena_strndup(s->arena, value.p, value.n);
    return NULL;
}

/* An option that is not known is ignored, as fabio does. */
static const char *set_option(struct tags_set *s, struct route_conf *conf, struct str tag,
                              struct str key, struct str value)
{
    if (str_eq(key, STR("strip")))
        return set_path(s, &conf->strip, value);
    if (str_eq(key, STR("prepend")))
        return set_path(s, &conf->prepend, value);
    if (str_eq(key, STR("host")))
        return tags_set_host(s, conf, value);
    if (str_eq(key, STR("redirect")))
        return tags_redirect(s, conf, value);
    if (str_eq(key, STR("proto")))
        return check_proto(value);
    if (str_eq(key, STR("allow")) || str_eq(key, STR("deny")))
        return "allow and deny are not enforced here, so the route stays closed";
    if (str_eq(key, STR("auth")))
        conf->auth = arena_strndup(s->arena, value.p, value.n);
    if (str_eq(key, STR("weight")))
        tags_problem(s, tag, "weight is ignored: the weights of Consul rule");
    return NULL;
}

void tags_fabio(struct tags_set *s, struct str tag, struct str text)
{
    struct route_conf *conf = tags_route(s);
    struct str source, option;
    const char *why;

    if (!next_field(&text, &source))
        source = text;
    why = parse_source(s, conf, source);
    while (!why && next_field(&text, &option)) {
        const char *equals = memchr(option.p, '=', option.n);
        size_t n = equals ? (size_t)(equals - option.p) : option.n;
        struct str value = equals ? (struct str){equals + 1, option.n - n - 1} : STR("");

        why = set_option(s, conf, tag, (struct str){option.p, n}, value);
    }
    if (why) {
        tags_problem(s, tag, why);
        return;
    }
    conf->name = arena_printf(s->arena, "%s%s", conf->host, conf->path);
    conf->source =
        arena_printf(s->arena, "tag %s of %s", tags_shown(s, tag), s->instances->service);
    tags_add(s, conf, tag);
}
