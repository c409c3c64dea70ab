/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* admin.h - the admin endpoint: status as JSON, metrics, health, the dashboard page.
 *
 * libevent's evhttp in the control thread's loop; nothing here runs on a worker. It only reads:
 * what workers count is loaded with relaxed order, what needs to be consistent is copied under its
 * own lock (breakers, transitions). Answers are documented in docs/status.md.
 *
 * Reads need no token, so two rules keep a stranger's web page from reading it through the browser
 * of someone who may: no CORS header is ever sent, and a Host that is a name other than localhost
 * is refused (DNS rebinding). */
#include "base/err.h"
#include "config/config.h"
#include "discovery/discovery.h"
#include "snapshot/builder.h"
#include "snapshot/registry.h"
#include "snapshot/snapshot.h"

struct event_base;
struct admin;

/* Summed over all workers. */
struct admin_workers {
    uint64_t accepted, connections, requests, unrouted, bad_requests, upstream_connects,
        upstream_reuses, accept_errors, refused_connections, access_log_dropped;
    unsigned workers;
    bool draining;
};

/* Where the answers come from: all borrowed, all read on the control thread. The struct itself is
 * borrowed too, and its owner may change the fields between two loop turns. */
struct admin_sources {
    struct registry *registry;
    struct discovery *discovery;
    struct builder *builder;
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
    void *arg;
};

/* Listens on host:port; NULL and a message when that fails. */
struct admin *admin_new(struct event_base *base, const char *host, uint16_t port,
                        struct admin_sources *s, struct err *e) MUST_CHECK;
/* Closes its connections at once; accepts NULL. Not from within one of its own callbacks. */
void admin_free(struct admin *a);
