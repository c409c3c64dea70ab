/* SPDX-License-Identifier: Apache-2.0 */
/* chain_resolver.c - resolvers and the targets that they name. */
#include "chain_parts.h"

enum { CONSULS_CONNECT_TIMEOUT_MS = 5000 };

static bool read_failover(struct chain_reader *r, const json_t *resolver,
                          struct chain_resolver *ret)
{
    static const char *const known[] = {"Targets", NULL};
    const json_t *failover, *list;
    size_t n;

    if (!chain_object(r, resolver, "Failover", &failover))
        return false;
    if (chain_unknown(failover, known))
        chain_note(r, "%.60s of Failover is not obeyed: its targets are tried in order",
                   chain_unknown(failover, known));
    if (!chain_array(r, failover, "Targets", CHAIN_MAX_FAILOVERS, &list))
        return false;
    n = json_array_size(list);
    ret->failovers = ARENA_ARRAY(r->arena, unsigned, n);
    for (size_t i = 0; i < n; i++)
        if (!chain_find_target(r, json_string_value(json_array_get(list, i)), &ret->failovers[i]))
            return false;
    ret->nfailovers = (unsigned)n;
    return true;
}

static bool read_hash(struct chain_reader *r, const json_t *list, struct chain_resolver *ret)
{
    static const struct {
        const char *field;
        enum chain_hash hash;
    } fields[] = {{"header", CHAIN_HASH_HEADER},
                  {"cookie", CHAIN_HASH_COOKIE},
                  {"query_parameter", CHAIN_HASH_QUERY}};
    const json_t *first = json_array_get(list, 0);
    const char *field;
    bool source;

    if (json_array_size(list) > 1)
        chain_note(r, "HashPolicies: only the first counts");
    if (!first)
        return true;
    if (!chain_text(r, first, "Field", &field) || !chain_bool(r, first, "SourceIP", &source) ||
        !chain_text(r, first, "FieldValue", &ret->hash_name))
        return false;
    if (json_object_get(first, "CookieConfig"))
        chain_note(r, "CookieConfig is not obeyed: the cookie must be the service's own");
    if (source)
        ret->hash = CHAIN_HASH_SOURCE;
    for (size_t i = 0; field && !source && i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].field, field) == 0 && ret->hash_name)
            ret->hash = fields[i].hash;
    if (ret->hash == CHAIN_HASH_NONE)
        chain_note(r, "a HashPolicy that is not known is not obeyed");
    return true;
}

static bool read_balance(struct chain_reader *r, const json_t *resolver, struct chain_resolver *ret)
{
    static const struct {
        const char *word;
        enum chain_balance balance;
    } words[] = {{"random", CHAIN_RANDOM},
                 {"round_robin", CHAIN_ROUND_ROBIN},
                 {"least_request", CHAIN_LEAST_REQUEST},
                 {"ring_hash", CHAIN_HASH},
                 {"maglev", CHAIN_HASH}};
    const json_t *balancer, *policies, *least;
    const char *word;
    unsigned choices;

    if (!chain_object(r, resolver, "LoadBalancer", &balancer) ||
        !chain_text(r, balancer, "Policy", &word) ||
        !chain_array(r, balancer, "HashPolicies", 64, &policies) ||
        !chain_object(r, balancer, "LeastRequestConfig", &least) ||
        !chain_count(r, least, "ChoiceCount", &choices))
        return false;
    for (size_t i = 0; word && i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].word, word) == 0)
            ret->balance = words[i].balance;
    if (word && ret->balance == CHAIN_AS_USUAL)
        chain_note(r, "LoadBalancer policy %.60s is not known", word);
    if (ret->balance == CHAIN_LEAST_REQUEST && choices > 2)
        chain_note(r, "LeastRequestConfig: two instances are compared, not %u", choices);
    return ret->balance != CHAIN_HASH || read_hash(r, policies, ret);
}

bool chain_read_resolver(struct chain_reader *r, const json_t *object, struct chain_resolver *ret)
{
    static const char *const known[] = {"ConnectTimeout", "RequestTimeout", "Default", "Target",
                                        "Failover",       "LoadBalancer",   NULL};
    const json_t *resolver;
    const char *target;

    if (!chain_object(r, object, "Resolver", &resolver))
        return false;
    if (chain_unknown(resolver, known))
        chain_note(r, "%.60s of a resolver is not obeyed", chain_unknown(resolver, known));
    if (!chain_duration(r, resolver, "ConnectTimeout", &ret->connect_timeout_ms) ||
        !chain_duration(r, resolver, "RequestTimeout", &ret->timeout_ms) ||
        !chain_text(r, resolver, "Target", &target) || !read_failover(r, resolver, ret) ||
        !read_balance(r, resolver, ret))
        return false;
    if (ret->connect_timeout_ms == CONSULS_CONNECT_TIMEOUT_MS)
        ret->connect_timeout_ms = 0;
    return chain_find_target(r, target, &ret->target);
}

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "default", b ? b : "default") == 0;
}

/* Names of other sets of instances than the plain service (chain.h). */
static const char *key_of(struct chain_reader *r, const struct chain_target *t)
{
    const char *subset = t->subset ? arena_printf(r->arena, ":%s", t->subset) : "";
    const char *dc = t->datacenter ? arena_printf(r->arena, "@%s", t->datacenter) : "";
    const char *ns = t->ns ? arena_printf(r->arena, "+ns.%s", t->ns) : "";
    const char *ap = t->partition ? arena_printf(r->arena, "+ap.%s", t->partition) : "";
    const char *peer = t->peer ? arena_printf(r->arena, "+peer.%s", t->peer) : "";

    return arena_printf(r->arena, "%s%s%s%s%s%s", t->service, subset, dc, ns, ap, peer);
}

static char *lower(char *z)
{
    for (char *p = z; *p; p++)
        *p = ascii_lower(*p);
    return z;
}

bool chain_read_target(struct chain_reader *r, const json_t *object, struct chain_target *ret)
{
    const struct chain *c = r->chain;
    const json_t *subset, *gateway;
    const char *mode;

    if (!json_is_object(object))
        return chain_refuse(r, "is not an object");
    if (!chain_text(r, object, "Service", &ret->service) ||
        !chain_text(r, object, "ServiceSubset", &ret->subset) ||
        !chain_text(r, object, "Datacenter", &ret->datacenter) ||
        !chain_text(r, object, "Namespace", &ret->ns) ||
        !chain_text(r, object, "Partition", &ret->partition) ||
        !chain_text(r, object, "Peer", &ret->peer) || !chain_object(r, object, "Subset", &subset) ||
        !chain_text(r, subset, "Filter", &ret->filter) ||
        !chain_bool(r, subset, "OnlyPassing", &ret->only_passing) ||
        !chain_object(r, object, "MeshGateway", &gateway) || !chain_text(r, gateway, "Mode", &mode))
        return false;
    if (!ret->service)
        return chain_refuse(r, "has no Service");
    ret->service = lower(arena_strdup(r->arena, ret->service));
    if (ret->peer || (ret->datacenter && c->datacenter && same(ret->datacenter, c->datacenter)))
        ret->datacenter = NULL;
    if (same(ret->ns, c->ns))
        ret->ns = NULL;
    if (same(ret->partition, c->partition))
        ret->partition = NULL;
    if (mode && strcmp(mode, "none") != 0 && (ret->datacenter || ret->peer))
        chain_note(r,
                   "the mesh gateway before %.100s is not used: its instances are asked directly",
                   r->where);
    ret->key = key_of(r, ret);
    return true;
}
