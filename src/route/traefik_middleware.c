/* SPDX-License-Identifier: Apache-2.0 */
#include "config/cidr.h"
#include "config/value.h"
#include "route/traefik.h"

#include <strings.h>

enum { MAX_SOURCES = 64 };

/* A middleware while it is applied. */
struct applied {
    struct traefik *t;
    struct traefik_work *w;
    struct str name;
    struct traefik_tag *tag; /* one of its tags, for reports */
    unsigned depth;
};

static struct traefik_tag *option(const struct applied *m, const char *key)
{
    return traefik_find(m->t, "http.middlewares.%.*s.%s", STR_FMT(m->name), key);
}

static const char *text_of(const struct applied *m, struct str s)
{
    return arena_strndup(m->t->set->arena, s.p, s.n);
}

/* The router does without; somebody has to know. */
static void note(const struct applied *m, const char *why)
{
    tags_report(m->t->set, TAG_NOT_OBEYED, m->tag->tag, why);
}

static bool is_path(struct str s)
{
    return tags_plain_text(s) && s.p[0] == '/' && !memchr(s.p, '?', s.n) &&
           !memchr(s.p, '{', s.n) && !memchr(s.p, '}', s.n);
}

static const char *apply_strip(struct applied *m)
{
    struct traefik_tag *prefixes = option(m, "stripprefix.prefixes");
    struct str rest, prefix;

    if (!prefixes)
        return "stripprefix without prefixes";
    if (m->w->prepended || m->w->stripped || m->w->like.rewrite)
        return "the path is stripped after it was changed";
    rest = prefixes->value;
    while (str_next(&rest, ',', &prefix))
        if (!is_path(prefix))
            return "not a path";
    m->w->strip = prefixes->value;
    m->w->stripped = true;
    return NULL;
}

static const char *apply_add(struct applied *m)
{
    struct traefik_tag *prefix = option(m, "addprefix.prefix");

    if (!prefix || !is_path(prefix->value))
        return "addprefix takes a path";
    if (m->w->prepended || m->w->like.rewrite)
        return "the path is changed more than once";
    m->w->prepended = true;
    m->w->like.prepend = text_of(m, prefix->value);
    return NULL;
}

static const char *apply_replace(struct applied *m)
{
    struct traefik_tag *path = option(m, "replacepath.path");

    if (!path || !is_path(path->value))
        return "replacepath takes a path";
    if (m->w->prepended || m->w->stripped || m->w->like.rewrite)
        return "the path is changed more than once";
    m->w->like.rewrite = text_of(m, path->value);
    return NULL;
}

static const char *apply_regex(struct applied *m, const char *kind, bool redirects)
{
    struct arena *a = m->t->set->arena;
    struct traefik_tag *regex = option(m, arena_printf(a, "%s.regex", kind));
    struct traefik_tag *to = option(m, arena_printf(a, "%s.replacement", kind));

    if (!regex || !to)
        return "an expression and its replacement belong together";
    if (m->w->regex.n > 0 || m->w->prepended || m->w->stripped || m->w->like.rewrite)
        return "the path is changed more than once";
    m->w->regex = regex->value;
    m->w->replacement = to->value;
    m->w->regex_redirects = redirects;
    return NULL;
}

static void set_permanent(struct applied *m, const char *key)
{
    struct traefik_tag *permanent = option(m, key);

    m->w->like.redirect_status = permanent && traefik_true(permanent) ? 301 : 302;
}

static const char *apply_redirect_scheme(struct applied *m)
{
    struct traefik_tag *scheme = option(m, "redirectscheme.scheme");
    struct traefik_tag *port = option(m, "redirectscheme.port");
    uint64_t number;

    if (!scheme || !(str_ieq(scheme->value, STR("https")) || str_ieq(scheme->value, STR("http"))))
        return "redirectscheme takes http or https";
    if (port && (!str_to_u64(port->value, &number) || number == 0 || number > 65535))
        return "redirectscheme takes a port from 1 to 65535";
    m->w->redirect_from = str_ieq(scheme->value, STR("https")) ? SCHEME_HTTP : SCHEME_HTTPS;
    m->w->redirect_port = port ? arena_printf(m->t->set->arena, ":%.*s", STR_FMT(port->value)) : "";
    set_permanent(m, "redirectscheme.permanent");
    return NULL;
}

