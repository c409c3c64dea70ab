/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* discovery.h - which instances does each service have, right now?
 *
 * Two sources give the same result, an instance_set for each service: Consul (blocking queries over
 * libcurl) and the configuration (static instances). Everything here runs on the control thread, in
 * its libevent loop; nothing blocks. The catalog only ever changes to something that a source has
 * said in full: an error, a timeout or an unreachable agent changes nothing.
 */
#include "base/err.h"
#include "base/instance.h"
#include "base/macros.h"
#include "consul_access.h"

#include <stdbool.h>
#include <stdint.h>

struct chain;
struct event_base;
struct discovery;

struct discovery_options {
    bool consul;            /* false: static instances only */
    const char *address;    /* "http://127.0.0.1:8500", "https://...", "unix:///path" */
    const char *token_file; /* re-read when it changes and after a 403; NULL = none */
    const char *token;      /* used when there is no file; NULL = none */
    const char *datacenter; /* NULL = the agent's */
    const char *ca_file, *cert_file, *key_file;
    bool stale;
    uint64_t wait_ms;
    enum {
        DISCOVER_USED,
        DISCOVER_TAGGED,
        DISCOVER_ALL
    } scope;                  /* which services to watch, besides
those named by discovery_use() */
    const char *tag_prefix;   /* "frontdesk.": a tag that starts so, or equals it without the dot */
    const char *fabio_prefix; /* "urlprefix-" or "" */
    const char *traefik_prefix; /* "traefik." or "", in any case */
    const char *prefer_meta;    /* node meta key copied to instance.zone; NULL = none */
    uint64_t keep_ms;           /* a service that left the catalog is kept, empty, for so long */
    const char *state_dir;      /* what is believed is kept there for a later run; NULL = nowhere */
    bool recall;                /* begin with what an earlier run has kept there */
    bool traffic_rules;         /* obey the routers, splitters and resolvers of Consul */
    struct consul_access_options access;
    struct discovery_safety {
        uint64_t confirm_ms;       /* a large loss is believed so long after; 0 = at once */
        unsigned shrink_percent;   /* of a service's instances: a large loss is more than that, */
        unsigned services_percent; /* or instances of more than so many of the services */
        uint64_t damping_ms;       /* an instance that flaps must be well for so long */
        uint64_t agent_hold_ms;    /* a restarted agent is not believed about its own node */
    } safety;
};

struct discovery_address {
    const char *host; /* IP address or name */
    uint16_t port;
    uint32_t weight;
    const char *zone; /* or NULL */
    const char *tag;  /* or NULL */
};

struct discovery_static {
    const char *service;
    const struct discovery_address *instances;
    size_t ninstances;
};

/* Where instances of a service may come from. NULL stands for the default everywhere. */
struct discovery_place {
    const char *service;    /* needed, unless there is a `query` */
    const char *datacenter; /* NULL = the usual one (discovery_options) */
    const char *filter;     /* Consul's filter expression, evaluated there */
    const char *ns, *partition, *peer;
    const char *query; /* name or id of a prepared query, in place of a service */
    bool only_passing; /* instances with a warning take no new requests */
};

/* A service whose instances come from the first of several places that has enough of them. Readers
 * see one service of this name, with the instances of the place in use. */
struct discovery_group {
    const char *name;
    const struct discovery_place *places; /* the preferred one first */
    size_t n;
    unsigned min_healthy;  /* per cent of a place's instances; at least one in any case */
    uint64_t fail_back_ms; /* a better place must be good for so long before it is used again */
    bool on_breaker;       /* discovery_suspect() moves it */
};

/* Called on the control thread, in a later loop turn, once for any number of changes: read the
 * catalog again. */
typedef void discovery_changed_fn(void *arg);

/* Who knows the addresses of host names. */
struct discovery_resolver {
    const char *const *servers; /* "10.0.0.2", "127.0.0.1:8600", "[::1]:53" */
    size_t nservers;            /* 0 = those of resolv.conf */
    uint64_t timeout_ms; /* a server that is silent for so long is asked again, or the next */
    unsigned attempts;
    uint64_t min_ttl_ms, max_ttl_ms; /* bounds for the time to live of an answer */
};
extern const struct discovery_resolver discovery_resolver_default;

struct discovery *discovery_new(struct event_base *base, const struct discovery_options *o,
                                discovery_changed_fn *changed, void *arg, struct err *e) MUST_CHECK;
