/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* instance.h - one running copy of a service, as discovery describes it.
 *
 * Immutable once published and refcounted through the instance_set that holds it. Its identity is
 * (node, id, address, port): the same service id on two nodes is legal in Consul, and an instance
 * that moves to another port is a new one. */
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Worst of all checks (Consul orders them so: maintenance, critical, warning, passing). */
enum health { HEALTH_PASSING, HEALTH_WARNING, HEALTH_CRITICAL, HEALTH_MAINTENANCE };
const char *health_name(enum health h); /* "passing" ... */

/* Why an instance is shown otherwise than Consul tells it. */
enum doubt {
    DOUBT_NONE,
    DOUBT_HELD,  /* kept as it was: what Consul says about it is not believed yet */
    DOUBT_DAMPED /* kept out: its checks come and go */
};
const char *doubt_name(enum doubt d); /* "none" "held" "damped" */

struct instance_meta {
    const char *key, *value; /* owned by the set */
};

struct instance {
    const char *node;    /* "" for static instances; owned by the set, like all strings here */
    const char *id;      /* Consul service id; "host:port" for static instances */
    const char *address; /* as registered: IPv4, IPv6 without brackets, or a host name */
    uint16_t port;
    struct sockaddr_storage sockaddr; /* resolved; sockaddr_len 0 = not (yet) resolved */
    socklen_t sockaddr_len;
    enum health health;
    const char *check; /* name of the check that made it worse than passing, or "" */
    uint32_t weight;   /* Consul weight for its present health; 0 = takes no new requests */
    const char *zone;  /* value of the preferred node meta key, or "" */
    const char *datacenter; /* of its node, or "" for static instances */
    const char *const *tags;
    unsigned ntags;
    const struct instance_meta *meta; /* service meta */
    unsigned nmeta;
    uint64_t create_index; /* Consul CreateIndex; orders conflicting tags */
    enum doubt doubt;
};

/* How much of a service's requests an instance gets, in place of the catalog's word; 0 = none. */
struct instance_weight {
    uint64_t instance; /* instance_key() */
    uint32_t weight;
};

struct instance_weights {
    const struct instance_weight *items;
    size_t n;
};

/* All known instances of a service, healthy or not, sorted by node, id, port. */
struct instance_set {
    _Atomic int refs;
    const char *service;
    unsigned n;
    const struct instance *items;
    struct arena *arena; /* owned: holds every string and array of the set, and the set itself */
};

/* Of its identity. */
uint64_t instance_key(const struct instance *i);

/* May be called from any thread. */
struct instance_set *instance_set_ref(struct instance_set *s);
/* Drops a reference and clears the caller's pointer; accepts a pointer to NULL. */
void instance_set_unref(struct instance_set **s);

/* True when new requests may go there by Consul's word: resolved, weight above zero, and health
 * passing or warning. */
bool instance_usable(const struct instance *i);
