/* SPDX-License-Identifier: Apache-2.0 */
#include "base/regex.h"
#include "http/uri.h"
#include "route/route_table.h"

/* One search in one host. */
struct search {
    const struct route_table *t;
    const struct request *r;
    uint32_t best; /* index + 1; 0 = none yet */
    struct str values[ROUTE_MAX_PARAMS], best_values[ROUTE_MAX_PARAMS];
    uint32_t methods;  /* that other routes for the path would take */
    const char *allow; /* of the first such route, when it names only unusual methods */
};

static bool value_matches(const struct match_conf *m, struct str value)
{
    if (m->re)
        return regex_finds(m->re, value);
    if (!m->value)
        return true;
    return m->prefix ? str_starts(value, str_of(m->value)) : str_eq(value, str_of(m->value));
}

static bool header_matches(const struct match_conf *m, const struct request *r)
{
    struct str name = str_of(m->name);

    for (unsigned i = 0; i < r->nheaders; i++)
        if (str_ieq(r->headers[i].name, name) && value_matches(m, r->headers[i].value))
            return true;
    return false;
}

const struct match_conf *route_failed_header(const struct route_conf *conf, const struct request *r)
{
    for (size_t i = 0; i < conf->nheaders; i++)
        if (header_matches(&conf->headers[i], r) == conf->headers[i].invert)
            return &conf->headers[i];
    return NULL;
}

const struct match_conf *route_failed_query(const struct route_conf *conf, const struct request *r)
{
    struct str value;

    for (size_t i = 0; i < conf->nquery; i++) {
        const struct match_conf *m = &conf->query[i];
        bool found = request_query(r, str_of(m->name), &value) && value_matches(m, value);

        if (found == m->invert)
            return m;
    }
    return NULL;
}

bool route_regexes_match(const struct compiled *c, const struct request *r, bool *ret_host)
{
    struct str host;

    *ret_host = true;
    if (c->host_re || c->not_host_re) {
        host = route_host_name(r->host);
        *ret_host = (!c->host_re || regex_finds(c->host_re, host)) &&
                    !(c->not_host_re && regex_finds(c->not_host_re, host));
    }
    return *ret_host && (!c->path_re || regex_finds(c->path_re, r->path)) &&
           !(c->not_path_re && regex_finds(c->not_path_re, r->path));
}

bool route_scheme_matches(const struct route_conf *conf, const struct request *r)
{
    return conf->scheme == SCHEME_ANY || (conf->scheme == SCHEME_HTTPS) == r->secure;
}

bool route_method_matches(const struct compiled *c, const struct request *r)
{
    if (!c->route.conf->methods)
        return true;
    if (r->method != METHOD_OTHER)
        return c->methods & (1u << r->method);
    for (size_t i = 0; c->others && c->others[i]; i++)
        if (str_eq(str_of(c->others[i]), r->method_name))
            return true;
    return false;
}

/* Takes the first route of the list that wants the request, if it beats the best one so far. */
static void consider(struct search *s, struct route_list list)
{
    for (uint32_t i = list.first; i != 0 && (s->best == 0 || i < s->best);
         i = s->t->routes[i - 1].next) {
        const struct compiled *c = &s->t->routes[i - 1];

        if (c->route.conf->path_match == PATH_GLOB && !route_glob(c->path, s->r->path))
            continue;
        bool host;
        if (!route_scheme_matches(c->route.conf, s->r) || !route_regexes_match(c, s->r, &host) ||
            route_failed_header(c->route.conf, s->r) || route_failed_query(c->route.conf, s->r))
            continue;
        if (route_method_matches(c, s->r)) {
            s->best = i;
            memcpy(s->best_values, s->values, sizeof(s->values));
            return;
        }
        s->methods |= c->methods;
        if (!s->allow)
            s->allow = c->allow;
    }
}

