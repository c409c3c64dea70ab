/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_source_parts.h - private to consul_source.c, consul_lead.c, consul_service.c and others:
 * one source, cut into what it asks for. The lead knows which services there are, a service knows
 * its instances; the source decides which are wanted, and who may block. */
#include "catalog.h"
#include "consul_checks.h"
#include "consul_json.h"
#include "consul_scope.h"
#include "consul_source.h"
#include "consul_trust.h"
#include "failover.h"
#include "query.h"
#include "slots.h"

#include <uthash.h>

/* The query for the list of services. */
struct lead {
    struct query query;
    struct arena *arena;         /* owned; holds `list` */
    struct consul_services list; /* what is believed */
    struct arena *read_arena;    /* owned; holds `read` */
    struct consul_services read; /* what the present answer says */
    bool heard;
    bool doubted; /* the first answer was that of an agent without a leader, or the like */
};

/* The agent that is asked. */
struct agent {
    struct consul_get *get; /* owned */
    char node[256];         /* "" = not known */
    uint64_t hold_ms;
    uint64_t until_ns; /* it is not believed about its node until then */
    bool away;         /* nothing was heard of it since its connections broke */
    bool asked;        /* for its node, in vain or not */
    bool logged;
};

/* The query for the instances of one service, or of one place of a group. */
struct service {
    struct query query;
    UT_hash_handle hh;
    struct list link;        /* in source.ending */
    struct list place_link;  /* in source.places; in no list when it is no place */
    struct catalog *catalog; /* borrowed: where its instances go */
    char *name;              /* owned; lower case, or the place_key() */
    char *label;             /* owned; for the log */
    char *of;                /* owned; lower-case service that is asked for; "" = unknown */
    bool special;            /* an error may be that of the place only */
    bool only_passing;
    bool refused;             /* Consul will never answer this */
    bool agent_away;          /* the last error was that nothing listens at the agent's address */
    struct arena *read_arena; /* owned */
    struct consul_health read;
    struct consul_wish wish; /* to know whether a loss may be for want of rights */
    bool wanted;             /* mark of the review in progress */
    bool unlisted;           /* nobody wants it, but it is not yet certain that it is gone */
    bool logged;             /* as failing */
    unsigned skipped_logged;
    char error[200];      /* of the last answer, when it was bad */
    uint64_t answered_ns; /* last good answer; 0 = none */
};

struct group_place {
    struct discovery_place conf; /* strings owned by the group's arena */
    const char *key, *label;     /* the same */
    struct service *service;     /* borrowed; NULL while the group is not wanted */
};

/* One service that readers see, made of places. */
struct group {
    UT_hash_handle hh;
    struct arena *arena; /* owned: all strings and `places` */
    const char *name;    /* lower case */
    struct group_place *places;
    size_t n;
    struct failover_options options;
    bool on_breaker;
    struct failover failover;
    struct instance_set *shown; /* ref: the set of the place that readers see now, or NULL */
    char why[256];              /* the active place is active */
    bool wanted;                /* mark of the review in progress, and its result */
};

struct consul_source {
    struct catalog *catalog; /* borrowed; what readers see */
    struct catalog *places;  /* borrowed; what the places of groups have, by key */
    consul_source_touched_fn *touched;
    void *arg;
    struct consul_http *http; /* owned */
    struct query_pool pool;
    struct consul_scope scope;
    char *suffix, *zone_key; /* owned */
    char *datacenter;        /* owned; the usual one, or NULL */
    bool stale;
    uint64_t wait_ms;
    struct lead lead;
    struct agent agent;
    struct consul_checks_watch *critical, *warning; /* owned; NULL while no service is polled */
    struct service *services;                       /* owned; by name */
    struct list ending;                  /* owned; struct service whose last request runs out */
    struct list place_list;              /* those of `services` that are places */
    struct group *groups[GROUP_ORIGINS]; /* owned; by name */
    struct group *old_groups;            /* owned; replaced, until the next review */
    struct event *fail_back;             /* owned; a place may be good for long enough now */
    char **named;                        /* owned; lower case */
    size_t nnamed;
    struct event *sweep; /* owned */
    struct event *later; /* owned; a review is due */
    uint64_t swept_ns;
    struct slots slots; /* services with a blocking query over HTTP/1.1 */
    unsigned npolled;
    bool multiplexed;
    discovery_traffic_fn *traffic; /* NULL = nobody knows */
    void *traffic_arg;
    bool lead_logged;
    bool recalled_logged; /* that what is served is from an earlier run */
    struct discovery_status status;
};

/* consul_source.c */
void source_touch(struct consul_source *s);
/* The address of the one in use, for people. */
const char *source_agent(const struct consul_source *s);
/* What an answer says about the agent. `lead`: a refusal of it concerns all. */
void source_note(struct consul_source *s, const struct query_outcome *o, bool lead);
/* Something changed, and it may be any polled service. */
void source_sweep(struct consul_source *s);
/* A service changed; asks when it is polled. */
void source_poll_service(struct consul_source *s, const char *name);
/* Once, that the catalog is that of an earlier run, because `why`; and once, with NULL after an
 * answer, that it is so no longer. */
void source_tell_recalled(struct consul_source *s, const char *why);
/* The agent is back. */
void source_kick_failing(struct consul_source *s);
/* Reviews which services are wanted, in a later loop turn. */
void source_review_later(struct consul_source *s);

/* consul_agent.c */
void agent_start(struct consul_source *s, uint64_t hold_ms);
void agent_release(struct consul_source *s);
/* Its connections broke. */
void agent_lost(struct consul_source *s);
/* A good answer has come. Before it is applied. */
void agent_answered(struct consul_source *s);

/* consul_lead.c */
void lead_start(struct consul_source *s, uint64_t wait_ms);
void lead_release(struct lead *l);

/* consul_service.c. The caller kicks the query of a new service. */
struct service *service_add(struct consul_source *s, const char *name);
struct service *service_add_place(struct consul_source *s, const struct group_place *p);
/* No more queries for it; what is known of it stays where it is. */
void service_end(struct consul_source *s, struct service *v);
void service_free(struct service *v);

/* consul_group.c */
/* The group that readers see under this lower-case name, or NULL. */
struct group *group_find(const struct consul_source *s, const char *name);
/* Begins and ends a review: between the two, those that are wanted are named. */
void groups_unmark(struct consul_source *s);
void group_want(struct consul_source *s, struct group *g);
void groups_settle(struct consul_source *s);
/* Something about a place changed: its instances, or whether it answers. */
void groups_note(struct consul_source *s, const struct service *place);
/* All of them, for a change of addresses or of time. */
void groups_judge(struct consul_source *s);
/* Adds what is held and damped in the places of a group to what is said of it. */
void group_add_doubts(const struct consul_source *s, const struct group *g,
                      struct discovery_watch_status *ret);
struct failover_fact group_fact(const struct consul_source *s, const struct group_place *p);
void groups_start(struct consul_source *s, struct event_base *base);
void groups_release(struct consul_source *s);
