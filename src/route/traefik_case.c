/* SPDX-License-Identifier: Apache-2.0 */
#include "config/cidr.h"
#include "config/value.h"
#include "route/traefik.h"

#include <strings.h>

/* One case on its way to a route. */
struct draft {
    struct tags_set *set;
    struct str tag;
    struct route_conf *conf;
    bool exact, prefix; /* a Path, a PathPrefix was there */
    unsigned methods;
};

const char *traefik_quote(struct arena *a, struct str text)
{
    char *out = arena_alloc(a, text.n * 2 + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (strchr("\\.+*?()|[]{}^$", text.p[i]))
            out[n++] = '\\';
        out[n++] = text.p[i];
    }
    return out;
}

/* "{id}" or "{id:[0-9]+}", as version 2 has them. */
static const char *template_at(struct str text, size_t at, size_t *ret_end)
{
    unsigned depth = 0;

    if (text.p[at] != '{' || at + 1 >= text.n ||
        !((text.p[at + 1] | 0x20) >= 'a' && (text.p[at + 1] | 0x20) <= 'z'))
        return NULL;
    for (size_t i = at; i < text.n; i++) {
        depth += text.p[i] == '{';
        depth -= text.p[i] == '}';
        if (depth == 0) {
            *ret_end = i;
            return text.p + at + 1;
        }
    }
    return NULL;
}

static bool is_template(struct str text)
{
    size_t end;

    for (size_t i = 0; i < text.n; i++)
        if (template_at(text, i, &end))
            return true;
    return false;
}

/* As an expression; `any` stands for a name without one of its own. */
static const char *template_regex(struct arena *a, struct str text, const char *any)
{
    const char *out = "";
    size_t at = 0, end;

    for (size_t i = 0; i < text.n; i++) {
        const char *name = template_at(text, i, &end), *colon;

        if (!name)
            continue;
        size_t n = (size_t)(text.p + end - name);
        colon = memchr(name, ':', n);
        out = arena_printf(a, "%s%s", out, traefik_quote(a, (struct str){text.p + at, i - at}));
        if (colon)
            out = arena_printf(a, "%s(?:%.*s)", out, (int)(text.p + end - colon - 1), colon + 1);
        else
            out = arena_printf(a, "%s%s", out, any);
        at = end + 1;
        i = end;
    }
    return arena_printf(a, "%s%s", out, traefik_quote(a, (struct str){text.p + at, text.n - at}));
}

/* Adds an expression that must be found, or must not. */
static const char *add_regex(struct draft *d, const char **must, const char **must_not,
                             bool inverse, const char *text)
{
    const char *why = value_regex_problem(text), **at = inverse ? must_not : must;

    if (why)
        return arena_printf(d->set->arena, "an expression that cannot be used: %s", why);
    if (*at && !inverse)
        return "more than one expression on the same thing";
    *at = *at ? arena_printf(d->set->arena, "(?:%s)|(?:%s)", *at, text) : text;
    return NULL;
}

static const char *on_host(struct draft *d, bool inverse, const char *regex)
{
    return add_regex(d, &d->conf->host_regex, &d->conf->not_host_regex, inverse, regex);
}

static const char *on_path(struct draft *d, bool inverse, const char *regex)
{
    return add_regex(d, &d->conf->path_regex, &d->conf->not_path_regex, inverse, regex);
}

static const char *lower(struct arena *a, struct str text)
{
    char *out = arena_strndup(a, text.p, text.n);

    for (char *p = out; *p; p++)
        *p = ascii_lower(*p);
    return out;
}

static const char *take_host(struct draft *d, const struct traefik_test *t)
{
    struct arena *a = d->set->arena;
    const char *host = lower(a, t->args[0]);
    bool wild = strncmp(host, "*.", 2) == 0;
    const char *regex = arena_printf(a, "^%s%s$", wild ? "[^.]+\\." : "",
                                     traefik_quote(a, str_of(wild ? host + 2 : host)));

    if (strcmp(host, "*") == 0)
        return t->inverse ? "no request would fit" : NULL;
    if (t->inverse)
        return on_host(d, true, regex);
    if (*d->conf->host && strcmp(d->conf->host, host) != 0)
        return "no host can be two at once";
    const char *why = tags_host(d->set, d->conf, str_of(host));
    if (!why && (strchr(host + (wild ? 2 : 0), '*') || *d->conf->host == '\0'))
        why = "a host is a name, or \"*.\" and a name";
    /* There the wildcard is one label. */
    return why || !wild ? why : on_host(d, false, regex);
}

static const char *take_host_regexp(struct draft *d, const struct traefik_test *t)
{
    struct arena *a = d->set->arena;

    if (is_template(t->args[0]))
        return on_host(d, t->inverse,
                       arena_printf(a, "^%s$", template_regex(a, t->args[0], "[^.]+")));
    return on_host(d, t->inverse, arena_strndup(a, t->args[0].p, t->args[0].n));
}

/* The longer one of two prefixes, when one begins with the other. */
static const char *narrow(struct draft *d, struct str path, enum path_match match)
{
    struct str now = str_of(d->conf->path);
    bool set = d->exact || d->prefix;

    if (!tags_plain_text(path) || path.p[0] != '/')
        return "not a path";
    if (set && d->exact && match == PATH_EXACT && !str_eq(now, path))
        return "no path can be two at once";
    if (set && !str_starts(path, now) && !str_starts(now, path))
        return "no path can begin with both";
    if (set && d->exact && match != PATH_EXACT)
        return str_starts(now, path) ? NULL : "no path can begin with both";
    if (set && match == PATH_EXACT && !str_starts(path, now))
        return "no path can begin with both";
    if (set && match != PATH_EXACT && now.n > path.n)
        return NULL;
    d->conf->path = arena_strndup(d->set->arena, path.p, path.n);
    d->conf->path_match = match;
    d->exact |= match == PATH_EXACT;
    d->prefix |= match != PATH_EXACT;
    return NULL;
}