static const char *add_change(struct header_change *list, size_t *n, const char *name,
                              const char *value)
{
    if (*n == TRAEFIK_MAX_CHANGES)
        return "more than 32 header fields";
    if (value_header_problem(name))
        return "a header field that may not be changed";
    if (value_header_value_problem(value))
        return "the value of a header field holds a control character";
    list[*n].op = *value ? HEADER_SET : HEADER_REMOVE;
    list[*n].name = name;
    list[*n].value = *value ? value : NULL;
    ++*n;
    return NULL;
}

/* Fields that have an option of their own. */
static const char *add_security(struct applied *m, const char *key, struct str value)
{
    static const struct {
        const char *option, *field, *value; /* value NULL = as given */
    } rows[] = {
        {"framedeny", "X-Frame-Options", "DENY"},
        {"customframeoptionsvalue", "X-Frame-Options", NULL},
        {"contenttypenosniff", "X-Content-Type-Options", "nosniff"},
        {"browserxssfilter", "X-XSS-Protection", "1; mode=block"},
        {"contentsecuritypolicy", "Content-Security-Policy", NULL},
        {"referrerpolicy", "Referrer-Policy", NULL},
        {"permissionspolicy", "Permissions-Policy", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcasecmp(key, rows[i].option) != 0)
            continue;
        if (rows[i].value && !str_ieq(value, STR("true")))
            return NULL;
        return add_change(m->w->response, &m->w->like.nresponse_headers, rows[i].field,
                          rows[i].value ? rows[i].value : text_of(m, value));
    }
    if (strcasecmp(key, "allowedhosts") == 0)
        return "allowedhosts is not supported: the rule says which hosts";
    if (strcasecmp(key, "sslredirect") == 0 || strcasecmp(key, "sslforcehost") == 0)
        return str_ieq(value, STR("true"))
                   ? "sslredirect and sslforcehost are not supported: redirectscheme does that"
                   : NULL;
    note(m, strncasecmp(key, "accesscontrol", 13) == 0
                ? "accesscontrol... is not obeyed: a policy of cors does that"
            : strncasecmp(key, "sts", 3) == 0
                ? "sts... is not obeyed: hsts of the listener does that"
                : "an option of headers that is not known here");
    return NULL;
}

static const char *apply_headers(struct applied *m)
{
    struct arena *a = m->t->set->arena;
    const char *prefix = arena_printf(a, "http.middlewares.%.*s.headers.", STR_FMT(m->name));
    size_t n = strlen(prefix);
    const char *why = NULL;

    for (unsigned i = 0; i < m->t->n && !why; i++) {
        struct traefik_tag *tag = &m->t->tags[i];
        const char *rest;

        if (!str_istarts(tag->key, str_of(prefix)))
            continue;
        tag->used = true;
        m->tag = tag;
        rest = arena_strndup(a, tag->key.p + n, tag->key.n - n);
        if (strncasecmp(rest, "customrequestheaders.", 21) == 0)
            why = add_change(m->w->request, &m->w->like.nrequest_headers, rest + 21,
                             text_of(m, tag->value));
        else if (strncasecmp(rest, "customresponseheaders.", 22) == 0)
            why = add_change(m->w->response, &m->w->like.nresponse_headers, rest + 22,
                             text_of(m, tag->value));
        else
            why = add_security(m, rest, tag->value);
    }
    return why;
}

static const char *apply_addresses(struct applied *m, const char *key)
{
    struct cidr_list *list = &m->w->like.edge.addresses.allow;
    struct traefik_tag *range = option(m, arena_printf(m->t->set->arena, "%s.sourcerange", key));
    struct str rest, item;

    if (!range || list->n > 0)
        return range ? "two lists of addresses" : "a list of addresses without sourcerange";
    list->items = ARENA_ARRAY(m->t->set->arena, struct cidr, MAX_SOURCES);
    rest = range->value;
    while (str_next(&rest, ',', &item)) {
        if (list->n == MAX_SOURCES)
            return "more than 64 addresses";
        if (value_cidr_problem(text_of(m, item), &list->items[list->n]))
            return "sourcerange has what is no IP address or network";
        list->n++;
    }
    cidr_list_prepare(list);
    return list->n > 0 ? NULL : "a list of addresses without sourcerange";
}

