/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* snapshot.h - what a worker needs to serve a request: routes, services, instances. Immutable.
 *
 * The control thread builds one whenever the catalog or the configuration changes, shares every
 * part that did not change with the one before, and hands it to each worker's mailbox. A request
 * takes the worker's present snapshot once and keeps it to its end.
 */
#include "balancer/balancer.h"
#include "base/instance.h"
#include "config/config.h"
#include "limits/limits.h"
#include "route/route.h"
#include "snapshot/registry.h"
#include "snapshot/traffic_rules.h"

struct issuer_set;
struct tls_client;

/* One service at one moment. Shared by all snapshots in which it is the same. */
struct service_view {
    _Atomic int refs;
    struct service_state *state; /* ref */
    struct config *config;       /* ref: owner of conf */
    const struct service_conf *conf;
    struct service_conf *own;     /* owned: conf is it, when Consul has settings for it; or NULL */
    struct traffic_rules *rules;  /* owned: they say who serves it; NULL = it does itself */
    struct chain *settings_owner; /* ref; of settings; NULL = none */
    const struct chain_resolver *settings;  /* that `own` is made of */
    struct instance_set *set;               /* ref; NULL = not in the catalog */
    uint64_t weights_hash;                  /* of those that it was made with */
    uint32_t *weights;                      /* [n]: those in use; owned */
    unsigned n;                             /* instances, in the order of set->items */
    struct instance_state **states;         /* refs */
    struct transport *transports;           /* [n]: how each is spoken to; owned */
    struct tls_client *tls;                 /* ref; NULL = no instance is spoken to over TLS */
    struct balancer *balancer;              /* owned; its index is the index here */
    uint32_t fallback_slots[MAX_FALLBACKS]; /* of the services in conf->fallback */
    uint64_t failure_statuses[10]; /* bit set of 0..599: which answers the breaker counts */
};

static inline bool service_view_is_failure(const struct service_view *v, unsigned status)
{
    return status < 600 && (v->failure_statuses[status / 64] >> (status % 64) & 1);
}

struct snapshot {
    _Atomic int refs;
    uint64_t version; /* counts up */
    bool complete;    /* every service in use was heard of: no route means that there is none */
    struct config *config;      /* ref */
    struct route_table *routes; /* ref */
    struct limit_set *limits;   /* ref: the counts of config->rate_limits, by index */
    struct issuer_set *issuers; /* ref: of config->issuers, by index; NULL = none were given */
    struct credential_set *credentials; /* ref: of config->api_keys and config->basic; the same */
    uint32_t *forward_slots, *introspection_slots; /* of the services of config->forward_auth and
                                                      config->introspection; owned */
    uint32_t nslots;
    struct service_view **services; /* [nslots] by slot, NULL = nobody uses it; refs */
};

struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot **s);
