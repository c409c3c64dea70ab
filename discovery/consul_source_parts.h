/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_source_parts.h - private to consul_source.c, consul_lead.c and consul_service.c: one
 * source, cut into what it asks for. The lead knows which services there are, a service knows its
 * instances; the source decides which are wanted, and who may block. */
#include "catalog.h"
#include "consul_checks.h"
#include "consul_json.h"
#include "consul_scope.h"
#include "consul_source.h"
#include "query.h"

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

/* The query for the instances of one service. */
struct service {
    struct query query;
    UT_hash_handle hh;
    struct list link;         /* in source.ending */
    char *name;               /* owned; lower case */
    struct arena *read_arena; /* owned */
    struct consul_health read;
    bool wanted; /* mark of the review in progress */
    bool logged; /* as failing */
    unsigned skipped_logged;
};

struct consul_source {
    struct catalog *catalog; /* borrowed */
    consul_source_touched_fn *touched;
    void *arg;
    struct consul_http *http; /* owned */
    struct query_pool pool;
    struct consul_scope scope;
    char *suffix, *zone_key, *address; /* owned */
    uint64_t wait_ms;
    struct lead lead;
    struct consul_checks_watch *critical, *warning; /* owned; NULL while no service is polled */
    struct service *services;                       /* owned; by name */
    struct list ending; /* owned; struct service whose last request runs out */
    char **named;       /* owned; lower case */
    size_t nnamed;
    struct event *sweep; /* owned */
    uint64_t swept_ns;
    unsigned slots, npolled;
    uint64_t fewer_slots_ns; /* when slots were last taken away */
    bool multiplexed;
    bool lead_logged;
    bool recalled_logged; /* that what is served is from an earlier run */
    struct discovery_status status;
};

/* consul_source.c */
void source_touch(struct consul_source *s);
/* What an answer says about the agent. `lead`: a refusal of it concerns all. */
void source_note(struct consul_source *s, const struct query_outcome *o, bool lead);
/* Something changed, and it may be any polled service. */
void source_sweep(struct consul_source *s);
/* A service changed; asks when it is polled. */
void source_poll_service(struct consul_source *s, const char *name);
/* Once, that the catalog is that of an earlier run because Consul does not answer; and once, that
 * it is so no longer. */
void source_tell_recalled(struct consul_source *s, bool answers);
/* The agent is back. */
void source_kick_failing(struct consul_source *s);

/* consul_lead.c */
void lead_start(struct consul_source *s, uint64_t wait_ms);
void lead_release(struct lead *l);

/* consul_service.c. The caller kicks the query of a new service. */
struct service *service_add(struct consul_source *s, const char *name);
/* `vanished`: Consul dropped it. */
void service_remove(struct consul_source *s, struct service *v, bool vanished);
void service_free(struct service *v);
