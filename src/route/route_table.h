/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* route_table.h - how the route table is laid out (internal to this folder).
 *
 * All routes stand in one array, sorted by host and then by precedence: of two routes of a host
 * the one with the smaller index wins. What remains is to find the few whose path matches, at a
 * cost that depends on the path alone:
 *
 *   trie    exact, prefix and pattern routes, one edge a segment ("/orders/{id}": orders, *)
 *   plain   plain prefixes and globs, by the literal bytes before their first wildcard; a bit for
 *           each length that occurs tells where to look
 *
 * The edges of all tries, the plain keys and the hosts are three hash maps. Indices are counted
 * from 1 there, so that 0 is "none". */
#include "route/route.h"
#include "route/route_map.h"

enum { ROUTE_MAX_PATH = 2048, ROUTE_MAX_SEGMENTS = 64, ROUTE_MAX_HOST = 260 };

struct compiled {
    struct route route;
    struct str path;  /* its normal form */
    uint32_t next;    /* of the same list, in order of precedence */
    uint32_t methods; /* bit (1u << enum method); 0 = any */
    const struct regex *host_re, *path_re, *not_host_re, *not_path_re; /* NULL = none */
    const char **others; /* names of METHOD_OTHER methods; NULL = none */
    const char *allow;   /* the route's own methods: "GET, PUT" */
    unsigned literal;    /* bytes before the first parameter or wildcard */
    unsigned literals;   /* bytes that are no parameter, in all */
    unsigned nparams;
    struct str params[ROUTE_MAX_PARAMS];
    bool from_tags;
    uint64_t create_index;
};

struct route_list {
    uint32_t first, last;
};

struct node {
    struct route_list exact, prefix, rest; /* end here; here and below; pattern with {name...} */
    uint32_t param;                        /* node behind {name} */
};

struct host {
    uint32_t root;          /* of its trie */
    bool plain, plain_fold; /* which plain routes it has */
    uint64_t *lengths;      /* bit for each length of their literal heads; NULL = no plain route */
};

/* A host with wildcards that are not "*." at its beginning. */
struct host_glob {
    struct str pattern; /* with its port */
    size_t suffix;      /* literal bytes behind its last wildcard, those of the port left out */
    size_t literals;
    bool ported;
    uint32_t host;
};

enum { ROUTE_MAX_GLOBS = 64 };

struct route_table {
    _Atomic int refs;
    struct arena *arena; /* owned: all strings and arrays but those below */
    struct compiled *routes;
    size_t n;
    struct node *nodes; /* owned */
    uint32_t nnodes, max_nodes;
    struct host *hosts;
    uint32_t nhosts;
    struct host_glob globs[ROUTE_MAX_GLOBS]; /* in the order in which they are tried */
    uint32_t nglobs;
    struct route_list *lists; /* of plain keys */
    uint32_t nlists;
    struct route_map host_map;             /* HOST_EXACT or HOST_WILDCARD, name -> host */
    struct route_map edge_map;             /* node, segment -> node */
    struct route_map plain_map;            /* host * 2 + fold, literal head -> list */
    const char *allow[1u << METHOD_OTHER]; /* by set of methods */
};

enum { HOST_EXACT, HOST_WILDCARD }; /* a wildcard's key is what follows its '*' */

/* A copy of everything in `from` that lives in the arena alone (route_copy.c). */
struct route_conf *route_copy(struct arena *a, const struct route_conf *from);
/* Fills in path, methods and parameters from route.conf; what is wrong with it, or NULL
 * (route_compile.c). */
const char *route_compile(struct compiled *c, struct arena *a);
/* -1 for a method without a bit. */
int route_method_bit(struct str name);
/* "GET, PUT" of a set of methods. */
const char *route_methods_text(struct arena *a, uint32_t methods);
/* Order of the array: host, then precedence; for qsort. */
int route_compare(const void *a, const void *b);
/* The same, with the point of the table in route.h that decides. */
enum route_point { BY_HOST, BY_PRIORITY, BY_PATH, BY_CONDITIONS, BY_SOURCE, BY_AGE, BY_NAME };
enum route_point route_decide(const struct compiled *a, const struct compiled *b, int *ret_order);
/* The first condition that the request does not meet; NULL = it meets all. */
const struct match_conf *route_failed_header(const struct route_conf *conf,
                                             const struct request *r);
const struct match_conf *route_failed_query(const struct route_conf *conf, const struct request *r);
bool route_method_matches(const struct compiled *c, const struct request *r);
/* The host as the expressions of a route see it. */
bool route_regexes_match(const struct compiled *c, const struct request *r, bool *ret_host);
bool route_scheme_matches(const struct route_conf *conf, const struct request *r);
/* '*' any bytes, '?' one byte, "[a-z]" one of these, "[!a-z]" one of the others. */
bool route_glob(struct str pattern, struct str s);
/* Without the port, and without the root of the DNS, as in "shop.example.:80". */
struct str route_host_name(struct str full);
/* What host_glob says of a pattern, but for `host`; false when the host is an ordinary one
 * (route_host.c). */
bool route_host_glob(struct str host, struct host_glob *ret);
/* What is wrong with a host, or NULL. */
const char *route_host_problem(const char *host);
/* Takes up a host of this kind, once; false when there are too many. */
bool route_globs_add(struct route_table *t, const char *host);
void route_globs_sort(struct route_table *t);
struct host_glob *route_globs_find(struct route_table *t, const char *host);
