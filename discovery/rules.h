/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* rules.h - makes the catalog follow what Consul's traffic rules lead to.
 *
 * A chain names targets: services that no route names, subsets of services, services elsewhere,
 * with targets to fall back on. Each becomes something that readers find in the catalog under the
 * target's key (chain.h): a service in use, or a group of places.
 *
 * A new chain comes into force when its targets are known, so that no request goes to one of which
 * nothing was heard yet; what was in force stays so until then, but no longer than five seconds.
 * Control thread. */
#include "catalog.h"
#include "chain_source.h"
#include "consul_source.h"

struct rules;

/* All borrowed, and to be freed after it. `changed`: what is in force changed, or was heard for the
 * first time; in a later loop turn. */
struct rules *rules_new(struct consul_source *consul, struct catalog *c, uint64_t wait_ms,
                        chain_source_changed_fn *changed, void *arg) MUST_CHECK;
/* Before the consul_source. Accepts NULL. */
void rules_free(struct rules *r);

/* What consul_source_use() does, beside what the chains need. */
void rules_use(struct rules *r, const char *const *services, size_t n);
/* Services that have no rules, whatever Consul says. Copied. */
void rules_leave_out(struct rules *r, const char *const *services, size_t n);
/* The catalog has changed, perhaps: whenever the source says so. */
void rules_catalog_changed(struct rules *r);

/* Grows with every change of what is in force. */
uint64_t rules_version(const struct rules *r);
/* True once the rules of all services in use are in force. */
bool rules_heard(const struct rules *r);
/* The chain in force, any case; NULL when the service has no rules. Borrowed. */
struct chain *rules_find(const struct rules *r, const char *service);
/* True while the service has rules of which none were in force yet, but may be in a moment. */
bool rules_awaited(const struct rules *r, const char *service);
/* All in force, by service. The array is borrowed until the next loop turn. */
struct chain *const *rules_all(const struct rules *r, size_t *ret_n);
/* A set of instances that is there only as a target: its tags bring no routes. Any case. */
bool rules_is_target(const struct rules *r, const char *service);
/* What Consul says, and whether it can be read. */
const struct chain_source *rules_source(const struct rules *r);

/* What the chains need: groups for targets that are more than a service, services for the others.
 * Of two chains with the same target, the first decides. All in `a`. */
struct rule_targets {
    struct discovery_group *groups;
    size_t ngroups;
    const char **services;
    size_t nservices;
};
void rule_targets_of(struct chain *const *chains, size_t n, struct arena *a,
                     struct rule_targets *ret);
