/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* service_rules.h - what Consul's traffic rules mean for the settings of a service.
 *
 * What the configuration says for the service itself (in `services:`) comes first, then Consul's
 * router and resolver, then `defaults`. */
#include "config/config.h"
#include "discovery/chain.h"
#include "discovery/discovery.h"

/* What Consul says of one service, all borrowed. */
struct service_rules {
    struct chain *chain;                   /* its own rules; NULL = none */
    struct chain *owner;                   /* of `settings`; NULL when that is */
    const struct chain_resolver *settings; /* that leads to it; NULL = none */
};

/* What is in force now, of all services: good until discovery_rules_version() changes. Thread:
 * control, as the next ones. */
struct service_rules_index;
struct service_rules_index *service_rules_index_new(const struct discovery *d) MUST_CHECK;
/* Accepts NULL. */
void service_rules_index_free(struct service_rules_index *x);
struct service_rules service_rules_find(const struct service_rules_index *x, const struct config *c,
                                        const char *service);
/* The services that have rules, and those that rules lead to. */
void service_rules_each_target(const struct service_rules_index *x,
                               void (*fn)(void *arg, const char *service), void *arg);

/* An allocated copy of `conf` with what the resolver says; NULL when that changes nothing. The
 * strings are those of `conf` and of the chain. */
struct service_conf *service_rules_settings(const struct service_conf *conf,
                                            const struct chain_resolver *settings);

/* What holds for one request, which this route of Consul's router matched (NULL = none did). */

/* Of the whole exchange; 0 = no limit. */
uint64_t service_rules_timeout_ms(const struct route_conf *route, const struct service_conf *c,
                                  const struct chain_route *rule);
/* What the rule says about tries; NULL = nothing that counts. */
const struct chain_destination *service_rules_retries(const struct service_conf *c,
                                                      const struct chain_route *rule);
/* Tries in all. */
unsigned service_rules_tries(const struct service_conf *c, const struct chain_route *rule);
/* Is this failure one that the rule says to try again? For a rule with says_retry_on. */
bool service_rules_retry_on(const struct chain_destination *to, enum reason why, unsigned status);
