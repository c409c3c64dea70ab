/* SPDX-License-Identifier: Apache-2.0 */
#include "base/regex.h"
#include "http/chars.h"
#include "http/uri.h"
#include "route/route_table.h"

static const char *const method_names[METHOD_OTHER] = {
    [METHOD_GET] = "GET",     [METHOD_HEAD] = "HEAD",     [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",     [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
    [METHOD_PATCH] = "PATCH",
};

int route_method_bit(struct str name)
{
    for (int i = 0; i < METHOD_OTHER; i++)
        if (str_eq(str_of(method_names[i]), name))
            return i;
    return -1;
}

const char *route_methods_text(struct arena *a, uint32_t methods)
{
    const char *text = "";

    for (int i = 0; i < METHOD_OTHER; i++)
        if (methods & (1u << i))
            text = arena_printf(a, "%s%s%s", text, *text ? ", " : "", method_names[i]);
    return text;
}

static void compile_methods(struct compiled *c, struct arena *a)
{
    size_t n = 0, others = 0;

    if (!c->route.conf->methods)
        return;
    while (c->route.conf->methods[n])
        n++;
    c->others = ARENA_ARRAY(a, const char *, n + 1);
    c->allow = "";
    for (size_t i = 0; i < n; i++) {
        const char *name = c->route.conf->methods[i];
        int bit = route_method_bit(str_of(name));

        if (bit >= 0)
            c->methods |= 1u << bit;
        else
            c->others[others++] = name;
        c->allow = arena_printf(a, "%s%s%s", c->allow, i > 0 ? ", " : "", name);
    }
    if (others == 0)
        c->others = NULL;
    /* HEAD is GET without the content (RFC 9110 section 9.3.2): who allows one allows the other. */
    if (c->methods & (1u << METHOD_GET))
        c->methods |= 1u << METHOD_HEAD;
}

static bool has_param(const struct compiled *c, struct str name)
{
    for (unsigned i = 0; i < c->nparams; i++)
        if (str_eq(c->params[i], name))
            return true;
    return false;
}

/* "{name}" or, as the last segment, "{name...}"; NULL when it is one or a literal. */
static const char *compile_segment(struct compiled *c, struct str s, bool last)
{
    if (!memchr(s.p, '{', s.n) && !memchr(s.p, '}', s.n)) {
        c->literals += (unsigned)s.n;
        return NULL;
    }
    if (s.n < 3 || s.p[0] != '{' || s.p[s.n - 1] != '}')
        return "a parameter takes a whole segment: {name}";
    struct str name = {s.p + 1, s.n - 2};
    if (name.n > 3 && memcmp(name.p + name.n - 3, "...", 3) == 0) {
        if (!last)
            return "{name...} stands at the end only";
        name.n -= 3;
    }
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '{' || name.p[i] == '}' || name.p[i] == '.')
            return "malformed parameter name";
    if (has_param(c, name))
        return "two parameters of the same name";
    if (c->nparams == ROUTE_MAX_PARAMS)
        return "more than 8 parameters";
    c->params[c->nparams++] = name;
    return NULL;
}

static const char *compile_pattern(struct compiled *c)
{
    const char *brace = memchr(c->path.p, '{', c->path.n);
    size_t at = 1;

    c->literal = (unsigned)(brace ? (size_t)(brace - c->path.p) : c->path.n);
    for (;;) {
        const char *slash = memchr(c->path.p + at, '/', c->path.n - at);
        size_t end = slash ? (size_t)(slash - c->path.p) : c->path.n;
        const char *why = compile_segment(c, (struct str){c->path.p + at, end - at}, !slash);

        if (why || !slash)
            return why;
        at = end + 1;
    }
}

static const char *compile_path(struct compiled *c, struct arena *a)
{
    const struct route_conf *conf = c->route.conf;
    size_t n = strlen(conf->path), slashes = 0;
    char *path = arena_strndup(a, conf->path, n);

    if (n > ROUTE_MAX_PATH)
        return "the path is longer than 2048 bytes";
    for (size_t i = 0; i < n; i++)
        slashes += path[i] == '/';
    if (slashes > ROUTE_MAX_SEGMENTS)
        return "the path has more than 64 segments";
    if (path[0] != '/' || (conf->path_match != PATH_GLOB && !uri_normalise_path(path, &n)))
        return "not a valid path";
    path[n] = '\0';
    c->path = (struct str){path, n};
    c->literal = c->literals = (unsigned)n;
    /* "/a" and "/a/" are the same prefix, so neither may win by its length. */
    if (conf->path_match == PATH_PREFIX && path[n - 1] == '/')
        c->literal = c->literals = (unsigned)n - 1;
    if (conf->path_match == PATH_GLOB)
        c->literal = (unsigned)strcspn(path, "*?[");
    if (conf->path_match != PATH_PATTERN)
        return NULL;
    c->literals = 0;
    return compile_pattern(c);
}

/* Every {name} must be a parameter of the path. */
static const char *check_names(const struct compiled *c, const char *text)
{
    while (text && (text = strchr(text, '{')) != NULL) {
        size_t n = strcspn(++text, "}"), name = n;

        if (text[n] == '\0')
            return "'{' without '}'";
        if (n > 3 && memcmp(text + n - 3, "...", 3) == 0)
            name -= 3;
        if (!has_param(c, (struct str){text, name}))
            return "names a parameter that the path does not have";
        text += n;
    }
    return NULL;
}

