/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* chain.h - Consul's own traffic rules for one service: what it compiles of the service-router,
 * -splitter and -resolver entries, as /v1/discovery-chain/NAME gives it.
 *
 *     start -> router (first route that matches) -> splitter (one of its parts, by weight)
 *           -> resolver -> target: a service, a subset of one, or one elsewhere
 *
 * A chain never changes once it is made; it is refcounted, strings and arrays are in its arena. All
 * of it comes from the network: what is not understood in a place where it would change the way of
 * a request (an unknown type of node or condition, an expression that is no RE2, a node that is not
 * there, a circle) refuses the whole chain, by name; what only changes how the request is sent is
 * left out, with a note. */
#include "base/err.h"
#include "base/macros.h"
#include "base/regex.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CHAIN_MAX_NODES = 1024,
    CHAIN_MAX_TARGETS = 1024,
    CHAIN_MAX_ROUTES = 2048,  /* of one router */
    CHAIN_MAX_SPLITS = 256,   /* of one splitter */
    CHAIN_MAX_TESTS = 64,     /* of one route */
    CHAIN_MAX_FAILOVERS = 64, /* of one resolver */
    CHAIN_MAX_DEPTH = 16,     /* nodes on the way of a request */
    CHAIN_MAX_STATUSES = 8,
    CHAIN_FULL_WEIGHT = 10000, /* Consul's 100 */
};

enum chain_op {
    CHAIN_PRESENT, /* of a path: any */
    CHAIN_EXACT,
    CHAIN_PREFIX,
    CHAIN_SUFFIX,
    CHAIN_CONTAINS,
    CHAIN_REGEX /* of the whole value */
};

/* A condition on the path, a request field or a parameter of the query. */
struct chain_test {
    const char *name; /* of the field or parameter; NULL for the path */
    enum chain_op op;
    struct str value;          /* as written; for people when op is CHAIN_REGEX */
    const struct regex *regex; /* CHAIN_REGEX */
    bool fold;                 /* whatever the case; not with CHAIN_REGEX */
    bool invert;
};

enum chain_change_op { CHAIN_REMOVE, CHAIN_SET, CHAIN_ADD };

struct chain_change {
    enum chain_change_op op;
    const char *name, *value; /* checked: no line breaks, nothing that frames a message */
};

/* Of the fields of a request or an answer. */
struct chain_changes {
    struct chain_change *items;
    unsigned n;
};

/* What a route of the router changes about the request. */
struct chain_destination {
    const char *prefix_rewrite; /* in its normal form; NULL = the path stays */
    uint64_t timeout_ms;        /* of the whole exchange; 0 = not said */
    bool says_retries;          /* the rest counts */
    unsigned retries;           /* further tries; 0 = not said */
    bool says_retry_on;         /* one of the next is there */
    bool on_connect_failure, on_reset, on_gateway_error, on_5xx; /* 502 to 504; any 5xx */
    uint16_t statuses[CHAIN_MAX_STATUSES];                       /* 0 ends */
    struct chain_changes request, response;
};

struct chain_route {
    struct chain_test path;
    struct chain_test *headers, *query;
    unsigned nheaders, nquery;
    const char **methods; /* upper case, NULL ends; NULL = any */
    struct chain_destination to;
    unsigned next; /* node */
};

struct chain_split {
    unsigned weight; /* of CHAIN_FULL_WEIGHT; 0 = nothing */
    unsigned next;   /* node */
    struct chain_changes request, response;
};

enum chain_balance {
    CHAIN_AS_USUAL,
    CHAIN_RANDOM,
    CHAIN_ROUND_ROBIN,
    CHAIN_LEAST_REQUEST,
    CHAIN_HASH
};

enum chain_hash {
    CHAIN_HASH_NONE,
    CHAIN_HASH_HEADER,
    CHAIN_HASH_COOKIE,
    CHAIN_HASH_QUERY,
    CHAIN_HASH_SOURCE
};

struct chain_resolver {
    unsigned target;
    unsigned *failovers; /* targets, in order */
    unsigned nfailovers;
    uint64_t connect_timeout_ms; /* 0 = Consul's default, so nothing was said */
    uint64_t timeout_ms;         /* 0 = not said */
    enum chain_balance balance;
    enum chain_hash hash;
    const char *hash_name;
};

enum chain_kind { CHAIN_ROUTER, CHAIN_SPLITTER, CHAIN_RESOLVER };

struct chain_node {
    enum chain_kind kind;
    const char *id; /* opaque */
    union {
        struct {
            struct chain_route *routes;
            unsigned nroutes;
        };
        struct {
            struct chain_split *splits;
            unsigned nsplits;
            uint32_t weight_sum; /* > 0 */
        };
        struct chain_resolver resolver;
    };
};

/* Where instances are looked up. Empty strings are NULL. */
struct chain_target {
    const char *id; /* opaque */
    /* What it is called in the catalog here: "web" when it is nothing but a service of this
     * datacenter, else "web:v2", "web@dc2", "web:v2@dc2"; what is Enterprise's follows as
     * "+ns.NAME", "+ap.NAME", "+peer.NAME". */
    const char *key;
    const char *service, *subset, *filter;
    const char *datacenter, *ns, *partition, *peer; /* NULL = as the chain itself */
    bool only_passing;
};

struct chain {
    _Atomic int refs;
    struct arena *arena;
    const char *service; /* lower case */
    const char *datacenter, *ns, *partition;
    const char *protocol;
    unsigned start; /* node */
    struct chain_node *nodes;
    unsigned nnodes;
    struct chain_target *targets;
    unsigned ntargets;
    const char **notes; /* what of it is not obeyed */
    unsigned nnotes;
};

/* NULL: e says why. Free with chain_unref(). */
struct chain *chain_parse(struct str body, const char *service, struct err *e) MUST_CHECK;
struct chain *chain_ref(struct chain *c);
/* Clears the caller's pointer; accepts a pointer to NULL. Any thread. */
void chain_unref(struct chain **c);

/* It says no more than that the service is where it is: there are no rules. */
bool chain_is_plain(const struct chain *c);
/* The resolver whose target this is; NULL = none. */
const struct chain_resolver *chain_resolver_of(const struct chain *c, unsigned target);
