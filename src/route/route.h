/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* route.h - the compiled route table: host, path, scheme, method, headers, query -> route.
 *
 * Immutable once built, shared by all workers, refcounted by the snapshot. The cost of a lookup
 * depends on the length of host and path, not on the number of routes.
 *
 * Precedence, first difference decides:
 *   1. host: exact, then the wildcard with the most literal bytes behind it, then any host. When
 *      nothing in a more specific host matches the path, the next one is tried. Besides
 *      "*.NAME" a host may hold '*', '?' and "[a-z]" anywhere ('*' spans dots); the cost of those
 *      grows with their number, so there are 64 of them at most.
 *   2. priority, higher first (within the host)
 *   3. path: exact, then more literal bytes before the first parameter or the end of a prefix;
 *      a pattern before a prefix of the same length
 *   4. more conditions (scheme, methods, headers, query) before fewer
 *   5. configuration before tags, then the older service (create index), then name order
 * A route whose path and host match but whose method does not gives way; if no other matches, the
 * answer is 405 with the methods that would.
 */
#include "base/err.h"
#include "config/config.h"
#include "http/message.h"

enum { ROUTE_MAX_PARAMS = 8, ROUTE_MAX_TARGETS = 16 };

/* A route as it is served. The strings belong to the table. */
struct route {
    const struct route_conf *conf;     /* copied into the table */
    uint32_t slots[ROUTE_MAX_TARGETS]; /* service slot of each target, see route_table_build() */
    uint32_t fallback_slots[MAX_FALLBACKS]; /* of the services in conf->fallback */
    const uint32_t *part_slots;             /* of the services of conf->aggregate's parts */
    uint32_t weight_sum;
    uint32_t id; /* position in the table, for statistics */
};

struct route_match {
    const struct route *route; /* NULL = no match */
    const char *allow;         /* set when only the method was wrong: "GET, PUT" */
    unsigned nparams;
    struct {
        struct str name, value; /* value: slice of the request's path */
    } params[ROUTE_MAX_PARAMS];
};

struct route_table;

/* Resolves a service name to its slot, a small number that stays the same for the life of the
 * process (registry). */
typedef uint32_t route_slot_fn(void *arg, const char *service);

struct route_input {
    const struct route_conf *conf; /* copied */
    bool from_tags;
    uint64_t create_index; /* of the service that brought it; 0 for configuration */
};

/* Builds a table; a bad route (too many parameters, malformed pattern) is left out and reported
 * through `bad`, the others live on. Thread: control. */
typedef void route_bad_fn(void *arg, const struct route_conf *conf, const char *why);
struct route_table *route_table_build(const struct route_input *inputs, size_t n,
                                      route_slot_fn *slot, route_bad_fn *bad, void *arg) MUST_CHECK;
struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table **t);

/* Worker, no allocation. Host is matched with and without its port (a route may name one). */
void route_find(const struct route_table *t, const struct request *r, struct route_match *ret);

/* For /v1/routes, in precedence order within a host. */
size_t route_table_count(const struct route_table *t);
const struct route *route_table_at(const struct route_table *t, size_t i);

/* The path to forward: strip, prepend, rewrite. Writes at most cap bytes to out; -1 when it does
 * not fit. The query is not touched. */
int route_target_path(const struct route *route, const struct route_match *m, struct str path,
                      char *out, size_t cap, size_t *ret_n) MUST_CHECK;
/* The Location of a redirect, query included. Nothing of the request gets in undecoded CR or LF:
 * path and host are already checked. */
int route_redirect_location(const struct route *route, const struct route_match *m,
                            const struct request *r, const char *scheme, char *out, size_t cap,
                            size_t *ret_n) MUST_CHECK;