/* Who may is for a policy of the configuration to say; until there is one, nobody may. */
static const char *apply_auth(struct applied *m)
{
    const char *name = text_of(m, m->name);

    if (m->w->like.auth)
        return "authenticated twice";
    if (value_name_problem(name))
        return "its name cannot be that of a policy";
    m->w->like.auth = name;
    note(m, "who may is not read from tags: a policy of this middleware's name decides, and until "
            "there is one everybody is refused (403)");
    return NULL;
}

static void use_all(const struct applied *m)
{
    struct str found;

    for (unsigned i = 0; i < m->t->n; i++)
        if (traefik_name(&m->t->tags[i], "http.middlewares.", &found) && str_ieq(found, m->name))
            m->t->tags[i].used = true;
}

/* What serves well without. */
static bool note_optional(const struct applied *m, const char *kind)
{
    static const struct {
        const char *kind, *why;
    } rows[] = {
        {"compress", "compress is not obeyed: compression of the route does that"},
        {"ratelimit", "ratelimit is not obeyed: rate_limits do that"},
        {"inflightreq", "inflightreq is not obeyed: max_requests of the service does that"},
        {"circuitbreaker", "circuitbreaker is not obeyed: breaker of the service does that"},
        {"retry", "retry is not obeyed: retries of the service do that"},
        {"buffering", "buffering is not obeyed: max_body of the route limits bodies"},
        {"errors", "errors is not obeyed: fallback of the service does that"},
        {"contenttype", "contenttype is not obeyed: types are never guessed here"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcasecmp(kind, rows[i].kind) == 0) {
            note(m, rows[i].why);
            return true;
        }
    return false;
}

static const char *apply_kind(struct applied *m, const char *kind)
{
    if (strcasecmp(kind, "chain") == 0) {
        struct traefik_tag *names = option(m, "chain.middlewares");

        return names ? traefik_apply(m->t, names->value, m->w, m->depth + 1)
                     : "a chain without middlewares";
    }
    if (strcasecmp(kind, "headers") == 0)
        return apply_headers(m);
    use_all(m);
    if (strcasecmp(kind, "stripprefix") == 0)
        return apply_strip(m);
    if (strcasecmp(kind, "addprefix") == 0)
        return apply_add(m);
    if (strcasecmp(kind, "replacepath") == 0)
        return apply_replace(m);
    if (strcasecmp(kind, "replacepathregex") == 0)
        return apply_regex(m, "replacepathregex", false);
    if (strcasecmp(kind, "redirectscheme") == 0)
        return apply_redirect_scheme(m);
    if (strcasecmp(kind, "redirectregex") == 0) {
        set_permanent(m, "redirectregex.permanent");
        return apply_regex(m, "redirectregex", true);
    }
    if (strcasecmp(kind, "ipallowlist") == 0 || strcasecmp(kind, "ipwhitelist") == 0)
        return apply_addresses(m, kind);
    if (strcasecmp(kind, "basicauth") == 0 || strcasecmp(kind, "digestauth") == 0 ||
        strcasecmp(kind, "forwardauth") == 0)
        return apply_auth(m);
    return note_optional(m, kind) ? NULL : "a kind of middleware that is not known here";
}

/* "stripprefix" of "http.middlewares.NAME.stripprefix.prefixes", which is a tag of NAME. */
static struct str kind_of(const struct traefik_tag *tag, struct str name)
{
    size_t at = (size_t)(name.p + name.n - tag->key.p) + 1, n = 0;
    struct str rest = {tag->key.p + at, at < tag->key.n ? tag->key.n - at : 0};

    while (n < rest.n && rest.p[n] != '.')
        n++;
    return (struct str){rest.p, n};
}

/* NULL when it is not defined. */
static const char *find_kind(struct applied *m)
{
    struct str name, kind;

    for (unsigned i = 0; i < m->t->n; i++) {
        struct traefik_tag *tag = &m->t->tags[i];

        if (!traefik_name(tag, "http.middlewares.", &name) || !str_ieq(name, m->name))
            continue;
        kind = kind_of(tag, name);
        if (kind.n == 0)
            continue;
        m->tag = tag;
        return arena_strndup(m->t->set->arena, kind.p, kind.n);
    }
    return NULL;
}

/* It is not for this reader to guess which of them was meant: one may be what keeps people out. */
static bool has_other_kind(const struct applied *m, const char *kind)
{
    struct str name, other;

    for (unsigned i = 0; i < m->t->n; i++) {
        const struct traefik_tag *tag = &m->t->tags[i];

        if (!traefik_name(tag, "http.middlewares.", &name) || !str_ieq(name, m->name))
            continue;
        other = kind_of(tag, name);
        if (other.n > 0 && !str_ieq(other, str_of(kind)))
            return true;
    }
    return false;
}

static bool is_disputed(const struct traefik *t, struct str name)
{
    const struct tag_library *l = t->set->library;

    for (unsigned i = 0; l && i < l->ndisputed; i++)
        if (str_ieq(str_of(l->disputed[i]), name))
            return true;
    return false;
}

static const char *apply_one(struct traefik *t, struct str name, struct traefik_work *w,
                             unsigned depth)
{
    const char *at = memchr(name.p, '@', name.n), *kind, *why;
    struct applied m = {t, w, name, NULL, depth};

    if (at && !str_ieq((struct str){at, name.n - (size_t)(at - name.p)}, STR("@consulcatalog")))
        return arena_printf(t->set->arena, "middleware %.*s is of another provider", STR_FMT(name));
    m.name.n = at ? (size_t)(at - name.p) : name.n;
    kind = find_kind(&m);
    if (!kind && is_disputed(t, m.name))
        return arena_printf(t->set->arena,
                            "middleware %.*s is defined by several services, not "
                            "all in the same way",
                            STR_FMT(m.name));
    if (!kind)
        return arena_printf(t->set->arena, "middleware %.*s is not defined by any service",
                            STR_FMT(m.name));
    if (has_other_kind(&m, kind)) {
        use_all(&m);
        why = "it is of two kinds";
    } else {
        why = apply_kind(&m, kind);
    }
    return why ? arena_printf(t->set->arena, "middleware %.*s: %s", STR_FMT(m.name), why) : NULL;
}

const char *traefik_apply(struct traefik *t, struct str names, struct traefik_work *w,
                          unsigned depth)
{
    const char *why = NULL;
    struct str name;

    if (depth > TRAEFIK_MAX_CHAIN)
        return "chains of chains, more than 4 deep";
    while (!why && str_next(&names, ',', &name))
        why = w->napplied++ < TRAEFIK_MAX_APPLIED ? apply_one(t, name, w, depth)
                                                  : "more than 64 middlewares";
    return why;
}

static bool covers(const char *path, struct str prefix)
{
    return str_starts(str_of(path), prefix);
}

/* The one of the prefixes that paths of this route begin with. */
static const char *finish_strip(struct traefik *t, const struct traefik_work *w,
                                struct route_conf *conf)
{
    struct str rest = w->strip, prefix, only = STR_NULL;
    unsigned n = 0;

    while (str_next(&rest, ',', &prefix)) {
        n++;
        only = prefix;
        if (!covers(conf->path, prefix) || conf->path_match == PATH_PREFIX)
            continue;
        conf->strip = arena_strndup(t->set->arena, prefix.p, prefix.n);
        return NULL;
    }
    if (n > 1)
        return "stripprefix has several prefixes, and the rule does not say which it is";
    conf->strip = arena_strndup(t->set->arena, only.p, only.n);
    /* Bytes are cut there, not segments. */
    if (conf->path_match == PATH_PREFIX)
        conf->path_match = PATH_PLAIN_PREFIX;
    return NULL;
}

/* "^/a/(.*)$": the "/a/", unless there is more to it. */
static bool literal_head(struct arena *a, struct str regex, struct str *ret)
{
    static const char *const tails[] = {"(.*)$", "(.*)", "(.+)$", "(.+)"};
    char *out = arena_alloc(a, regex.n + 1);
    size_t n = 0, tail = 0;

    if (regex.n == 0 || regex.p[0] != '^')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(tails) && tail == 0; i++) {
        size_t len = strlen(tails[i]);
        if (regex.n > len && memcmp(regex.p + regex.n - len, tails[i], len) == 0)
            tail = len;
    }
    for (size_t i = 1; i < regex.n - tail; i++) {
        if (regex.p[i] == '\\' && i + 1 < regex.n - tail)
            i++;
        else if (strchr(".+*?()|[]{}^$\\", regex.p[i]))
            return false;
        out[n++] = regex.p[i];
    }
    *ret = (struct str){out, n};
    return tail > 0 && n > 0 && out[n - 1] == '/';
}

