/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* chain_source.h - follows Consul's traffic rules for the services that are in use.
 *
 * Which services have rules at all is in the lists of config entries, one blocking query for each
 * kind; a service that is in none of them costs nothing. One that is there has a query for its
 * compiled chain. A chain that cannot be read leaves the one before in force.
 *
 * Rules end when Consul says so in two ways: the service is in no list any more, and its chain is
 * that of a plain service. A token that lost its rights sees empty lists, but is refused the chain
 * (403), so its rules stay. Control thread. */
#include "chain.h"
#include "query.h"

struct chain_source;

/* Chains changed, or were heard for the first time. In a later loop turn. */
typedef void chain_source_changed_fn(void *arg);
/* Is this service (lower case) in use, and looked up in Consul? */
typedef bool chain_source_used_fn(void *arg, const char *service);

/* `multiplexed`: connections are no matter, each chain may block. */
struct chain_source *chain_source_new(struct query_pool *p, uint64_t wait_ms, bool multiplexed,
                                      chain_source_used_fn *used, chain_source_changed_fn *changed,
                                      void *arg) MUST_CHECK;
/* Before the pool. Accepts NULL. */
void chain_source_free(struct chain_source *s);

/* Services that have no rules, whatever Consul says. Copied. */
void chain_source_leave_out(struct chain_source *s, const char *const *services, size_t n);
/* Other services may be in use now. In a later loop turn. */
void chain_source_review(struct chain_source *s);

/* Grows with every change that a reader could see. */
uint64_t chain_source_version(const struct chain_source *s);
/* True once it is known which services have rules, and each chain that is followed was answered. */
bool chain_source_heard(const struct chain_source *s);

/* True while it has entries for this service, by the lists, and was not answered about its chain.
 */
bool chain_source_awaits(const struct chain_source *s, const char *service);

struct chain_status {
    const char *service;
    struct chain *chain; /* in force; borrowed; NULL = none was understood yet */
    const char *error;   /* why the newest answer is not in force; "" = it is */
    uint64_t changed_ns; /* monotonic; 0 = never */
    bool listed;         /* Consul has an entry for it, by the lists */
};
/* Those that are followed and not plain, or failing; by name. Borrowed until the next turn. */
size_t chain_source_count(const struct chain_source *s);
void chain_source_at(const struct chain_source *s, size_t i, struct chain_status *ret);
/* Why the newest answer about this service is not in force; NULL = it is, or nothing was said. */
const char *chain_source_problem(const struct chain_source *s, const char *service);
/* Why there may be rules that are not known of; NULL = nothing is wrong. */
const char *chain_source_error(const struct chain_source *s);
