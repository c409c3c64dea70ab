/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "config/cidr.h"
#include "config/value.h"
#include "route/fabio.h"
#include "route/route_table.h"
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

enum { MAX_EXPANSIONS = 16, MAX_ADDRESSES = 64 };

/* A tag while it is read. */
struct draft {
    struct route_conf *conf;
    const char *host, *path;
    const char *proto;
    double weight;
};

/* The default port stands for the scheme: "shop.example:80/" is for requests without TLS. */
static struct str cut_default_port(struct str host, struct route_conf *conf)
{
    static const struct {
        struct str port;
        enum route_scheme scheme;
    } rows[] = {{{":80", 3}, SCHEME_HTTP}, {{":443", 4}, SCHEME_HTTPS}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = rows[i].port.n;

        if (host.n <= n || memcmp(host.p + host.n - n, rows[i].port.p, n) != 0)
            continue;
        conf->scheme = rows[i].scheme;
        host.n -= n;
    }
    return host;
}

static const char *parse_source(struct tags_set *s, struct draft *d, struct str source)
{
    static const enum path_match matches[] = {[FABIO_PREFIX] = PATH_PLAIN_PREFIX,
                                              [FABIO_IPREFIX] = PATH_PLAIN_IPREFIX,
                                              [FABIO_GLOB] = PATH_GLOB};
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
    char *host = arena_strndup(s->arena, text, (size_t)(slash - text));
    for (char *p = host; *p; p++)
        *p = ascii_lower(*p);
    d->host = host;
    d->path = slash;
    d->conf->path_match = matches[s->consul->fabio_matcher];
    return NULL;
}

