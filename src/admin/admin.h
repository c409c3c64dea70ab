/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* admin.h - the admin endpoint: status as JSON, an event stream, metrics, health, the dashboard
 * page, and what an operator does by hand to breakers and instances.
 *
 * libevent's evhttp in the control thread's loop, over TLS when configured; nothing here runs on a
 * worker. What workers count is loaded with relaxed order, what needs to be consistent is copied
 * under its own lock (breakers, transitions). Answers are documented in docs/status.md.
 *
 * Reads need no token, so two rules keep a stranger's web page from reading it through the browser
 * of someone who may: no CORS header is ever sent, and a Host that is a name other than localhost
 * is refused unless TLS has checked it (DNS rebinding). Writes need the token or a client
 * certificate, a JSON body (no form can send that to a stranger) and, from a browser, this
 * endpoint's own origin. */
#include "base/err.h"
#include "config/config.h"
#include "discovery/discovery.h"
#include "discovery/registration.h"
#include "proxy/proxy.h"
#include "snapshot/builder.h"
#include "snapshot/operate.h"
#include "snapshot/registry.h"
#include "snapshot/snapshot.h"

#include <jansson.h>

struct cache_purge_order;
struct event_base;
struct admin;
struct series;

/* Summed over all workers. */
struct admin_workers {
    uint64_t accepted, connections, requests, unrouted, bad_requests, auth_failed_open,
        upstream_connects, upstream_reuses, accept_errors, bad_proxy_headers, refused_connections,
        access_log_dropped, h2_connections, h2_requests, h2_resets, h2_floods, stored_bytes,
        stored_answers, stored_evicted;
    unsigned workers;
    bool draining;
    struct proxy_overload overload; /* of each worker */
    struct tls_counts tls;
    uint64_t coded[4], coded_in, coded_out; /* compressed answers by coding; bytes of them */
    uint64_t cached[4]; /* requests to routes with a cache, by enum cached_state (proxy/cached.h) */
};

/* Of all webhooks since the start. */
struct admin_webhooks {
    uint64_t delivered, failed, dropped;
};

/* Where the answers come from: all borrowed, all read on the control thread. The struct itself is
 * borrowed too, and its owner may change the fields between two loop turns. */
struct admin_sources {
    struct registry *registry;
    struct discovery *discovery;
    struct builder *builder;
    const struct proxy *proxy; /* its listeners; NULL = there are none */
    /* The newest one, borrowed until the next loop turn; NULL before the first. */
    struct snapshot *(*snapshot)(void *arg);
    struct config *(*config)(void *arg);
    void (*workers)(void *arg, struct admin_workers *ret);
    uint64_t started_ns;
    int64_t started_wall_ms;
    const char *version;
    uint64_t reloads, reloads_failed;
    char last_reload_error[512]; /* "" = the last one was good */
    int64_t last_reload_wall_ms; /* 0 = never */
    /* The part of the configuration that is in Consul; and what of it is still awaited, so that the
     * gateway is not ready, or NULL. Both may be NULL. */
    json_t *(*consul_config_document)(void *arg);
    const char *(*awaited)(void *arg);
    void *arg;
    /* Forgets stored answers; how many. */
    size_t (*purge)(void *arg, const struct cache_purge_order *o);
    /* Written by the admin endpoint itself. */
    struct series *series;      /* NULL = there is no history */
    unsigned listeners;         /* of the event stream, now */
    uint64_t listeners_dropped; /* did not read; since the start */
    /* What all gateways together do; all NULL when there is no fleet. force: asks them to do as `q`
     * says, -1 and a message when that cannot be told to them now. */
    int (*fleet_force)(void *arg, const char *service, const struct operate_request *q,
                       struct err *e);
    json_t *(*fleet_document)(void *arg);
    bool (*fleet_connected)(void *arg); /* does what it is told now reach the others? */
    /* Who is told of transitions; NULL = nobody ever. */
    json_t *(*webhooks_document)(void *arg);
    void (*webhooks_counters)(void *arg, struct admin_webhooks *ret);
    /* How this gateway shows itself in Consul: false = not at all; NULL = never. */
    bool (*registration)(void *arg, struct registration_status *ret);
};

/* Can the files of the section be used? -1 and a message that names the key. */
int admin_check(const struct admin_conf *c, struct err *e) MUST_CHECK;

/* Listens; NULL and a message when that fails. `c` is not kept. */
struct admin *admin_new(struct event_base *base, const struct admin_conf *c,
                        struct admin_sources *s, struct err *e) MUST_CHECK;
/* Takes over token and TLS files of a reload for new connections; the address stays. On failure
 * nothing has changed. */
int admin_configure(struct admin *a, const struct admin_conf *c, struct err *e) MUST_CHECK;
/* There are new transitions: passes them on to those who listen. Accepts NULL. */
void admin_wake(struct admin *a);
/* Closes its connections at once; accepts NULL. Not from within one of its own callbacks. */
void admin_free(struct admin *a);