static const char *take_path(struct draft *d, const struct traefik_test *t, bool exact)
{
    struct arena *a = d->set->arena;
    struct str text = t->args[0];
    size_t head = 0, end;
    const char *why;

    if (!is_template(text)) {
        if (!t->inverse)
            return narrow(d, text, exact ? PATH_EXACT : PATH_PLAIN_PREFIX);
        return on_path(d, true, arena_printf(a, "^%s%s", traefik_quote(a, text), exact ? "$" : ""));
    }
    while (!template_at(text, head, &end))
        head++;
    why = on_path(d, t->inverse,
                  arena_printf(a, "^%s%s", template_regex(a, text, "[^/]+"), exact ? "$" : ""));
    if (why || t->inverse)
        return why;
    return narrow(d, (struct str){text.p, head}, PATH_PLAIN_PREFIX);
}

static const char *take_method(struct draft *d, const struct traefik_test *t)
{
    struct arena *a = d->set->arena;
    char *name = arena_strndup(a, t->args[0].p, t->args[0].n);

    if (t->inverse)
        return "a method that must not be is not supported";
    for (char *p = name; *p; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    if (!value_is_token(name))
        return "not a method";
    if (d->conf->methods)
        return strcmp(d->conf->methods[0], name) == 0 ? NULL : "no method can be two at once";
    d->conf->methods = ARENA_ARRAY(a, const char *, 2);
    d->conf->methods[0] = name;
    return NULL;
}

static const char *take_condition(struct draft *d, const struct traefik_test *t, bool header,
                                  bool regex)
{
    struct arena *a = d->set->arena;
    struct match_conf **list = header ? &d->conf->headers : &d->conf->query;
    size_t *n = header ? &d->conf->nheaders : &d->conf->nquery;
    struct match_conf *m;
    const char *why;

    if (!*list)
        *list = ARENA_ARRAY(a, struct match_conf, TRAEFIK_MAX_TESTS);
    m = &(*list)[(*n)++];
    *m = (struct match_conf){.invert = t->inverse, .regex = regex};
    m->name = arena_strndup(a, t->args[0].p, t->args[0].n);
    if (t->nargs == 2)
        m->value = arena_strndup(a, t->args[1].p, t->args[1].n);
    if (header && !value_is_token(m->name))
        return "not the name of a header field";
    if (!*m->name)
        return "a query parameter needs a name";
    if (m->value && value_header_value_problem(m->value))
        return "a value holds a control character";
    why = regex ? value_regex_problem(m->value) : NULL;
    if (why)
        return arena_printf(a, "an expression that cannot be used: %s", why);
    return NULL;
}

/* There a client that does not fit goes on to the next route; here it is refused. */
static const char *take_client(struct draft *d, const struct traefik_test *t)
{
    struct address_rules *rules = &d->conf->edge.addresses;
    struct cidr_list *list = t->inverse ? &rules->deny : &rules->allow;
    const char *text = arena_strndup(d->set->arena, t->args[0].p, t->args[0].n);

    if (list->n > 0 && !t->inverse)
        return "more than one ClientIP for the same route";
    if (!list->items)
        list->items = ARENA_ARRAY(d->set->arena, struct cidr, TRAEFIK_MAX_TESTS);
    if (value_cidr_problem(text, &list->items[list->n]))
        return "ClientIP takes an IP address or a network";
    list->n++;
    cidr_list_prepare(list);
    tags_report(d->set, TAG_DIFFERS, d->tag,
                "ClientIP refuses other clients (403) in place of trying the next route; "
                "X-Forwarded-For counts when it comes from one of trusted_proxies");
    return NULL;
}

static const char *take_test(struct draft *d, const struct traefik_test *t)
{
    switch (t->matcher) {
    case TRAEFIK_HOST:
        return take_host(d, t);
    case TRAEFIK_HOST_REGEXP:
        return take_host_regexp(d, t);
    case TRAEFIK_PATH:
        return take_path(d, t, true);
    case TRAEFIK_PATH_PREFIX:
        return take_path(d, t, false);
    case TRAEFIK_PATH_REGEXP:
        return on_path(d, t->inverse, arena_strndup(d->set->arena, t->args[0].p, t->args[0].n));
    case TRAEFIK_METHOD:
        return take_method(d, t);
    case TRAEFIK_HEADER:
        return take_condition(d, t, true, false);
    case TRAEFIK_HEADER_REGEXP:
        return take_condition(d, t, true, true);
    case TRAEFIK_QUERY:
        return take_condition(d, t, false, false);
    case TRAEFIK_QUERY_REGEXP:
        return take_condition(d, t, false, true);
    case TRAEFIK_CLIENT_IP:
        return take_client(d, t);
    }
    return "a matcher that is not known here";
}

const char *traefik_case_route(struct tags_set *s, struct str tag, const struct traefik_case *c,
                               struct route_conf *conf)
{
    struct draft d = {.set = s, .tag = tag, .conf = conf};
    const char *why = NULL;

    conf->path = "/";
    conf->path_match = PATH_PREFIX;
    for (unsigned i = 0; i < c->n && !why; i++)
        why = take_test(&d, &c->tests[i]);
    return why;
}