/* "/b/$1": the "/b/". */
static bool literal_target(struct str text, struct str *ret)
{
    static const char *const ends[] = {"$1", "${1}"};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        size_t n = strlen(ends[i]);

        if (text.n <= n || memcmp(text.p + text.n - n, ends[i], n) != 0)
            continue;
        *ret = (struct str){text.p, text.n - n};
        return ret->p[ret->n - 1] == '/' && !memchr(ret->p, '$', ret->n);
    }
    return false;
}

static const char *finish_path_regex(struct traefik *t, const struct traefik_work *w,
                                     struct route_conf *conf)
{
    struct arena *a = t->set->arena;
    struct str head, target;

    if (!literal_head(a, w->regex, &head) || !literal_target(w->replacement, &target) ||
        !is_path(head) || !is_path(target))
        return "replacepathregex is supported as ^/PREFIX/(.*) and /OTHER/$1 only";
    if (conf->path_match == PATH_PREFIX || !covers(conf->path, head))
        return "replacepathregex is supported where the rule says PathPrefix of what it replaces";
    conf->strip = arena_strndup(a, head.p, head.n);
    if (target.n > 1)
        conf->prepend = arena_strndup(a, target.p, target.n - 1);
    return NULL;
}

/* "^https?://a/(.*)" and "https://b/$1", where the route is for host a. */
static const char *finish_redirect_regex(struct traefik *t, const struct traefik_work *w,
                                         struct route_conf *conf)
{
    static const struct {
        const char *text;
        enum route_scheme scheme;
    } heads[] = {
        {"^https?://", SCHEME_ANY}, {"^http://", SCHEME_HTTP}, {"^https://", SCHEME_HTTPS}};
    struct arena *a = t->set->arena;
    struct str rest = w->regex, host, target;

    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        size_t n = strlen(heads[i].text);

