/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route_why.h"
#include "http/uri.h"
#include "route/route_table.h"

#include <stdlib.h>

const char *route_loss_name(enum route_loss l)
{
    static const char *const names[] = {
        [ROUTE_FITS] = "",
        [ROUTE_LOST_HOST] = "host",
        [ROUTE_LOST_PATH] = "path",
        [ROUTE_LOST_SCHEME] = "scheme",
        [ROUTE_LOST_HEADER] = "header",
        [ROUTE_LOST_QUERY] = "query",
        [ROUTE_LOST_METHOD] = "method",
        [ROUTE_BEATEN_HOST] = "more_specific_host",
        [ROUTE_BEATEN_PRIORITY] = "priority",
        [ROUTE_BEATEN_PATH] = "more_specific_path",
        [ROUTE_BEATEN_CONDITIONS] = "more_conditions",
        [ROUTE_BEATEN_SOURCE] = "configuration_first",
        [ROUTE_BEATEN_AGE] = "older_service",
        [ROUTE_BEATEN_NAME] = "name_order",
    };

    return names[l];
}

static const struct compiled *compiled_of(const struct route_table *t, const struct route *r)
{
    return &t->routes[r->id];
}

/* 0 = another host's; else the smaller one is looked into first. */
static size_t host_rank(const char *wanted, const struct request *r)
{
    struct str full = r->host, host = route_host_name(full), name = str_of(wanted);
    struct host_glob glob;

    if (name.n == 0)
        return SIZE_MAX;
    if (full.n == 0 || full.n > ROUTE_MAX_HOST)
        return 0;
    if (route_host_glob(name, &glob))
        return route_glob(name, glob.ported ? full : host) ? 4 * (host.n - glob.suffix) + 4 : 0;
    if (name.p[0] != '*')
        return str_eq(name, full) ? 1 : str_eq(name, host) ? 2 : 0;
    name = (struct str){name.p + 1, name.n - 1};
    for (size_t i = 1; i < host.n; i++) {
        if (str_eq(name, (struct str){full.p + i, full.n - i}))
            return 4 * i + 5;
        if (str_eq(name, (struct str){host.p + i, host.n - i}))
            return 4 * i + 6;
    }
    return 0;
}

static struct str cut_segment(struct str *rest)
{
    const char *slash = memchr(rest->p, '/', rest->n);
    struct str segment = {rest->p, slash ? (size_t)(slash - rest->p) : rest->n};
    size_t used = slash ? segment.n + 1 : segment.n;

    *rest = (struct str){rest->p + used, rest->n - used};
    return segment;
}

static bool pattern_matches(struct str pattern, struct str path)
{
    bool more_pattern = true, more_path = true;

    pattern = (struct str){pattern.p + 1, pattern.n - 1};
    path = (struct str){path.p + 1, path.n - 1};
    while (more_pattern && more_path) {
        struct str tail = path;
        more_pattern = memchr(pattern.p, '/', pattern.n) != NULL;
        more_path = memchr(path.p, '/', path.n) != NULL;
        struct str want = cut_segment(&pattern), got = cut_segment(&path);
        bool param = want.n > 0 && want.p[0] == '{';

        if (param && want.p[want.n - 2] == '.')
            return tail.p != NULL;
        if (param ? got.n == 0 : !str_eq(want, got))
            return false;
    }
    return more_pattern == more_path;
}

