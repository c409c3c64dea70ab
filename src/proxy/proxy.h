/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* proxy.h - the data path as the rest of the program sees it: workers, listeners, drain.
 *
 * All functions belong to the control thread. The workers run between proxy_start() and
 * proxy_stop(). */
#include "base/err.h"
#include "config/config.h"
#include "snapshot/snapshot.h"
#include "tls/counters.h"

struct cache_purge_order;
struct proxy;
struct tls_server;

enum {
    PROXY_MAX_WORKERS = 64,
    PROXY_SHED_CLASSES = 3
}; /* a bit each in service_state.waiting_workers */

struct proxy_counters {
    uint64_t accepted, connections, refused_connections, requests, upstream_connects,
        upstream_reuses, accept_errors, bad_proxy_headers, unrouted, bad_requests, auth_failed_open,
        access_log_dropped;
    uint64_t h2_connections, h2_requests, h2_resets, h2_floods; /* of clients over HTTP/2 */
    uint64_t stored_bytes, stored_answers, stored_evicted;      /* of the fallback cache */
    struct tls_counts tls;
    uint64_t coded[4], coded_in, coded_out; /* compressed answers by enum coding; bytes of them */
    uint64_t cached[4]; /* by enum cached_state (cached.h) */
};

/* What saturated workers refuse, see overload.h. */
struct proxy_overload {
    unsigned nworkers;
    struct proxy_shedding {
        unsigned level;    /* 0 = nothing .. 3 = all but critical */
        uint64_t since_ns; /* 0 = since the start */
    } workers[PROXY_MAX_WORKERS];
    uint64_t refused[PROXY_SHED_CLASSES]; /* low, normal, high */
};

struct proxy *proxy_new(unsigned nworkers);
/* Opens the access log (NULL or "" = none) and starts the threads with their first snapshot. */
int proxy_start(struct proxy *p, struct snapshot *first, const char *access_log,
                struct err *e) MUST_CHECK;
/* Opens and closes listeners until they are those of `c`. On failure nothing has changed. */
int proxy_listen(struct proxy *p, struct config *c, struct err *e) MUST_CHECK;
/* From now on new requests see `s`; requests under way keep theirs. */
void proxy_publish(struct proxy *p, struct snapshot *s);
/* An issuer of tokens has been asked for its keys: requests that wait for them go on. */
void proxy_keys_asked(struct proxy *p);
/* No new connections; every answer closes its connection; idle ones close within a second. */
void proxy_drain(struct proxy *p);
/* Ends the threads; what is still under way is cut off. */
void proxy_stop(struct proxy *p);
void proxy_free(struct proxy *p);

/* Reads what has changed of the listeners' files; to be called several times a second. */
void proxy_look_at_files(struct proxy *p, uint64_t now_ns);

/* One that is open, as people want to know it. Borrowed until the next loop turn. */
struct proxy_listener {
    const char *address;
    const struct tls_server *tls; /* NULL = plain */
    const char *problem;          /* why changed files are not in force; "" = they are */
};
/* False: there are no more than i. */
bool proxy_listener(const struct proxy *p, unsigned i, struct proxy_listener *ret);

/* Forgets stored answers; how many. */
size_t proxy_purge(struct proxy *p, const struct snapshot *s, const struct cache_purge_order *o);
void proxy_reopen_log(struct proxy *p);
void proxy_counters(const struct proxy *p, struct proxy_counters *ret);
void proxy_overload(const struct proxy *p, struct proxy_overload *ret);
/* True when every worker's loop has turned since the last call: the watchdog's question. */
bool proxy_alive(struct proxy *p);
