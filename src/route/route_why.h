/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* route_why.h - why did another route win, or none?
 *
 * Judges every route by itself, one condition after the other in the order of route_find(): host,
 * path, scheme, header fields, query, method, precedence. It shares the conditions and the
 * precedence with route_find(), but neither trie nor maps: that both agree is a test. The cost
 * grows with the number of routes, so this is for people who ask (control thread), not for
 * requests. */
#include "route/route.h"

enum route_loss {
    ROUTE_FITS, /* nothing is wrong with it */
    ROUTE_LOST_HOST,
    ROUTE_LOST_PATH,
    ROUTE_LOST_SCHEME,
    ROUTE_LOST_HEADER,
    ROUTE_LOST_QUERY,
    ROUTE_LOST_METHOD,
    /* It fits too, but the other one comes first (the table in route.h): */
    ROUTE_BEATEN_HOST,       /* a more specific host */
    ROUTE_BEATEN_PRIORITY,   /* a higher priority */
    ROUTE_BEATEN_PATH,       /* an exact or longer path, or a pattern before a prefix */
    ROUTE_BEATEN_CONDITIONS, /* more conditions */
    ROUTE_BEATEN_SOURCE,     /* configuration before tags */
    ROUTE_BEATEN_AGE,        /* the older service */
    ROUTE_BEATEN_NAME        /* the order of names, or of the files */
};
/* "host" "path" "scheme" "header" "query" "method" "more_specific_host" "priority"
 * "more_specific_path" "more_conditions" "configuration_first" "older_service" "name_order"; "" for
 * ROUTE_FITS. */
const char *route_loss_name(enum route_loss l);

struct route_loser {
    const struct route *route;
    enum route_loss loss;
    const char *field; /* ROUTE_LOST_HEADER and _QUERY: the first that is not as it should be */
};

/* Is this route of the table one that the request could take, all others left aside? Sets
 * *ret_field as above, NULL else. */
enum route_loss route_judge(const struct route_table *t, const struct route *route,
                            const struct request *r, const char **ret_field);

/* Why `loser` gives way to `winner`, both of them routes that fit. */
enum route_loss route_beaten_by(const struct route_table *t, const struct route *loser,
                                const struct route *winner, const struct request *r);

/* Those that came nearest to being taken, but for `winner` (what route_find() gave; NULL = none),
 * the nearest first, up to `cap`; returns how many. Routes that fail both by host and by path are
 * not among them, nor, when somebody has won, those whose path has nothing in common with the
 * request's. */
size_t route_losers(const struct route_table *t, const struct request *r,
                    const struct route *winner, struct route_loser *out, size_t cap);
