/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/capture.h"
#include "base/clock.h"
#include "base/hash.h"
#include "proxy/access.h"
#include "proxy/cached.h"
#include "proxy/proxy_internal.h"
#include "proxy/subrequest.h"

static uint64_t hash_conditions(const struct match_conf *m, size_t n, uint64_t h)
{
    for (size_t i = 0; i < n; i++) {
        h = hash_str(str_of(m[i].name), h);
        h = hash_str(str_of(m[i].value ? m[i].value : ""), h);
        h = hash_mix(h ^ (!!m[i].value + 2u * m[i].prefix + 4u * m[i].invert + 8u * m[i].regex));
    }
    return hash_mix(h ^ n);
}

static uint64_t hash_expressions(const struct route_conf *c)
{
    const char *const texts[] = {c->host_regex, c->path_regex, c->not_host_regex,
                                 c->not_path_regex};
    uint64_t h = c->scheme;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        h = texts[i] ? hash_mix(hash_str(str_of(texts[i]), h + i + 1)) : h;
    return h;
}

/* Routes that differ only by their conditions can have the same name, made from host and path. The
 * name and the conditions outlive a reload; a route's place in the table or the file does not. */
void capture_key(struct exchange *x, struct cache_key *ret)
{
    const struct route_conf *c = x->match.route->conf;
    uint64_t h = hash_conditions(c->headers, c->nheaders, hash_expressions(c));

    *ret = (struct cache_key){
        .scope = str_of(c->name),
        .scope_more = hash_conditions(c->query, c->nquery, h),
        .who = c->cache && c->cache->by == CACHE_BY_IDENTITY ? access_who(x) : STR(""),
        .host = x->req.host,
        .path = x->req.path,
        .query = x->req.query,
        .has_query = x->req.has_query,
    };
}

static void store(struct exchange *x)
{
    x->download.tap = NULL;
    cache_commit(&x->capture, &x->req);
    if (x->cached)
        cached_release(x);
}

static void on_piece(void *arg, const char *p, size_t n)
{
    struct exchange *x = arg;

    if (!cache_append(&x->capture, p, n))
        x->download.tap = NULL;
    else if (x->download.taken)
        store(x);
}

/* RFC 9111 section 4.4: what a request has changed is not what it was before. And what is gone for
 * good must not come back in an outage. */
static bool makes_outdated(const struct exchange *x, unsigned status)
{
    switch (x->req.method) {
    case METHOD_GET:
        return status == 404 || status == 410;
    case METHOD_HEAD:
    case METHOD_OPTIONS:
        return false;
    case METHOD_POST:
    case METHOD_PUT:
    case METHOD_DELETE:
    case METHOD_PATCH:
    case METHOD_OTHER:
        break;
    }
    return status >= 200 && status < 400;
}

/* A refresh asks on nobody's behalf. */
static bool knows_who(const struct exchange *x)
{
    const struct subrequest *inner = x->conn->inner;

    return (x->access && x->access->identity) ||
           (inner && !subrequest_refresh(inner) && subrequest_knows_who(inner));
}

/* Would the answer be another one for somebody else? The service has been told who asks, in fields
 * that are not in the request which a stored answer is looked up by. */
static bool is_personal(const struct exchange *x, const struct response *a)
{
    const struct guarded_fields *guarded = &exchange_config(x)->guarded;

    if (!knows_who(x))
        return false;
    for (unsigned i = 0; i < a->nheaders; i++) {
        struct str list = a->headers[i].value, name;

        if (!str_ieq(a->headers[i].name, STR("Vary")))
            continue;
        while (str_next(&list, ',', &name))
            if (guarded_has(guarded, name))
                return true;
    }
    return !rules_are_for_all(a);
}

void capture_freshness(const struct exchange *x, const struct response *a, struct freshness *ret)
{
    const struct route_cache_conf *conf = x->match.route->conf->cache;

    *ret = rules_freshness(a, clock_wall_ms() / 1000,
                           (int64_t)((x->w->now_ns - x->attempt->begin_ns) / NS_PER_S));
    if (!conf)
        return;
    if (conf->ttl_ms && !rules_says_lifetime(a))
        ret->lifetime_s = (int64_t)(conf->ttl_ms / 1000);
    if (conf->max_ttl_ms && ret->lifetime_s > (int64_t)(conf->max_ttl_ms / 1000))
        ret->lifetime_s = (int64_t)(conf->max_ttl_ms / 1000);
}

/* Could it ever be of use to a route that has no other wish for it? */
static bool is_worth_it(const struct exchange *x, const struct response *a,
                        const struct freshness *fresh)
{
    if (x->fallbacks && x->fallbacks->caches)
        return true;
    return fresh->lifetime_s > 0 || rules_header(a->headers, a->nheaders, STR("etag")) != NULL ||
           rules_header(a->headers, a->nheaders, STR("last-modified")) != NULL;
}

static void begin(struct exchange *x)
{
    struct cache *cache = proxy_cache(x->w->proxy);
    const struct attempt *a = x->attempt;
    struct freshness fresh;
    struct cache_key key;

    /* The answer of another service that stands in is not this service's last good one. */
    if (x->fallback)
        return;
    capture_key(x, &key);
    if (makes_outdated(x, a->resp.status))
        cache_remove(cache, &key);
    /* A body that ends with the connection may be cut short without anybody knowing. */
    if (a->resp.framing == FRAMING_CLOSE || rules_refuse(&x->req, &a->resp, key.who.n > 0) ||
        (key.who.n == 0 && is_personal(x, &a->resp)))
        return;
    capture_freshness(x, &a->resp, &fresh);
    if (!is_worth_it(x, &a->resp, &fresh))
        return;
    x->capture = cache_begin(cache, &key, &x->req, &a->resp, &fresh, x->w->now_ns);
    if (!x->capture)
        return;
    x->download.tap = on_piece;
    x->download.tap_arg = x;
    if (x->download.taken)
        store(x);
}

void capture_begin(struct exchange *x)
{
    begin(x);
    if (!x->capture && x->cached)
        cached_release(x);
}

void capture_end(struct exchange *x)
{
    x->download.tap = NULL;
    cache_abort(&x->capture);
}