static const char *check_proto(struct draft *d, struct tags_set *s, struct str value)
{
    static const char *const unsupported[] = {"tcp", "tcp+sni", "tcp-dynamic", "https+tcp+sni",
                                              "wss"};

    for (size_t i = 0; i < ARRAY_LEN(unsupported); i++)
        if (str_eq(value, str_of(unsupported[i])))
            return "proto is http, https, grpc or grpcs";
    /* What it means is read elsewhere (tags_protocol.h). */
    d->proto = arena_strndup(s->arena, value.p, value.n);
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

/* "ip:10.0.0.0/8,ip:192.168.1.7" */
static const char *set_addresses(struct tags_set *s, struct cidr_list *list, struct str value)
{
    struct str rest = value, item;

    *list = (struct cidr_list){ARENA_ARRAY(s->arena, struct cidr, MAX_ADDRESSES), 0};
    while (str_next(&rest, ',', &item)) {
        if (!str_starts(item, STR("ip:")))
            return "allow and deny take ip:ADDRESS or ip:NETWORK";
        if (list->n == MAX_ADDRESSES)
            return "more than 64 addresses";
        const char *text = arena_strndup(s->arena, item.p + 3, item.n - 3);
        if (value_cidr_problem(text, &list->items[list->n]))
            return "allow or deny has what is no IP address or network";
        list->n++;
    }
    cidr_list_prepare(list);
    return list->n > 0 ? NULL : "allow and deny take ip:ADDRESS or ip:NETWORK";
}

static const char *set_weight(struct tags_set *s, struct draft *d, struct str tag, struct str value)
{
    bool negative = value.n > 0 && value.p[0] == '-';
    struct str digits = {value.p + negative, value.n - negative};

    if (!tags_fraction(digits, &d->weight))
        tags_report(s, TAG_NOT_OBEYED, tag, "weight is a share such as 0.25: it counts as none");
    if (negative)
        d->weight = 0;
    return NULL;
}

/* Without effect on the route, but somebody meant something. */
static void note_option(struct tags_set *s, struct str tag, struct str key)
{
    static const struct {
        const char *key, *why;
    } rows[] = {
        {"register", "register is not obeyed: the gateway registers itself as its configuration "
                     "says"},
        {"pxyproto", "pxyproto is not obeyed: the service's send_proxy_protocol decides"},
        {"grpcservername", "grpcservername is not obeyed: the service's tls.server_name decides"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(key, str_of(rows[i].key)))
            tags_report(s, TAG_NOT_OBEYED, tag, rows[i].why);
}

/* An option that is not known is ignored, as fabio does. */
static const char *set_option(struct tags_set *s, struct draft *d, struct str tag, struct str key,
                              struct str value)
{
    struct route_conf *conf = d->conf;

    if (str_eq(key, STR("strip")))
        return set_path(s, &conf->strip, value);
    if (str_eq(key, STR("prepend")))
        return set_path(s, &conf->prepend, value);
    if (str_eq(key, STR("host")))
        return tags_set_host(s, conf, value);
    if (str_eq(key, STR("redirect")))
        return tags_redirect(s, conf, value);
    if (str_eq(key, STR("proto")))
        return check_proto(d, s, value);
    if (str_eq(key, STR("allow")))
        return set_addresses(s, &conf->edge.addresses.allow, value);
    if (str_eq(key, STR("deny")))
        return set_addresses(s, &conf->edge.addresses.deny, value);
    if (str_eq(key, STR("weight")))
        return set_weight(s, d, tag, value);
    if (str_eq(key, STR("auth")))
        conf->auth = arena_strndup(s->arena, value.p, value.n);
    else
        note_option(s, tag, key);
    return NULL;
}

/* A redirect to the same address with the other scheme is not for who came by that scheme: he
 * would go round in circles. */
static void guard_redirect(struct draft *d)
{
    const char *to = d->conf->redirect_to;
    bool https = to && strncmp(to, "https://", 8) == 0;
    const char *host = to ? to + (https ? 8 : 7) : NULL, *path;
    size_t n;

    if (!to || (!https && strncmp(to, "http://", 7) != 0) || d->conf->scheme != SCHEME_ANY ||
        d->conf->strip || d->conf->prepend)
        return;
    n = strcspn(host, "/");
    path = strstr(host, "$path");
    n = path && (size_t)(path - host) < n ? (size_t)(path - host) : n;
    if (!path || path[5] || (path != host + n && path != host + n + 1))
        return;
    if (str_eq((struct str){host, n}, str_of(d->host)) ||
        str_starts((struct str){host, n}, STR("$host")))
        d->conf->scheme = https ? SCHEME_HTTP : SCHEME_HTTPS;
}

static const char *parse_options(struct tags_set *s, struct draft *d, struct str tag,
                                 struct str options)
{
    const char *why = NULL;
    struct str option;

    while (!why && next_field(&options, &option)) {
        const char *equals = memchr(option.p, '=', option.n);
        size_t n = equals ? (size_t)(equals - option.p) : option.n;
        struct str value = equals ? (struct str){equals + 1, option.n - n - 1} : STR("");

        why = set_option(s, d, tag, (struct str){option.p, n}, value);
    }
    if (!why && d->conf->edge.addresses.allow.n > 0 && d->conf->edge.addresses.deny.n > 0)
        why = "allow and deny exclude each other, so the route stays closed";
    return why;
}

/* "a{b,c}d" becomes abd and acd, up to MAX_EXPANSIONS; 0 when that cannot be done. */
static size_t spread(struct arena *a, const char *text, const char **out)
{
    size_t n = 0, at = 0;

    out[n++] = text;
    while (at < n) {
        const char *open = strchr(out[at], '{'), *close = open ? strchr(open, '}') : NULL;
        struct str prefix, list, item;

        if (!open) {
            at++;
            continue;
        }
        if (!close || memchr(open + 1, '{', (size_t)(close - open - 1)))
            return 0;
        prefix = (struct str){out[at], (size_t)(open - out[at])};
        list = (struct str){open + 1, (size_t)(close - open - 1)};
        out[at] = out[--n];
        while (str_next(&list, ',', &item)) {
            if (n == MAX_EXPANSIONS)
                return 0;
            out[n++] = arena_printf(a, "%.*s%.*s%s", STR_FMT(prefix), STR_FMT(item), close + 1);
        }
    }
    return n;
}

static const char *finish_route(struct tags_set *s, struct route_conf *conf, const char *host,
                                const char *path, struct str tag)
{
    const char *why = tags_host(s, conf, cut_default_port(str_of(host), conf));

    conf->path = path;
    conf->name = arena_printf(s->arena, "%s%s", conf->host, conf->path);
    conf->source =
        arena_printf(s->arena, "tag %s of %s", tags_shown(s->arena, tag), s->instances->service);
    if (conf->redirect_status)
        conf->ntargets = 0;
    return why;
}

static void link_target(struct tags_set *s, struct fabio_target *t)
{
    *s->last = t;
    s->last = (struct fabio_target **)&t->next;
    s->ntargets++;
}

static const char *add_target(struct tags_set *s, const struct draft *d, const char *host,
                              const char *path, const struct fabio_target *like, struct str tag)
{
    struct fabio_target *t = ARENA_NEW(s->arena, struct fabio_target);
    struct route_conf *conf = ARENA_NEW(s->arena, struct route_conf);
    const char *why;

    if (s->ntargets == TAGS_MAX_TARGETS)
        return "more than 65536 targets by one service";
    *conf = *d->conf;
    why = finish_route(s, conf, host, path, tag);
    if (why)
        return why;
    *t = *like;
    t->conf = conf;
    t->weight = d->weight;
    t->tag = tags_shown(s->arena, tag);
    t->match = tags_match_key(s->arena, conf);
    t->match_hash = hash_str(str_of(t->match), 0);
    t->action = tags_action_key(s->arena, conf);
    link_target(s, t);
    return NULL;
}

/* Every combination of the hosts and paths that the source stands for. */
static const char *add_targets(struct tags_set *s, const struct draft *d,
                               const struct fabio_target *like, struct str tag)
{
    const char *hosts[MAX_EXPANSIONS], *paths[MAX_EXPANSIONS] = {d->path}, *why = NULL;
    size_t nhosts = spread(s->arena, d->host, hosts), npaths = 1;

    if (d->conf->path_match == PATH_GLOB)
        npaths = spread(s->arena, d->path, paths);
    if (nhosts == 0 || npaths == 0)
        return "more than 16 alternatives in braces, or braces within braces";
    for (size_t i = 0; i < nhosts * npaths && !why; i++)
        why = add_target(s, d, hosts[i / npaths], paths[i % npaths], like, tag);
    return why;
}

/* Once for an instance: it may have many tags of both kinds. */
static void find_others(struct tags_set *s, const struct instance *i)
{
    struct str prefix = str_of(s->consul->fabio_prefix);
    const char **others;

    if (s->others_of == i)
        return;
    others = ARENA_ARRAY(s->arena, const char *, i->ntags);
    s->nothers = 0;
    for (unsigned k = 0; k < i->ntags; k++)
        if (!str_starts(str_trim(str_of(i->tags[k])), prefix))
            others[s->nothers++] = arena_strdup(s->arena, i->tags[k]);
    s->others = others;
    s->others_of = i;
}

/* What holds of a target, its route aside. */
static struct fabio_target describe(struct tags_set *s, const struct instance *i,
                                    const struct draft *d)
{
    struct fabio_target t = {.instance = instance_key(i), .scheme = "http"};

    find_others(s, i);
    if (d->proto && (strcmp(d->proto, "https") == 0 || strncmp(d->proto, "grpc", 4) == 0))
        t.scheme = d->proto;
    t.service = arena_strdup(s->arena, s->instances->service);
    t.tags = s->others;
    t.ntags = s->nothers;
    t.create_index = s->create_index;
    t.src = arena_printf(s->arena, "%s%s", d->host, d->path);
    return t;
}

/* Most instances of a service have the same tags. */
static bool add_seen(struct tags_set *s, const struct instance *i, struct str tag)
{
    unsigned k = 0;

    while (k < s->nseen && !str_eq(s->seen[k].tag, tag))
        k++;
    if (k == s->nseen)
        return false;
    find_others(s, i);
    const struct fabio_target *from = s->seen[k].first;
    for (unsigned n = 0; n < s->seen[k].n && s->ntargets < TAGS_MAX_TARGETS; n++) {
        struct fabio_target *t = ARENA_NEW(s->arena, struct fabio_target);

        *t = *from;
        t->next = NULL;
        t->instance = instance_key(i);
        t->tags = s->others;
        t->ntags = s->nothers;
        link_target(s, t);
        from = from->next;
    }
    return true;
}

static void note_seen(struct tags_set *s, struct str tag, struct fabio_target **at, unsigned before)
{
    if (s->nseen == ARRAY_LEN(s->seen))
        return;
    s->seen[s->nseen].tag = tag;
    s->seen[s->nseen].first = *at;
    s->seen[s->nseen++].n = s->ntargets - before;
}

static bool has_upper(const char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            return true;
    return false;
}

/* fabio sorts hosts and paths as texts; that makes no difference for most. */
static void note_order(struct tags_set *s, const struct draft *d, struct str tag)
{
    enum path_match match = d->conf->path_match;

    if (strchr(d->host, '{'))
        tags_report(s, TAG_DIFFERS, tag,
                    "fabio asks hosts with braces before all others; here they are names like "
                    "others");
    if (match == PATH_PLAIN_IPREFIX && has_upper(d->path))
        tags_report(s, TAG_DIFFERS, tag,
                    "the longest path comes first; fabio has those in lower case before others");
    if (match == PATH_GLOB && strpbrk(d->path, "*?[{"))
        tags_report(s, TAG_DIFFERS, tag,
                    "the path with the most bytes before its first wildcard comes first; fabio "
                    "sorts paths as texts");
}

static void note_differences(struct tags_set *s, const struct draft *d, struct str tag)
{
    bool tls = d->proto && (strcmp(d->proto, "https") == 0 || strcmp(d->proto, "grpcs") == 0);

    if (tls && d->conf->set_host && strcmp(d->conf->set_host, "dst") != 0)
        tags_report(s, TAG_DIFFERS, tag,
                    "the certificate is checked for the instance's address, not for host=: set "
                    "tls.server_name of the service");
    if (d->conf->edge.addresses.allow.n + d->conf->edge.addresses.deny.n > 0)
        tags_report(s, TAG_DIFFERS, tag,
                    "only the client's address is judged; X-Forwarded-For counts when it comes "
                    "from one of trusted_proxies");
    note_order(s, d, tag);
    if (d->conf->auth)
        tags_report(s, TAG_DIFFERS, tag,
                    "auth= is the name of a policy of the configuration; until there is one of "
                    "this name everybody is refused (403)");
}

void tags_fabio(struct tags_set *s, const struct instance *i, struct str tag, struct str text)
{
    struct draft d = {.conf = NULL};
    struct fabio_target like, **at = s->last;
    unsigned before = s->ntargets;
    struct str source;
    const char *why;

    if (add_seen(s, i, tag))
        return;
    d.conf = tags_route(s);
    if (!next_field(&text, &source))
        source = text;
    why = parse_source(s, &d, source);
    if (!why)
        why = parse_options(s, &d, tag, text);
    if (!why) {
        guard_redirect(&d);
        like = describe(s, i, &d);
        why = add_targets(s, &d, &like, tag);
    }
    if (why)
        tags_problem(s, tag, why);
    else
        note_differences(s, &d, tag);
    note_seen(s, tag, at, before);
}

void tags_fabio_add(struct tags_set *s, const struct fabio_target *like, struct str tag,
                    struct str source, struct str options)
{
    struct draft d = {.conf = tags_route(s)};
    const char *why = parse_source(s, &d, source);

    if (!why)
        why = parse_options(s, &d, tag, options);
    if (!why && like->weight > 0)
        d.weight = like->weight;
    if (!why) {
        guard_redirect(&d);
        why = add_targets(s, &d, like, tag);
    }
    if (why)
        tags_problem(s, tag, why);
    else
        note_differences(s, &d, tag);
}
