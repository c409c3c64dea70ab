/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/service_rules.h"
#include "balancer/balancer.h"
#include "base/alloc.h"

#include <string.h>

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

/* The first resolver, by the names of the services with rules, that leads to this one. */
static void find_settings(const struct discovery *d, const char *service, struct service_rules *ret)
{
    for (size_t i = 0; i < discovery_rules_count(d); i++) {
        struct chain *c = discovery_rules_at(d, i);

        for (unsigned t = 0; t < c->ntargets; t++) {
            const struct chain_resolver *found =
                strcmp(c->targets[t].key, service) == 0 ? chain_resolver_of(c, t) : NULL;

            if (!found)
                continue;
            ret->settings = found;
            ret->owner = c;
            return;
        }
    }
}

struct service_rules service_rules_find(const struct discovery *d, const struct config *c,
                                        const char *service)
{
    struct service_rules rules = {.chain = NULL};

    if (discovery_rules_count(d) == 0 || !config_service(c, service)->traffic_rules)
        return rules;
    rules.chain = discovery_rules(d, service);
    find_settings(d, service, &rules);
    return rules;
}

void service_rules_each_target(const struct discovery *d,
                               void (*fn)(void *arg, const char *service), void *arg)
{
    for (size_t i = 0; i < discovery_rules_count(d); i++) {
        struct chain *c = discovery_rules_at(d, i);

        for (unsigned t = 0; t < c->ntargets; t++)
            if (chain_resolver_of(c, t))
                fn(arg, c->targets[t].key);
    }
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