/* `at`: the bytes of the path that led to the node; a '/' or the end follows. */
static void walk(struct search *s, uint32_t id, size_t at, unsigned nvalues)
{
    const struct node *node = &s->t->nodes[id];
    struct str path = s->r->path;

    consider(s, node->prefix);
    if (at == path.n) {
        consider(s, node->exact);
        return;
    }
    struct str rest = {path.p + at + 1, path.n - at - 1};
    const char *slash = memchr(rest.p, '/', rest.n);
    struct str segment = {rest.p, slash ? (size_t)(slash - rest.p) : rest.n};
    uint32_t child = route_map_find(&s->t->edge_map, id, segment);

    if (child)
        walk(s, child, at + 1 + segment.n, nvalues);
    if (node->rest.first) {
        s->values[nvalues] = rest;
        consider(s, node->rest);
    }
    if (node->param && segment.n > 0) {
        s->values[nvalues] = segment;
        walk(s, node->param, at + 1 + segment.n, nvalues + 1);
    }
}

/* Every prefix of the path whose length occurs among the plain routes of the host. */
static void find_plain(struct search *s, const struct host *h, bool fold)
{
    uint32_t number = (uint32_t)(h - s->t->hosts) * 2 + fold;
    uint64_t hash = route_hash_start(number);
    struct str path = s->r->path;
    char folded[ROUTE_MAX_PATH];
    size_t max = path.n < sizeof(folded) ? path.n : sizeof(folded);

    for (size_t n = 1; n <= max; n++) {
        char c = fold ? ascii_lower(path.p[n - 1]) : path.p[n - 1];

        folded[n - 1] = c;
        hash = route_hash_step(hash, c);
        if ((h->lengths[n / 64] >> (n % 64) & 1) == 0)
            continue;
        uint32_t list =
            route_map_find_hashed(&s->t->plain_map, number, (struct str){folded, n}, hash);
        if (list)
            consider(s, s->t->lists[list - 1]);
    }
}

static void find_in_host(struct search *s, uint32_t host)
{
    if (host == 0 || s->best)
        return;
    const struct host *h = &s->t->hosts[host - 1];
    walk(s, h->root, 0, 0);
    if (h->plain)
        find_plain(s, h, false);
    if (h->plain_fold)
        find_plain(s, h, true);
}

static void find_name(struct search *s, uint32_t kind, struct str name)
{
    if (!s->best)
        find_in_host(s, route_map_find(&s->t->host_map, kind, name));
}

/* Those that have at least so many literal bytes at their end, from *at on. */
static void find_globs(struct search *s, struct str full, struct str host, size_t suffix,
                       uint32_t *at)
{
    for (; *at < s->t->nglobs && !s->best; (*at)++) {
        const struct host_glob *g = &s->t->globs[*at];

        if (g->suffix < suffix)
            return;
        if (route_glob(g->pattern, g->ported ? full : host))
            find_in_host(s, g->host);
    }
}

/* The host with its port, without it, the wildcards from the longest on. */
static void find_named(struct search *s, struct str full, struct str host)
{
    bool ported = full.n > host.n;
    uint32_t glob = 0;

    if (ported)
        find_name(s, HOST_EXACT, full);
    find_name(s, HOST_EXACT, host);
    for (size_t i = 1; i < host.n && !s->best; i++) {
        if (host.p[i] != '.')
            continue;
        find_globs(s, full, host, host.n - i, &glob);
        if (ported)
            find_name(s, HOST_WILDCARD, (struct str){full.p + i, full.n - i});
        find_name(s, HOST_WILDCARD, (struct str){host.p + i, host.n - i});
    }
    find_globs(s, full, host, 0, &glob);
}

/* Any host comes last. */
static void find_hosts(struct search *s)
{
    struct str full = s->r->host, host = route_host_name(full);

    if (full.n > 0 && full.n <= ROUTE_MAX_HOST)
        find_named(s, full, host);
    find_name(s, HOST_EXACT, STR(""));
}

void route_find(const struct route_table *t, const struct request *r, struct route_match *ret)
{
    struct search s = {.t = t, .r = r};

    ret->route = NULL;
    ret->allow = NULL;
    ret->nparams = 0;
    if (r->path.n == 0 || r->path.p[0] != '/')
        return;
    find_hosts(&s);
    if (s.best == 0) {
        ret->allow = s.methods ? t->allow[s.methods] : s.allow;
        return;
    }
    const struct compiled *c = &t->routes[s.best - 1];
    ret->route = &c->route;
    ret->nparams = c->nparams;
    for (unsigned i = 0; i < c->nparams; i++) {
        ret->params[i].name = c->params[i];
        ret->params[i].value = s.best_values[i];
    }
}