static bool prefix_matches(struct str prefix, struct str path)
{
    if (prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    return str_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
}

static bool path_matches(const struct compiled *c, struct str path)
{
    if (path.n == 0 || path.p[0] != '/')
        return false;
    switch (c->route.conf->path_match) {
    case PATH_PREFIX:
        return prefix_matches(c->path, path);
    case PATH_EXACT:
        return str_eq(c->path, path);
    case PATH_PATTERN:
        return pattern_matches(c->path, path);
    case PATH_PLAIN_PREFIX:
        return str_starts(path, c->path);
    case PATH_PLAIN_IPREFIX:
        return str_istarts(path, c->path);
    case PATH_GLOB:
        return route_glob(c->path, path);
    }
    return false;
}

static enum route_loss judge(const struct compiled *c, const struct request *r,
                             const char **ret_field)
{
    const struct match_conf *failed;
    bool host;

    *ret_field = NULL;
    if (host_rank(c->route.conf->host, r) == 0)
        return ROUTE_LOST_HOST;
    if (!path_matches(c, r->path))
        return ROUTE_LOST_PATH;
    if (!route_regexes_match(c, r, &host))
        return host ? ROUTE_LOST_PATH : ROUTE_LOST_HOST;
    if (!route_scheme_matches(c->route.conf, r))
        return ROUTE_LOST_SCHEME;
    if ((failed = route_failed_header(c->route.conf, r)) != NULL) {
        *ret_field = failed->name;
        return ROUTE_LOST_HEADER;
    }
    if ((failed = route_failed_query(c->route.conf, r)) != NULL) {
        *ret_field = failed->name;
        return ROUTE_LOST_QUERY;
    }
    return route_method_matches(c, r) ? ROUTE_FITS : ROUTE_LOST_METHOD;
}

enum route_loss route_judge(const struct route_table *t, const struct route *route,
                            const struct request *r, const char **ret_field)
{
    return judge(compiled_of(t, route), r, ret_field);
}

enum route_loss route_beaten_by(const struct route_table *t, const struct route *loser,
                                const struct route *winner, const struct request *r)
{
    int order;

    if (host_rank(winner->conf->host, r) != host_rank(loser->conf->host, r))
        return ROUTE_BEATEN_HOST;
    switch (route_decide(compiled_of(t, winner), compiled_of(t, loser), &order)) {
    case BY_HOST:
        return ROUTE_BEATEN_HOST;
    case BY_PRIORITY:
        return ROUTE_BEATEN_PRIORITY;
    case BY_PATH:
        return ROUTE_BEATEN_PATH;
    case BY_CONDITIONS:
        return ROUTE_BEATEN_CONDITIONS;
    case BY_SOURCE:
        return ROUTE_BEATEN_SOURCE;
    case BY_AGE:
        return ROUTE_BEATEN_AGE;
    case BY_NAME:
        break;
    }
    return ROUTE_BEATEN_NAME;
}

/* How far a route came: by the condition that it failed, then by the path that it shares. */
struct ranked {
    struct route_loser loser;
    unsigned came; /* conditions that it met */
    size_t shared; /* bytes of the path; of those that fit, how specific their host is */
};

static size_t shared_bytes(struct str a, struct str b)
{
    size_t n = 0;

    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

/* False: too far away to be told of. */
static bool rank(const struct route_table *t, const struct compiled *c, const struct request *r,
                 const struct route *winner, struct ranked *ret)
{
    struct route_loser *l = &ret->loser;

    l->route = &c->route;
    l->loss = judge(c, r, &l->field);
    ret->shared = shared_bytes(c->path, r->path);
    switch (l->loss) {
    case ROUTE_FITS:
        l->loss = winner ? route_beaten_by(t, l->route, winner, r) : ROUTE_FITS;
        ret->came = 5;
        ret->shared = SIZE_MAX - host_rank(c->route.conf->host, r);
        return winner != NULL;
    case ROUTE_LOST_METHOD:
        ret->came = 4;
        return true;
    case ROUTE_LOST_QUERY:
    case ROUTE_LOST_HEADER:
    case ROUTE_LOST_SCHEME:
        ret->came = 3;
        return true;
    case ROUTE_LOST_PATH:
        ret->came = 1;
        return !winner || ret->shared > 1;
    default:
        ret->came = 2;
        return path_matches(c, r->path) && !(winner && ret->shared <= 1);
    }
}

static int by_nearness(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;

    if (a->came != b->came)
        return a->came < b->came ? 1 : -1;
    if (a->shared != b->shared)
        return a->shared < b->shared ? 1 : -1;
    return a->loser.route->id < b->loser.route->id ? -1 : 1;
}

size_t route_losers(const struct route_table *t, const struct request *r,
                    const struct route *winner, struct route_loser *out, size_t cap)
{
    struct ranked *all = calloc(t->n ? t->n : 1, sizeof *all);
    size_t n = 0;

    if (!all)
        return 0;
    for (size_t i = 0; i < t->n; i++)
        if (&t->routes[i].route != winner && rank(t, &t->routes[i], r, winner, &all[n]))
            n++;
    qsort(all, n, sizeof *all, by_nearness);
    if (n > cap)
        n = cap;
    for (size_t i = 0; i < n; i++)
        out[i] = all[i].loser;
    free(all);
    return n;
}
