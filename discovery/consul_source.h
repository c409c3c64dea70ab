/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_source.h - follows a Consul agent and tells the catalog what it says.
 *
 * One query, the lead, watches the list of services; it finds the services to expose and is the
 * first to see that the agent is back. Each service that is wanted has a query of its own for its
 * instances and their health. Over HTTP/2 there may be thousands. Over HTTP/1.1 each blocking query
 * takes one of the agent's 200 connections, so SLOTS_MAX services block and the others are polled:
 * at once when a check of theirs changes state or their tags change, all of them (at a bounded
 * rate) when the list of services wakes, and every 30 s. */
#include "catalog.h"
#include "discovery.h"

struct consul_source;
struct keeper;
struct query_pool;

/* The catalog may have changed. */
typedef void consul_source_touched_fn(void *arg);

/* `c` is what readers see; `places` keeps what the places of groups have. Both outlive the source.
 * `keeper` is borrowed; NULL = nothing is kept for a later run. */
struct consul_source *consul_source_new(struct event_base *base, const struct discovery_options *o,
                                        struct catalog *c, struct catalog *places,
                                        struct keeper *keeper, consul_source_touched_fn *touched,
                                        void *arg, struct err *e) MUST_CHECK;
void consul_source_free(struct consul_source *s);

/* Replaces the services that are wanted whatever the scope. Copied. */
void consul_source_use(struct consul_source *s, const char *const *services, size_t n);
/* Who made a group; of two with one name, the first counts. */
enum group_origin {
    GROUPS_CONFIGURED, /* followed when a service of its name is wanted */
    GROUPS_CHAIN,      /* followed in any case */
    GROUP_ORIGINS
};
/* Replaces the groups of this origin; copied. One that is defined as before keeps its state. */
void consul_source_set_groups(struct consul_source *s, enum group_origin origin,
                              const struct discovery_group *groups, size_t n);
/* Requests to the place in use of this group fail. */
void consul_source_suspect(struct consul_source *s, const char *service);
/* Addresses of instances changed. */
void consul_source_look_again(struct consul_source *s);

/* The static services of the catalog changed: watches what is no longer hidden. */
void consul_source_review(struct consul_source *s);

/* Of two services that must be asked about again, the one with traffic is first. */
void consul_source_set_traffic(struct consul_source *s, discovery_traffic_fn *fn, void *arg);

/* True once the list of services (when the scope needs it) and every watched service was heard. */
bool consul_source_heard(const struct consul_source *s);
const struct consul_access_status *consul_source_access(const struct consul_source *s);
void consul_source_status(const struct consul_source *s, struct discovery_status *ret);
/* Index, failing and time of the last answer of one watch; false when there is none. */
bool consul_source_watch_status(const struct consul_source *s, const char *service,
                                struct discovery_watch_status *ret);
bool consul_source_group_status(const struct consul_source *s, const char *service,
                                struct discovery_group_status *ret);
/* The newest removals of all places of a group, newest first: up to *n, then so many. False when
 * the service is no group. */
bool consul_source_group_removals(const struct consul_source *s, const char *service,
                                  struct discovery_removal *ret, unsigned *n);
/* An operator says that what Consul lists is true, of the places of this group or (NULL) of all.
 * Returns how many instances were held. */
unsigned consul_source_accept_places(struct consul_source *s, const char *service);
bool consul_source_place_status(const struct consul_source *s, const char *service, size_t i,
                                struct discovery_place_status *ret);
/* For other queries to the same agent. They end before the source is freed. */
struct query_pool *consul_source_pool(struct consul_source *s);
/* Many requests share few connections. */
bool consul_source_multiplexed(const struct consul_source *s);