void discovery_free(struct discovery *d);

/* This one is in force: from now on it keeps what it believes in `state_dir`. */
void discovery_keep(struct discovery *d);

/* Names the services that routes use; replaces the former list. A watch that is no longer needed is
 * ended, its service leaves the catalog. Strings are copied. */
void discovery_use(struct discovery *d, const char *const *services, size_t n);
/* From now on names are asked for so. */
void discovery_resolve_with(struct discovery *d, const struct discovery_resolver *o);
/* Why an instance at this host has no address, or one that could not be confirmed; NULL = all is
 * well. Borrowed until the next loop turn. */
const char *discovery_host_problem(const struct discovery *d, const char *host);
/* Replaces the static services. A static service hides one of the same name in Consul. Host names
 * are resolved without blocking, and again when their time to live is over. */
void discovery_set_static(struct discovery *d, const struct discovery_static *services, size_t n);

/* Replaces the groups. One is followed while discovery_use() or the scope asks for a service of its
 * name, which is then not looked up in the usual place. Nothing in it is kept. A static service
 * hides a group of the same name. */
void discovery_set_groups(struct discovery *d, const struct discovery_group *groups, size_t n);

/* Has this service (lower case) had requests? After Consul was away, and at other times when there
 * is much to ask, such services come first. Replaces the one before; for Consul only. */
typedef bool discovery_traffic_fn(void *arg, const char *service);
void discovery_set_traffic(struct discovery *d, discovery_traffic_fn *fn, void *arg);

/* Requests to the instances that a group shows fail, whatever Consul says of them (the service's
 * breaker has opened): another place is used for a while, if there is one. Nothing happens for a
 * service that is no group. */
void discovery_suspect(struct discovery *d, const char *service);

/* The catalog: the present set of every service that is watched or static. The sets are borrowed
 * until the next loop turn; take a reference to keep one. */
size_t discovery_count(const struct discovery *d);
struct instance_set *discovery_at(const struct discovery *d, size_t i); /* sorted by service name */
struct instance_set *discovery_find(const struct discovery *d, const char *service);

/* True once every service in use was answered at least once (or is static, or Consul said that it
 * does not exist). Before that, "no instance" may only mean "not heard yet". */
bool discovery_ready(const struct discovery *d);

/* Why an instance left: words of removals.h, in their order. */
enum { DISCOVERY_REMOVALS = 5, DISCOVERY_REMOVAL_NODE_GONE = 1 /* counted as deregistered */ };
const char *discovery_removal_word(unsigned i);

struct discovery_status {
    bool consul, connected; /* connected: the last answer of any watch was good */
    bool leader_known;
    uint64_t last_contact_ms;  /* X-Consul-LastContact of the newest answer */
    uint64_t last_good_ns;     /* monotonic time of the last good answer; 0 = never */
    uint64_t failing_since_ns; /* 0 = not failing */
    char last_error[256];      /* never holds the token */
    uint64_t watches, requests, errors, index_resets, skipped_instances, updates;
    const char *strategy; /* how it is asked: "http2", "watches" or "watches_and_polls" */
    uint64_t polled;      /* services without a watch of their own */
    uint64_t queued;      /* requests that wait for their turn */
    /* What is served from an earlier run and was not confirmed by Consul yet. */
    bool recalled_list;         /* which services there are */
    unsigned recalled_services; /* and the instances of so many */
    struct discovery_kept {
        const char *file;    /* borrowed until the next loop turn; NULL = nothing is kept */
        int64_t recalled_ms; /* wall time at which Consul last confirmed what was read at the start;
                                0 = nothing was */
        int64_t written_ms;  /* wall time; 0 = not yet */
        uint64_t answers, bytes;
        const char *refused; /* borrowed; why the file was not used at the start, or NULL */
        const char *error;   /* borrowed; of the last write, or NULL */
    } kept;
    uint64_t held_instances, held_services; /* kept although Consul no longer lists them */
    uint64_t damped_instances;
    uint64_t holds;                        /* ever begun */
    uint64_t removals[DISCOVERY_REMOVALS]; /* by reason, since start */
};
void discovery_status(const struct discovery *d, struct discovery_status *ret);
/* Agent, token and rights; NULL without Consul. Borrowed, changes in place. */
const struct consul_access_status *discovery_access(const struct discovery *d);

