/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/service_rules.h"
#include "balancer/balancer.h"
#include "base/alloc.h"

#include <string.h>
#include <uthash.h>

static const char *const policies[] = {[CHAIN_AS_USUAL] = NULL,
                                       [CHAIN_RANDOM] = "random",
                                       [CHAIN_ROUND_ROBIN] = "round_robin",
                                       [CHAIN_LEAST_REQUEST] = "least_request",
                                       [CHAIN_HASH] = "consistent_hash"};

static const enum hash_source hashes[] = {[CHAIN_HASH_NONE] = HASH_NONE,
                                          [CHAIN_HASH_HEADER] = HASH_HEADER,
                                          [CHAIN_HASH_COOKIE] = HASH_COOKIE,
                                          [CHAIN_HASH_QUERY] = HASH_QUERY,
                                          [CHAIN_HASH_SOURCE] = HASH_CLIENT_ADDRESS};

struct service_conf *service_rules_settings(const struct service_conf *conf,
                                            const struct chain_resolver *settings)
{
    bool balance = settings->balance != CHAIN_AS_USUAL && !(conf->says & SERVICE_SAYS_BALANCE);
    bool connect = settings->connect_timeout_ms && !(conf->says & SERVICE_SAYS_CONNECT_TIMEOUT);
    bool timeout = settings->timeout_ms && !(conf->says & SERVICE_SAYS_TIMEOUT);
    struct service_conf *own;

    if (!balance && !connect && !timeout)
        return NULL;
    own = alloc_or_abort(sizeof *own);
    *own = *conf;
    if (balance) {
        own->balance.policy = policies[settings->balance];
        own->balance.hash_source = hashes[settings->hash];
        own->balance.hash_name = settings->hash_name;
    }
    if (connect)
        own->connect_timeout_ms = settings->connect_timeout_ms;
    if (timeout)
        own->timeout_ms = settings->timeout_ms;
    return own;
}

/* What is said of one service. */
struct said {
    const char *service; /* borrowed from a chain */
    struct service_rules rules;
    UT_hash_handle hh;
};

struct service_rules_index {
    struct said *all; /* owned; by service */
};

static struct said *find_or_add(struct service_rules_index *x, const char *service)
{
    struct said *s;

    HASH_FIND_STR(x->all, service, s);
    if (s)
        return s;
    s = alloc_or_abort(sizeof *s);
    s->service = service;
    HASH_ADD_KEYPTR(hh, x->all, s->service, strlen(s->service), s);
    return s;
}

static void add_chain(struct service_rules_index *x, struct chain *c)
{
    find_or_add(x, c->service)->rules.chain = c;
    for (unsigned i = 0; i < c->nnodes; i++) {
        const struct chain_resolver *r = &c->nodes[i].resolver;
        struct said *s;

        if (c->nodes[i].kind != CHAIN_RESOLVER)
            continue;
        s = find_or_add(x, c->targets[r->target].key);
        if (s->rules.settings)
            continue;
        s->rules.settings = r;
        s->rules.owner = c;
    }
}

struct service_rules_index *service_rules_index_new(const struct discovery *d)
{
    struct service_rules_index *x = alloc_or_abort(sizeof *x);

    for (size_t i = 0; i < discovery_rules_count(d); i++)
        add_chain(x, discovery_rules_at(d, i));
    return x;
}

void service_rules_index_free(struct service_rules_index *x)
{
    struct said *s, *next;

    if (!x)
        return;
    HASH_ITER(hh, x->all, s, next)
    {
        HASH_DEL(x->all, s);
        free(s);
    }
    free(x);
}

struct service_rules service_rules_find(const struct service_rules_index *x, const struct config *c,
                                        const char *service)
{
    struct said *s = NULL;

    if (x->all)
        HASH_FIND_STR(x->all, service, s);
    return s && config_service(c, service)->traffic_rules ? s->rules : (struct service_rules){0};
}

void service_rules_each_target(const struct service_rules_index *x,
                               void (*fn)(void *arg, const char *service), void *arg)
{
    for (const struct said *s = x->all; s; s = s->hh.next)
        fn(arg, s->service);
}

uint64_t service_rules_timeout_ms(const struct route_conf *route, const struct service_conf *c,
                                  const struct chain_route *rule)
{
    if (route->timeout_ms)
        return route->timeout_ms;
    if (rule && rule->to.timeout_ms && !(c->says & SERVICE_SAYS_TIMEOUT))
        return rule->to.timeout_ms;
    return c->timeout_ms;
}

const struct chain_destination *service_rules_retries(const struct service_conf *c,
                                                      const struct chain_route *rule)
{
    return rule && rule->to.says_retries && !(c->says & SERVICE_SAYS_RETRIES) ? &rule->to : NULL;
}

unsigned service_rules_tries(const struct service_conf *c, const struct chain_route *rule)
{
    const struct chain_destination *to = service_rules_retries(c, rule);
    unsigned further = to && to->retries ? to->retries : 1;

    if (!to)
        return c->retries.attempts;
    return further < BALANCE_MAX_TRIED ? further + 1 : BALANCE_MAX_TRIED;
}

bool service_rules_retry_on(const struct chain_destination *to, enum reason why, unsigned status)
{
    switch (why) {
    case REASON_CONNECT_FAILED:
    case REASON_CONNECT_TIMEOUT:
    case REASON_UPSTREAM_TLS:
        return to->on_connect_failure;
    case REASON_UPSTREAM_RESET:
    case REASON_UPSTREAM_TIMEOUT:
    case REASON_UPSTREAM_INVALID:
        return to->on_reset;
    case REASON_UPSTREAM_STATUS:
        for (size_t i = 0; i < ARRAY_LEN(to->statuses) && to->statuses[i]; i++)
            if (to->statuses[i] == status)
                return true;
        return (to->on_gateway_error && status >= 502 && status <= 504) ||
               (to->on_5xx && status >= 500 && status < 600);
    default:
        return false;
    }
}
