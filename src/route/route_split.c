/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route_split.h"
#include "base/hash.h"

bool route_hash(enum hash_source source, const char *name, const struct request *r,
                const struct route_match *m, const struct in6_addr *client, uint64_t *ret_hash)
{
    const struct header *h;
    struct str v = STR_NULL;

    switch (source) {
    case HASH_NONE:
        return false;
    case HASH_HEADER:
        h = request_header_named(r, str_of(name));
        v = h ? h->value : v;
        break;
    case HASH_COOKIE:
        request_cookie(r, str_of(name), &v);
        break;
    case HASH_QUERY:
        request_query(r, str_of(name), &v);
        break;
    case HASH_PATH_PARAM:
        for (unsigned i = 0; i < m->nparams; i++)
            if (str_eq(m->params[i].name, str_of(name)))
                v = m->params[i].value;
        break;
    case HASH_CLIENT_ADDRESS:
        v = (struct str){(const char *)client, sizeof *client};
        break;
    }
    *ret_hash = hash_str(v, 0);
    return v.n > 0;
}

uint32_t route_split(const struct route *route, const struct request *r,
                     const struct route_match *m, const struct in6_addr *client, struct rng *rng)
{
    const struct route_conf *c = route->conf;
    uint64_t hash;
    uint32_t at, i = 0;

    if (c->ntargets == 1)
        return 0;
    if (route_hash(c->sticky_source, c->sticky_name, r, m, client, &hash))
        at = (uint32_t)(((hash >> 32) * route->weight_sum) >> 32);
    else
        at = rng_below(rng, route->weight_sum);
    while (i + 1 < c->ntargets && at >= c->targets[i].weight)
        at -= c->targets[i++].weight;
    return i;
}