/* These texts become parts of a request line, of Host or of Location. */
static const char *check_texts(const struct route_conf *conf)
{
    const char *const texts[] = {conf->prepend, conf->rewrite, conf->set_host, conf->redirect_to};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        for (const char *p = texts[i]; p && *p; p++)
            if (!char_is(*p, CHAR_TARGET) && !(*p == '#' && texts[i] == conf->redirect_to))
                return "prepend, rewrite, set_host or redirect has a byte that a URL cannot have";
    for (size_t i = 0; i < 2; i++)
        if (texts[i] && strchr(texts[i], '?'))
            return "prepend and rewrite are paths, without a query";
    if (conf->rewrite && conf->rewrite[0] != '/')
        return "a rewritten path starts with '/'";
    return NULL;
}

static const char *check_targets(struct compiled *c)
{
    const struct route_conf *conf = c->route.conf;

    for (size_t i = 0; i < conf->ntargets && i < ROUTE_MAX_TARGETS; i++)
        c->route.weight_sum += conf->targets[i].weight;
    if (conf->ntargets > ROUTE_MAX_TARGETS)
        return "more than 16 services";
    if (conf->redirect_status != 0)
        return conf->redirect_to ? NULL : "a redirect without a target";
    if (conf->aggregate || conf->batch)
        return NULL;
    return c->route.weight_sum > 0 ? NULL : "no service has a weight";
}

static const char *compile_regexes(struct compiled *c, struct arena *a)
{
    const struct route_conf *conf = c->route.conf;
    const struct {
        const char *text;
        const struct regex **to;
    } rows[] = {{conf->host_regex, &c->host_re},
                {conf->path_regex, &c->path_re},
                {conf->not_host_regex, &c->not_host_re},
                {conf->not_path_regex, &c->not_path_re}};
    const char *why = NULL;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].text && !(*rows[i].to = regex_compile(a, str_of(rows[i].text), &why)))
            return why;
    for (size_t i = 0; i < conf->nheaders + conf->nquery; i++) {
        const struct match_conf *m =
            i < conf->nheaders ? &conf->headers[i] : &conf->query[i - conf->nheaders];

        if (m->regex && !m->re)
            return "the expression of a condition cannot be used";
    }
    return NULL;
}

const char *route_compile(struct compiled *c, struct arena *a)
{
    const char *why = route_host_problem(c->route.conf->host);

    if (!why)
        why = compile_path(c, a);
    if (!why)
        why = check_names(c, c->route.conf->rewrite);
    if (!why)
        why = check_texts(c->route.conf);
    if (!why)
        why = check_names(c, c->route.conf->redirect_to);
    if (!why)
        why = check_targets(c);
    if (!why)
        why = compile_regexes(c, a);
    compile_methods(c, a);
    return why;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static size_t conditions(const struct route_conf *conf)
{
    return (conf->host_regex != NULL) + (conf->path_regex != NULL) +
           (conf->not_host_regex != NULL) + (conf->not_path_regex != NULL) +
           (conf->scheme != SCHEME_ANY) + (conf->methods != NULL) + conf->nheaders + conf->nquery;
}

static unsigned match_class(const struct compiled *c)
{
    switch (c->route.conf->path_match) {
    case PATH_EXACT:
        return 0;
    case PATH_PATTERN:
        return c->path.p[c->path.n - 1] == '}' && c->path.p[c->path.n - 2] == '.' ? 2 : 1;
    case PATH_PREFIX:
    case PATH_PLAIN_PREFIX:
    case PATH_PLAIN_IPREFIX:
    case PATH_GLOB:
        break;
    }
    return 3;
}

static int compare_paths(const struct compiled *a, const struct compiled *b)
{
    int d = (match_class(b) == 0) - (match_class(a) == 0);

    d = d ? d : compare_u64(b->literal, a->literal);
    d = d ? d : compare_u64(match_class(a), match_class(b));
    return d ? d : compare_u64(b->literals, a->literals);
}

/* The table of precedence in route.h. */
enum route_point route_decide(const struct compiled *a, const struct compiled *b, int *ret_order)
{
    const struct route_conf *ca = a->route.conf, *cb = b->route.conf;

    if ((*ret_order = strcmp(ca->host, cb->host)) != 0)
        return BY_HOST;
    if ((*ret_order = (ca->priority < cb->priority) - (ca->priority > cb->priority)) != 0)
        return BY_PRIORITY;
    if ((*ret_order = compare_paths(a, b)) != 0)
        return BY_PATH;
    if ((*ret_order = compare_u64(conditions(cb), conditions(ca))) != 0)
        return BY_CONDITIONS;
    if ((*ret_order = a->from_tags - b->from_tags) != 0)
        return BY_SOURCE;
    if ((*ret_order = compare_u64(a->create_index, b->create_index)) != 0)
        return BY_AGE;
    /* Stable for what is equal in everything: as given. */
    if ((*ret_order = strcmp(ca->name, cb->name)) == 0)
        *ret_order = compare_u64(a->route.id, b->route.id);
    return BY_NAME;
}

int route_compare(const void *a, const void *b)
{
    int order;

    route_decide(a, b, &order);
    return order;
}