struct discovery_watch_status {
    uint64_t index;       /* last X-Consul-Index */
    uint64_t answered_ns; /* monotonic; 0 = never */
    uint64_t changed_ns;  /* when the set last changed */
    bool failing;
    bool is_static;
    bool gone;           /* left the catalog, kept for keep_ms */
    int64_t recalled_ms; /* the set is that of an earlier run, confirmed by Consul at this wall
                            time; 0 = it is of this one */
    unsigned skipped;    /* instances left out of the last answer: bad address or port */
    unsigned held; /* instances kept although Consul does not list them, or kept as they were */
    const char *held_why;   /* a sentence; "" = nothing is held */
    uint64_t held_since_ns; /* 0 = nothing is held */
    uint64_t believed_ns;   /* when what is held may be believed at the earliest; 0 = not known */
    unsigned damped;        /* kept out although they pass, because they flap */
};
/* False when the service is neither watched nor static. */
bool discovery_watch_status(const struct discovery *d, const char *service,
                            struct discovery_watch_status *ret);

struct discovery_place_status {
    char label[128]; /* for people: "local", "dc2", "web-backup in dc2" */
    unsigned usable, total;
    bool heard; /* Consul said at least once what is there */
    bool failing;
    char error[200];           /* why, when failing */
    uint64_t suspect_until_ns; /* its requests failed; passed over until then; 0 = not suspect */
    uint64_t index;            /* last X-Consul-Index; 0 for a prepared query */
    uint64_t answered_ns;      /* monotonic; 0 = never */
    uint64_t changed_ns;
};

struct discovery_group_status {
    size_t nplaces;
    size_t active;     /* which place is in use */
    bool decided;      /* false: not enough was heard yet to say */
    uint64_t since_ns; /* when it became the active one */
    uint64_t moves;    /* fail overs and fail backs */
    char why[256];     /* "preferred", "dc1: 0 of 3 healthy" */
};
/* False when the service is no group that is followed. */
bool discovery_group_status(const struct discovery *d, const char *service,
                            struct discovery_group_status *ret);
/* Place i of nplaces. */
bool discovery_place_status(const struct discovery *d, const char *service, size_t i,
                            struct discovery_place_status *ret);

struct discovery_removal {
    uint64_t at_ns;
    const char *why;                         /* discovery_removal_word() */
    const char *node, *id, *address, *check; /* borrowed until the next loop turn; check: or "" */
    uint16_t port;
    uint64_t held_ms; /* it was kept for so long before that was believed */
    bool accepted;    /* because an operator said so */
};
enum { DISCOVERY_REMOVALS_KEPT = 16 };
/* The newest instances that left the service, newest first. Returns how many. */
unsigned discovery_removals(const struct discovery *d, const char *service,
                            struct discovery_removal *ret, unsigned max);

/* An operator says that what Consul lists is true, of a service or (NULL) of all: what is held is
 * let go at once. Returns how many instances were held. */
unsigned discovery_accept(struct discovery *d, const char *service);

/* Consul's own traffic rules (chain.h). */

/* Services that have none, whatever Consul says; replaces the former list. Copied. */
void discovery_without_rules(struct discovery *d, const char *const *services, size_t n);
/* The rules in force for a service; NULL = none. Borrowed until the next loop turn. */
struct chain *discovery_rules(const struct discovery *d, const char *service);
/* True while the service has rules of which none were in force yet, but may be in a moment: who
 * does not serve it so far does not begin before that. */
bool discovery_rules_awaited(const struct discovery *d, const char *service);
/* A set of instances that is in the catalog as the target of rules alone (a subset, or a service of
 * another datacenter): its tags bring no routes. */
bool discovery_is_target(const struct discovery *d, const char *service);

/* Another number whenever rules in force have changed. */
uint64_t discovery_rules_version(const struct discovery *d);
/* All rules in force, by service. */
size_t discovery_rules_count(const struct discovery *d);
struct chain *discovery_rules_at(const struct discovery *d, size_t i);
/* Why what Consul says of this service now is not in force; NULL = it is. */
const char *discovery_rules_problem(const struct discovery *d, const char *service);
/* The same of all services. Returns how many there are. */
size_t discovery_rules_problems(const struct discovery *d,
                                void (*fn)(void *arg, const char *service, const char *why),
                                void *arg);
/* Why there may be rules that are not known of; NULL = nothing is wrong. */
const char *discovery_rules_error(const struct discovery *d);