        if (!str_starts(rest, str_of(heads[i].text)))
            continue;
        if (heads[i].scheme != SCHEME_ANY && conf->scheme != SCHEME_ANY &&
            conf->scheme != heads[i].scheme)
            return "redirectregex never fits the scheme of its router";
        conf->scheme = heads[i].scheme != SCHEME_ANY ? heads[i].scheme : conf->scheme;
        rest = str_of(arena_printf(a, "^%.*s", (int)(rest.n - n), rest.p + n));
        if (!literal_head(a, rest, &host) || !literal_target(w->replacement, &target) ||
            !tags_plain_text(target) || host.n < 2)
            break;
        host.n--;
        if (!str_ieq(host, str_of(conf->host)))
            return "redirectregex is supported where the rule has the Host of its expression";
        conf->redirect_to = arena_printf(a, "%.*s$path", (int)target.n - 1, target.p);
        return NULL;
    }
    return "redirectregex is supported as ^https?://HOST/(.*) and URL/$1 only";
}

const char *traefik_finish(struct traefik *t, const struct traefik_work *w, struct route_conf *conf)
{
    const char *why = NULL;

    if (w->stripped)
        why = finish_strip(t, w, conf);
    if (!why && w->regex.n > 0)
        why =
            w->regex_redirects ? finish_redirect_regex(t, w, conf) : finish_path_regex(t, w, conf);
    return why;
}
